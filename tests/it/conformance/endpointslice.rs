//! Prometheus' own cases for role endpointslice (`discovery/kubernetes/endpointslice_test.go`).
//!
//! The base slice has an endpoint on node `foobar`, one that refers to Node `barbaz` and two of
//! no node: what is compared is what both nodes serve and what belongs to none.

use super::endpoint_roles::{self, cluster, each, testpod, testservice, with_nodes};
use crate::support::objects::{
    EndpointBuilder, PodBuilder, ServiceBuilder, SliceBuilder, WithMetadata, endpoint, namespace,
    pod, service, slice,
};
use crate::support::show::lines;
use crate::support::sidecar::Cluster;
use nodelocal_sd::objects::{Conditions, Endpoint, EndpointSlice, TargetRef};
use nodelocal_sd::targets::{Attach, Query, Role};

fn query() -> Query {
    Query::all(Role::EndpointSlice)
}

/// With every kind of label.
fn e1() -> Endpoint {
    Endpoint {
        hostname: Some("testendpoint1".into()),
        target_ref: Some(TargetRef::default()),
        deprecated_topology: [("topology", "value")].into_iter().collect(),
        ..ready(endpoint("1.2.3.4").on("foobar"), "us-east-1a")
    }
}

fn e2() -> Endpoint {
    ready(endpoint("2.3.4.5"), "us-east-1b")
}

fn e3() -> Endpoint {
    Endpoint {
        conditions: Conditions { ready: Some(false), serving: Some(true), terminating: Some(true) },
        ..ready(endpoint("3.4.5.6"), "us-east-1c")
    }
}

fn e4() -> Endpoint {
    ready(endpoint("4.5.6.7").refers_to("Node", "", "barbaz"), "us-east-1a")
}

fn ready(endpoint: Endpoint, zone: &str) -> Endpoint {
    Endpoint {
        conditions: Conditions { ready: Some(true), serving: Some(true), terminating: Some(false) },
        zone: Some(zone.into()),
        ..endpoint
    }
}

fn plain() -> EndpointSlice {
    let mut slice = slice("testendpoints").port("testport", 9000);
    slice.ports[0].app_protocol = Some("http".into());
    slice
}

fn base() -> EndpointSlice {
    plain()
        .of_service("testendpoints")
        .annotation("test.annotation", "test")
        .endpoint(e1())
        .endpoint(e2())
        .endpoint(e3())
        .endpoint(e4())
}

fn slice_of_testpod() -> EndpointSlice {
    let mut endpoint = endpoint("4.3.2.1").refers_to("Pod", "default", "testpod");
    endpoint.conditions.ready = Some(false);
    plain().endpoint(endpoint)
}

#[test]
fn es1_slice_before_run() {
    let targets = cluster().with(base()).targets(&query());
    let group = "endpointslice_address_type=IPv4 \
         endpointslice_annotation_test_annotation=test";
    let port = "endpointslice_label_kubernetes_io_service_name=testendpoints \
         endpointslice_name=testendpoints \
         endpointslice_port=9000 \
         endpointslice_port_app_protocol=http \
         endpointslice_port_name=testport \
         endpointslice_port_protocol=TCP \
         namespace=default";
    let yes = "endpointslice_endpoint_conditions_ready=true \
         endpointslice_endpoint_conditions_serving=true \
         endpointslice_endpoint_conditions_terminating=false";
    assert_eq!(
        lines(&targets, &[""]),
        [
            format!(
                "1.2.3.4:9000 {group} {yes} \
                 endpointslice_endpoint_hostname=testendpoint1 \
                 endpointslice_endpoint_node_name=foobar \
                 endpointslice_endpoint_topology_topology=value \
                 endpointslice_endpoint_zone=us-east-1a {port}"
            ),
            format!("2.3.4.5:9000 {group} {yes} endpointslice_endpoint_zone=us-east-1b {port}"),
            format!(
                "3.4.5.6:9000 {group} \
                 endpointslice_endpoint_conditions_ready=false \
                 endpointslice_endpoint_conditions_serving=true \
                 endpointslice_endpoint_conditions_terminating=true \
                 endpointslice_endpoint_zone=us-east-1c {port}"
            ),
            format!(
                "4.5.6.7:9000 endpointslice_address_target_kind=Node \
                 endpointslice_address_target_name=barbaz {group} {yes} \
                 endpointslice_endpoint_zone=us-east-1a {port}"
            ),
        ]
    );
    for (name, value) in [
        ("endpointslice_labelpresent_kubernetes_io_service_name", "true"),
        ("endpointslice_annotationpresent_test_annotation", "true"),
    ] {
        let name = format!("__meta_kubernetes_{name}");
        assert!(targets.iter().all(|t| t.labels.get(&*name).is_some_and(|v| **v == *value)));
    }
}

