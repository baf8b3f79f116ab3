//! Prometheus' own cases for role endpoints (`discovery/kubernetes/endpoints_test.go`).
//!
//! The base object has an address on node `foobar`, one that refers to Node `barbaz` and two of
//! no node, as in `endpointslice`.

use super::endpoint_roles::{self, cluster, each, testpod, testservice, with_nodes};
use crate::support::objects::{
    EndpointBuilder, EndpointsBuilder, PodBuilder, SubsetBuilder, WithMetadata, address, endpoints,
    namespace, pod, subset,
};
use crate::support::show::lines;
use crate::support::sidecar::Cluster;
use nodelocal_sd::objects::{EndpointAddress, Endpoints};
use nodelocal_sd::targets::{Attach, Query, Role};

fn query() -> Query {
    Query::all(Role::Endpoints)
}

fn plain() -> Endpoints {
    endpoints("testendpoints")
}

fn base() -> Endpoints {
    let with_hostname =
        EndpointAddress { hostname: "testendpoint1".into(), ..address("1.2.3.4").on("foobar") };
    plain()
        .annotation("test.annotation", "test")
        .subset(subset().port("testport", 9000).ready(with_hostname))
        .subset(
            subset().port("testport", 9001).ready(address("2.3.4.5")).not_ready(address("2.3.4.5")),
        )
        .subset(
            subset()
                .port("testport", 9002)
                .ready(address("6.7.8.9").refers_to("Node", "", "barbaz")),
        )
}

fn endpoints_of_testpod() -> Endpoints {
    let address = address("4.3.2.1").refers_to("Pod", "default", "testpod");
    plain().subset(subset().port("testport", 9000).ready(address))
}

const ALL_FOUR: [&str; 4] = ["1.2.3.4:9000", "2.3.4.5:9001", "2.3.4.5:9001", "6.7.8.9:9002"];

#[test]
fn e1_endpoints_before_run() {
    let targets = cluster().with(base()).targets(&query());
    let port = "endpoint_port_name=testport endpoint_port_protocol=TCP";
    let group = "endpoints_annotation_test_annotation=test endpoints_name=testendpoints \
         namespace=default";
    assert_eq!(
        lines(&targets, &[""]),
        [
            format!(
                "1.2.3.4:9000 endpoint_hostname=testendpoint1 endpoint_node_name=foobar {port} \
                 endpoint_ready=true {group}"
            ),
            format!("2.3.4.5:9001 {port} endpoint_ready=false {group}"),
            format!("2.3.4.5:9001 {port} endpoint_ready=true {group}"),
            format!(
                "6.7.8.9:9002 endpoint_address_target_kind=Node \
                 endpoint_address_target_name=barbaz {port} endpoint_ready=true {group}"
            ),
        ]
    );
    let present = "__meta_kubernetes_endpoints_annotationpresent_test_annotation";
    assert!(targets.iter().all(|t| t.labels.get(present).is_some_and(|v| **v == *"true")));
}

#[test]
fn e2_pod_before_its_endpoints() {
    let mut cluster = cluster().with(testpod());
    cluster.apply(endpoints_of_testpod());
    assert_eq!(
        lines(&cluster.targets(&query()), &[""]),
        [
            "1.2.3.4:9001 endpoints_name=testendpoints namespace=default \
             pod_container_image=c2:latest pod_container_init=false pod_container_name=c2 \
             pod_container_port_name=sideport pod_container_port_number=9001 \
             pod_container_port_protocol=TCP pod_ip=1.2.3.4 pod_name=testpod \
             pod_node_name=foobar pod_ready=unknown pod_uid=deadbeef",
            "4.3.2.1:9000 endpoint_address_target_kind=Pod \
             endpoint_address_target_name=testpod endpoint_port_name=testport \
             endpoint_port_protocol=TCP endpoint_ready=true endpoints_name=testendpoints \
             namespace=default pod_container_image=c1:latest pod_container_init=false \
             pod_container_name=c1 pod_container_port_name=mainport \
             pod_container_port_number=9000 pod_container_port_protocol=TCP pod_ip=1.2.3.4 \
             pod_name=testpod pod_node_name=foobar pod_ready=unknown pod_uid=deadbeef",
        ]
    );
}

/// Beyond upstream, which would not notice: the Endpoints are there first.
#[test]
fn e2_endpoints_before_their_pod() {
    let right = cluster().with(testpod()).with(endpoints_of_testpod());
    let mut late = cluster().with(endpoints_of_testpod());
    late.apply(testpod());
    assert_eq!(late.targets(&query()), right.targets(&query()));
}

#[test]
fn e3_endpoints_deleted() {
    let mut cluster = cluster().with(base());
    cluster.delete::<Endpoints>("default", "testendpoints");
    assert_eq!(cluster.targets(&query()), []);
}

#[test]
fn e4_endpoints_updated() {
    let mut cluster = cluster().with(base());
    cluster.apply(
        plain()
            .subset(subset().port("testport", 9000).ready(address("1.2.3.4")))
            .subset(subset().port("testport", 9001).ready(address("2.3.4.5"))),
    );
    assert_eq!(
        lines(
            &cluster.targets(&query()),
            &["endpoint_hostname", "endpoint_node", "endpoints_annotation", "endpoints_name"]
        ),
        ["1.2.3.4:9000 endpoints_name=testendpoints", "2.3.4.5:9001 endpoints_name=testendpoints"]
    );
}

#[test]
fn e5_no_subsets_left() {
    let mut cluster = cluster().with(base());
    cluster.apply(plain());
    assert_eq!(cluster.targets(&query()), []);
}

#[test]
fn e6_service_added() {
    endpoint_roles::service_added(base(), &query(), ALL_FOUR);
}

