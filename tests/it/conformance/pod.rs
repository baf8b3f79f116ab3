//! Prometheus' own cases for role pod (`discovery/kubernetes/pod_test.go`).

use crate::support::objects::{PodBuilder, WithMetadata, namespace, node, owner, pod};
use crate::support::show::lines;
use crate::support::sidecar::Sidecar;
use nodelocal_sd::objects::{Owner, Pod};
use nodelocal_sd::selector::LabelSelector;
use nodelocal_sd::targets::{Attach, Profile, Query, Role, Selector};

fn query() -> Query {
    Query::all(Role::Pod)
}

fn sidecar() -> Sidecar {
    Sidecar::of_node("testnode")
}

/// With two containers, one of them without ports.
fn m() -> Pod {
    pod("testpod")
        .uid("abc123")
        .label("test/label", "testvalue")
        .annotation("test/annotation", "testannotationvalue")
        .controlled_by("testcontrollerkind", "testcontrollername")
        .on("testnode")
        .ip("1.2.3.4")
        .phase("Running")
        .ready("True")
        .container("testcontainer0")
        .id("docker://a1b2c3d4")
        .port("testport0", 9000)
        .udp_port("testport1", 9001)
        .container("testcontainer1")
        .id("containerd://6f6e6d")
}

/// With one container.
fn q() -> Pod {
    pod("testpod")
        .uid("abc123")
        .on("testnode")
        .ip("1.2.3.4")
        .phase("Running")
        .ready("True")
        .container("testcontainer")
        .id("docker://a1b2c3d4")
        .port("testport0", 9000)
}

fn attaching(attach: Attach) -> Query {
    Query { attach, ..query() }
}

fn shown(sidecar: &Sidecar, query: &Query, prefixes: &[&str]) -> Vec<String> {
    lines(&sidecar.targets(query).own, prefixes)
}

#[test]
fn p1_two_containers() {
    let pod = "pod_controller_kind=testcontrollerkind pod_controller_name=testcontrollername \
         pod_ip=1.2.3.4 pod_label_test_label=testvalue pod_name=testpod \
         pod_node_name=testnode pod_phase=Running pod_ready=true pod_uid=abc123";
    let annotation = "namespace=default pod_annotation_test_annotation=testannotationvalue";
    let c0 = "pod_container_id=docker://a1b2c3d4 pod_container_image=testcontainer0:latest \
         pod_container_init=false pod_container_name=testcontainer0";
    assert_eq!(
        shown(&sidecar().with(m()), &query(), &[""]),
        [
            format!(
                "1.2.3.4 {annotation} pod_container_id=containerd://6f6e6d \
                 pod_container_image=testcontainer1:latest pod_container_init=false \
                 pod_container_name=testcontainer1 {pod}"
            ),
            format!(
                "1.2.3.4:9000 {annotation} {c0} pod_container_port_name=testport0 \
                 pod_container_port_number=9000 pod_container_port_protocol=TCP {pod}"
            ),
            format!(
                "1.2.3.4:9001 {annotation} {c0} pod_container_port_name=testport1 \
                 pod_container_port_number=9001 pod_container_port_protocol=UDP {pod}"
            ),
        ]
    );
}

#[test]
fn p2_init_container() {
    let pod =
        q().phase("Pending").ready("False").init_container("initcontainer").id("containerd://init");
    assert_eq!(
        shown(
            &sidecar().with(pod),
            &query(),
            &["pod_container_id", "pod_container_init", "pod_phase", "pod_ready"]
        ),
        [
            "1.2.3.4 pod_container_id=containerd://init pod_container_init=true \
             pod_phase=Pending pod_ready=false",
            "1.2.3.4:9000 pod_container_id=docker://a1b2c3d4 pod_container_init=false \
             pod_phase=Pending pod_ready=false",
        ]
    );
}

#[test]
fn p3_p4_added_and_deleted() {
    let mut sidecar = sidecar();
    assert_eq!(shown(&sidecar, &query(), &[]), [""; 0]);
    sidecar.apply(q());
    assert_eq!(shown(&sidecar, &query(), &[]), ["1.2.3.4:9000"]);
    sidecar.delete::<Pod>("default", "testpod");
    assert_eq!(shown(&sidecar, &query(), &[]), [""; 0]);
}

#[test]
fn p5_updated() {
    let mut sidecar = sidecar().with(
        pod("testpod")
            .uid("xyz321")
            .on("testnode")
            .ip("1.2.3.4")
            .container("testcontainer")
            .port("testport0", 9000),
    );
    let prefixes = ["pod_container_id", "pod_phase", "pod_ready", "pod_uid"];
    assert_eq!(
        shown(&sidecar, &query(), &prefixes),
        ["1.2.3.4:9000 pod_ready=unknown pod_uid=xyz321"]
    );
    sidecar.apply(q());
    assert_eq!(
        shown(&sidecar, &query(), &prefixes),
        ["1.2.3.4:9000 pod_container_id=docker://a1b2c3d4 pod_phase=Running \
          pod_ready=true pod_uid=abc123"]
    );
}