#[test]
fn es2_pod_before_its_slice() {
    let mut cluster = cluster().with(testpod());
    cluster.apply(slice_of_testpod());
    assert_eq!(
        lines(&cluster.targets(&query()), &[""]),
        [
            "1.2.3.4:9001 endpointslice_address_type=IPv4 endpointslice_name=testendpoints \
             namespace=default pod_container_image=c2:latest pod_container_init=false \
             pod_container_name=c2 pod_container_port_name=sideport \
             pod_container_port_number=9001 pod_container_port_protocol=TCP pod_ip=1.2.3.4 \
             pod_name=testpod pod_node_name=foobar pod_ready=unknown pod_uid=deadbeef",
            "4.3.2.1:9000 endpointslice_address_target_kind=Pod \
             endpointslice_address_target_name=testpod endpointslice_address_type=IPv4 \
             endpointslice_endpoint_conditions_ready=false endpointslice_name=testendpoints \
             endpointslice_port=9000 endpointslice_port_app_protocol=http \
             endpointslice_port_name=testport endpointslice_port_protocol=TCP namespace=default \
             pod_container_image=c1:latest pod_container_init=false pod_container_name=c1 \
             pod_container_port_name=mainport pod_container_port_number=9000 \
             pod_container_port_protocol=TCP pod_ip=1.2.3.4 pod_name=testpod \
             pod_node_name=foobar pod_ready=unknown pod_uid=deadbeef",
        ]
    );
}

/// Beyond upstream, which would not notice: the slice is there first.
#[test]
fn es2_slice_before_its_pod() {
    let right = cluster().with(testpod()).with(slice_of_testpod());
    let mut late = cluster().with(slice_of_testpod());
    late.apply(testpod());
    assert_eq!(late.targets(&query()), right.targets(&query()));
}

#[test]
fn es3_slice_deleted() {
    let mut cluster = cluster().with(base());
    cluster.delete::<EndpointSlice>("default", "testendpoints");
    assert_eq!(cluster.targets(&query()), []);
}

#[test]
fn es4_slice_updated() {
    let mut cluster = cluster().with(base());
    cluster.apply(plain().endpoint(e1()).endpoint(e2()));
    assert_eq!(
        lines(
            &cluster.targets(&query()),
            &["endpointslice_label", "endpointslice_annotation", "endpointslice_name"]
        ),
        [
            "1.2.3.4:9000 endpointslice_name=testendpoints",
            "2.3.4.5:9000 endpointslice_name=testendpoints"
        ]
    );
}

#[test]
fn es5_no_endpoints_left() {
    let mut cluster = cluster().with(base());
    cluster.apply(plain());
    assert_eq!(cluster.targets(&query()), []);
}

const ALL_FOUR: [&str; 4] = ["1.2.3.4:9000", "2.3.4.5:9000", "3.4.5.6:9000", "4.5.6.7:9000"];

#[test]
fn es6_service_added() {
    endpoint_roles::service_added(base(), &query(), ALL_FOUR);
}

#[test]
fn es7_service_labels_changed() {
    endpoint_roles::service_labels_changed(base(), &query(), ALL_FOUR);
}

#[test]
fn es8_attached_node() {
    let (cluster, query) = with_nodes(base(), query());
    assert_eq!(
        lines(&cluster.targets(&query), &["node_"]),
        [
            "1.2.3.4:9000 node_label_az=us-east1 node_name=foobar",
            "2.3.4.5:9000",
            "3.4.5.6:9000",
            "4.5.6.7:9000 node_label_az=us-west2 node_name=barbaz",
        ]
    );
}

#[test]
fn es9_attached_node_changed() {
    endpoint_roles::attached_node_changed(base(), query());
}