#[test]
fn e7_service_labels_changed() {
    endpoint_roles::service_labels_changed(base(), &query(), ALL_FOUR);
}

#[test]
fn e8_attached_node() {
    let (cluster, query) = with_nodes(base(), query());
    assert_eq!(
        lines(&cluster.targets(&query), &["node_"]),
        [
            "1.2.3.4:9000 node_label_az=us-east1 node_name=foobar",
            "2.3.4.5:9001",
            "2.3.4.5:9001",
            "6.7.8.9:9002 node_label_az=us-west2 node_name=barbaz",
        ]
    );
}

#[test]
fn e9_attached_node_changed() {
    endpoint_roles::attached_node_changed(base(), query());
}

#[test]
fn e10_two_namespaces() {
    let address = address("4.3.2.1").refers_to("Pod", "ns2", "testpod");
    let of_pod = plain().subset(subset().port("testport", 9000).ready(address));
    let cluster = cluster()
        .with(base().in_namespace("ns1"))
        .with(testservice().in_namespace("ns1"))
        .with(testpod().in_namespace("ns2"))
        .with(of_pod.in_namespace("ns2"))
        .with(base().in_namespace("ns3"));
    let namespaces = ["ns1", "ns2"].map(str::to_owned).into();
    let targets = cluster.targets(&Query { namespaces, ..query() });
    let mut expected = each(ALL_FOUR, "namespace=ns1 service_name=testendpoints");
    expected.extend([
        "1.2.3.4:9001 namespace=ns2 pod_name=testpod".to_owned(),
        "4.3.2.1:9000 namespace=ns2 pod_name=testpod".to_owned(),
    ]);
    expected.sort();
    assert_eq!(lines(&targets, &["namespace", "pod_name", "service_name"]), expected);
}

/// The own namespace is one that is listed.
#[test]
fn e11_own_namespace() {
    let cluster =
        cluster().with(base().in_namespace("own-ns")).with(base().in_namespace("non-own-ns"));
    let namespaces = ["own-ns"].map(str::to_owned).into();
    let targets = cluster.targets(&Query { namespaces, ..query() });
    assert_eq!(lines(&targets, &["namespace"]), each(ALL_FOUR, "namespace=own-ns"));
}

#[test]
fn e13_pod_becomes_ready() {
    let mut cluster =
        cluster().with(testpod().phase("Pending").ready("False")).with(endpoints_of_testpod());
    let shown = |cluster: &Cluster| lines(&cluster.targets(&query()), &["pod_phase", "pod_ready"]);
    let each = |labels: &str| ["1.2.3.4:9001", "4.3.2.1:9000"].map(|a| format!("{a} {labels}"));
    assert_eq!(shown(&cluster), each("pod_phase=Pending pod_ready=false"));
    cluster.apply(testpod().phase("Running").ready("True"));
    assert_eq!(shown(&cluster), each("pod_phase=Running pod_ready=true"));
}

#[test]
fn e14_init_containers() {
    let pod = pod("testpod")
        .on("foobar")
        .ip("4.3.2.1")
        .container("c1")
        .port("mainport", 9000)
        .init_container("ic1")
        .port("initport", 1111)
        .init_container("ic2")
        .port("initport", 9111);
    let endpoints = endpoints("testsidecar").subset(
        subset()
            .port("testport", 9000)
            .port("initport", 9111)
            .ready(address("4.3.2.1").refers_to("Pod", "default", "testpod")),
    );
    let targets = cluster().with(pod).with(endpoints).targets(&query());
    assert_eq!(
        lines(&targets, &["pod_container_init", "pod_container_name", "endpoint_port_name"]),
        [
            "4.3.2.1:1111 pod_container_init=true pod_container_name=ic1",
            "4.3.2.1:9000 endpoint_port_name=testport pod_container_init=false pod_container_name=c1",
            "4.3.2.1:9111 endpoint_port_name=initport pod_container_init=true pod_container_name=ic2",
        ]
    );
}

#[test]
fn e15_e16_attached_namespace() {
    let before = namespace("default").label("environment", "development");
    let after = namespace("default").label("environment", "staging").annotation("cost-center", "1");
    let mut cluster = cluster().with(base()).with(before);
    let attach = Attach { namespace: true, ..Attach::default() };
    let query = Query { attach, ..query() };
    assert_eq!(
        lines(&cluster.targets(&query), &["namespace_"]),
        each(ALL_FOUR, "namespace_label_environment=development")
    );
    cluster.apply(after);
    assert_eq!(
        lines(&cluster.targets(&query), &["namespace_"]),
        each(ALL_FOUR, "namespace_annotation_cost_center=1 namespace_label_environment=staging")
    );
}

/// Beyond upstream's tests: what covers the container ports of a Pod are the subsets that it is
/// in, all of them and no other; a subset without ports is as if it were not there.
#[test]
fn which_subsets_cover_a_pod() {
    let referring = || address("1.2.3.4").refers_to("Pod", "default", "testpod");
    let other = || subset().port("other", 9001).ready(address("9.9.9.9"));
    for (endpoints, expected) in [
        (plain().subset(subset().port("a", 9000).ready(referring())).subset(other()), 3),
        (
            plain()
                .subset(subset().port("a", 9000).ready(referring()))
                .subset(subset().port("b", 9001).not_ready(referring())),
            2,
        ),
        (plain().subset(subset().ready(referring())), 0),
        (plain().subset(subset().ready(referring())).subset(other()), 1),
    ] {
        let targets = cluster().with(testpod()).with(endpoints.clone()).targets(&query());
        assert_eq!(targets.len(), expected, "{endpoints:?}");
    }
}