#[test]
fn p6_address_lost() {
    let mut sidecar = sidecar().with(q());
    sidecar.apply(q().ip(""));
    assert_eq!(shown(&sidecar, &query(), &[]), [""; 0]);
}

#[test]
fn p7_p8_namespaces() {
    let sidecar = sidecar()
        .with(q().in_namespace("ns1"))
        .with(q().in_namespace("ns2"))
        .with(q().in_namespace("ns3"));
    for (names, expected) in [
        (vec!["ns1", "ns2"], vec!["1.2.3.4:9000 namespace=ns1", "1.2.3.4:9000 namespace=ns2"]),
        (vec!["ns2"], vec!["1.2.3.4:9000 namespace=ns2"]), // the own one, say
        (vec!["ns4"], vec![]),
    ] {
        let namespaces = names.into_iter().map(str::to_owned).collect();
        let query = Query { namespaces, ..query() };
        assert_eq!(shown(&sidecar, &query, &["namespace"]), expected);
    }
}

#[test]
fn p9_p10_attached_node() {
    let query = attaching(Attach { node: true, ..Attach::default() });
    let mut sidecar = sidecar().with(node("testnode").label("l1", "value1")).with(q());
    assert_eq!(
        shown(&sidecar, &query, &["node_"]),
        ["1.2.3.4:9000 node_label_l1=value1 node_name=testnode"]
    );
    sidecar.apply(node("testnode").label("l2", "value2"));
    assert_eq!(
        shown(&sidecar, &query, &["node_"]),
        ["1.2.3.4:9000 node_label_l2=value2 node_name=testnode"]
    );
}

#[test]
fn p11_p12_attached_namespace() {
    let query = attaching(Attach { namespace: true, ..Attach::default() });
    let mut sidecar =
        sidecar().with(namespace("default").label("team", "a").annotation("v", "1")).with(q());
    assert_eq!(
        shown(&sidecar, &query, &["namespace"]),
        ["1.2.3.4:9000 namespace=default namespace_annotation_v=1 namespace_label_team=a"]
    );
    sidecar.apply(namespace("default").label("team", "b").label("more", "x").annotation("v", "2"));
    assert_eq!(
        shown(&sidecar, &query, &["namespace"]),
        ["1.2.3.4:9000 namespace=default namespace_annotation_v=2 \
          namespace_label_more=x namespace_label_team=b"]
    );
}

/// The node selector works through the attached Node alone, and only since 3.11.
#[test]
fn p13_node_selector() {
    let attach = Attach { node: true, ..Attach::default() };
    let mut query = attaching(attach);
    query.selectors.node = Selector {
        label: LabelSelector::parse("node-type=worker").unwrap(),
        ..Selector::default()
    };
    let worker = sidecar().with(node("testnode").label("node-type", "worker")).with(q());
    assert_eq!(
        shown(&worker, &query, &["node_"]),
        ["1.2.3.4:9000 node_label_node_type=worker node_name=testnode"]
    );
    let other = sidecar().with(node("testnode").label("node-type", "master")).with(q());
    assert_eq!(shown(&other, &query, &["node_"]), [""; 0]);
    assert_eq!(lines(&other.targets_for(&query, Profile::V3_5).own, &["node_"]), ["1.2.3.4:9000"]);
    query.attach.node = false;
    assert_eq!(shown(&other, &query, &["node_"]), ["1.2.3.4:9000"]);
}

/// A Pod of that controller, which itself has that controller.
fn workload(kind: &str, name: &str, controller: Option<&Owner>) -> Sidecar {
    let mut sidecar = sidecar().with(q().controlled_by(kind, name));
    sidecar.read_owners(|_| controller.cloned());
    sidecar
}

#[test]
fn p14_to_p16_p19_workloads() {
    const NONE: Attach =
        Attach { node: false, namespace: false, deployment: false, job: false, cronjob: false };
    let (deployment, job, cronjob) = (
        Attach { deployment: true, ..NONE },
        Attach { job: true, ..NONE },
        Attach { cronjob: true, ..NONE },
    );
    let of_deployment = || workload("ReplicaSet", "rs", Some(&owner("Deployment", "d")));
    let of_job = || workload("Job", "j", None);
    let of_cronjob = || workload("Job", "j", Some(&owner("CronJob", "c")));
    for (case, sidecar, attach, expected) in [
        ("P14", of_deployment(), deployment, " pod_deployment_name=d"),
        ("not asked for", of_deployment(), job, ""),
        ("other owner", workload("ReplicaSet", "rs", Some(&owner("Rollout", "r"))), deployment, ""),
        ("no owner", workload("ReplicaSet", "rs", None), deployment, ""),
        ("P15", of_job(), job, " pod_job_name=j"),
        ("P16", of_cronjob(), job, " pod_job_name=j"),
        ("P19", of_cronjob(), cronjob, " pod_cronjob_name=c"),
        ("no cron job", of_job(), cronjob, ""),
        ("other kind", workload("StatefulSet", "s", None), deployment, ""),
    ] {
        assert_eq!(
            shown(&sidecar, &attaching(attach), &["pod_deployment", "pod_job", "pod_cronjob"]),
            [format!("1.2.3.4:9000{expected}")],
            "{case}"
        );
    }
}