#[test]
fn es10_two_namespaces() {
    let pod = testpod().in_namespace("ns2");
    let endpoint = endpoint("4.3.2.1").refers_to("Pod", "ns2", "testpod");
    let cluster = cluster()
        .with(base().in_namespace("ns1"))
        .with(testservice().in_namespace("ns1"))
        .with(pod)
        .with(plain().in_namespace("ns2").endpoint(endpoint))
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
fn es11_own_namespace() {
    let cluster =
        cluster().with(base().in_namespace("own-ns")).with(base().in_namespace("non-own-ns"));
    let namespaces = ["own-ns"].map(str::to_owned).into();
    let targets = cluster.targets(&Query { namespaces, ..query() });
    assert_eq!(lines(&targets, &["namespace"]), each(ALL_FOUR, "namespace=own-ns"));
}

#[test]
fn es14_init_containers() {
    let pod = pod("testpod")
        .on("foobar")
        .ip("4.3.2.1")
        .container("c1")
        .port("mainport", 9000)
        .init_container("ic1")
        .port("initport", 1111)
        .init_container("ic2")
        .port("initport", 9111);
    let slice = slice("testsidecar")
        .port("testport", 9000)
        .port("initport", 9111)
        .endpoint(endpoint("4.3.2.1").refers_to("Pod", "default", "testpod"));
    let targets = cluster().with(pod).with(slice).targets(&query());
    assert_eq!(
        lines(&targets, &["pod_container_init", "pod_container_name", "endpointslice_port_name"]),
        [
            "4.3.2.1:1111 pod_container_init=true pod_container_name=ic1",
            "4.3.2.1:9000 endpointslice_port_name=testport pod_container_init=false pod_container_name=c1",
            "4.3.2.1:9111 endpointslice_port_name=initport pod_container_init=true pod_container_name=ic2",
        ]
    );
}

fn with_namespace() -> (Cluster, Query) {
    let cluster = cluster().with(base()).with(testservice()).with(
        namespace("default")
            .label("environment", "development")
            .label("team", "backend")
            .annotation("owner", "platform")
            .annotation("version", "v1"),
    );
    let attach = Attach { namespace: true, ..Attach::default() };
    (cluster, Query { attach, ..query() })
}

#[test]
fn es15_attached_namespace() {
    let (cluster, query) = with_namespace();
    assert_eq!(
        lines(&cluster.targets(&query), &["namespace_"]),
        each(
            ALL_FOUR,
            "namespace_annotation_owner=platform namespace_annotation_version=v1 \
             namespace_label_environment=development namespace_label_team=backend"
        )
    );
}

#[test]
fn es16_attached_namespace_changed() {
    let (mut cluster, query) = with_namespace();
    cluster.apply(
        namespace("default")
            .label("environment", "staging")
            .label("team", "backend")
            .label("region", "us-west")
            .annotation("owner", "platform")
            .annotation("version", "v2")
            .annotation("cost-center", "1"),
    );
    assert_eq!(
        lines(&cluster.targets(&query), &["namespace_"]),
        each(
            ALL_FOUR,
            "namespace_annotation_cost_center=1 namespace_annotation_owner=platform \
             namespace_annotation_version=v2 namespace_label_environment=staging \
             namespace_label_region=us-west namespace_label_team=backend"
        )
    );
}

fn served_of_dual_stack(policy: &str, families: &[&str]) -> Vec<String> {
    let cluster = cluster()
        .with(service("testendpoints").families(policy, families))
        .with(
            slice("v4")
                .of_service("testendpoints")
                .port("testport", 9000)
                .endpoint(endpoint("1.2.3.4").on("foobar")),
        )
        .with(
            slice("v6")
                .of_service("testendpoints")
                .family("IPv6")
                .port("testport", 9000)
                .endpoint(endpoint("fd00::1").on("foobar")),
        );
    lines(&cluster.targets(&query()), &["endpointslice_name"])
}

const V4: &str = "1.2.3.4:9000 endpointslice_name=v4";
const V6: &str = "[fd00::1]:9000 endpointslice_name=v6";

#[test]
fn es17_prefer_dual_stack() {
    assert_eq!(served_of_dual_stack("PreferDualStack", &["IPv4", "IPv6"]), [V4]);
}

#[test]
fn es18_require_dual_stack() {
    assert_eq!(served_of_dual_stack("RequireDualStack", &["IPv4", "IPv6"]), [V4]);
}

/// The control plane makes no slice of the other family then; one made by hand is kept.
#[test]
fn es19_es20_single_stack() {
    assert_eq!(served_of_dual_stack("SingleStack", &["IPv4"]), [V4, V6]);
    assert_eq!(served_of_dual_stack("SingleStack", &["IPv6"]), [V4, V6]);
}

#[test]
fn es21_ipv6_first() {
    assert_eq!(served_of_dual_stack("PreferDualStack", &["IPv6", "IPv4"]), [V6]);
}
