//! What upstream's tests of the roles endpointslice and endpoints have in common: the objects around the
//! endpoints, and the cases that differ in nothing but them.

use crate::support::objects::{PodBuilder, WithMetadata, node, pod, service};
use crate::support::show::lines;
use crate::support::sidecar::{Cluster, Told};
use nodelocal_sd::objects::{Node, Pod, Service};
use nodelocal_sd::targets::{Attach, Query};

pub(super) fn cluster() -> Cluster {
    Cluster::of_nodes(&["foobar", "barbaz"])
}

pub(super) fn testservice() -> Service {
    service("testendpoints").label("app/name", "test")
}

pub(super) fn testpod() -> Pod {
    pod("testpod")
        .uid("deadbeef")
        .on("foobar")
        .ip("1.2.3.4")
        .container("c1")
        .port("mainport", 9000)
        .container("c2")
        .port("sideport", 9001)
}

/// Each address with these labels.
pub(super) fn each(addresses: [&str; 4], labels: &str) -> Vec<String> {
    addresses.map(|address| format!("{address} {labels}")).into()
}

pub(super) fn with_nodes(base: impl Told + Clone, query: Query) -> (Cluster, Query) {
    let cluster = cluster()
        .with(base)
        .with(testservice())
        .with(node("foobar").label("az", "us-east1"))
        .with(node("barbaz").label("az", "us-west2"));
    let attach = Attach { node: true, ..Attach::default() };
    (cluster, Query { attach, ..query })
}

pub(super) fn service_added(base: impl Told + Clone, query: &Query, addresses: [&str; 4]) {
    let mut cluster = cluster().with(base);
    cluster.apply(testservice());
    assert_eq!(
        lines(&cluster.targets(query), &["service_"]),
        each(addresses, "service_label_app_name=test service_name=testendpoints")
    );
}

pub(super) fn service_labels_changed(base: impl Told + Clone, query: &Query, addresses: [&str; 4]) {
    let mut cluster = cluster().with(base).with(testservice());
    cluster.apply(service("testendpoints").label("app/name", "svc").label("component", "testing"));
    let changed =
        "service_label_app_name=svc service_label_component=testing service_name=testendpoints";
    assert_eq!(lines(&cluster.targets(query), &["service_"]), each(addresses, changed));
    cluster.delete::<Service>("default", "testendpoints");
    assert_eq!(lines(&cluster.targets(query), &["service_"]), addresses);
}

/// Upstream stays with the old value here.
pub(super) fn attached_node_changed(base: impl Told + Clone, query: Query) {
    let (mut cluster, query) = with_nodes(base, query);
    cluster.apply(node("foobar").label("az", "us-central1"));
    assert_eq!(
        lines(&cluster.targets(&query), &["node_"])[0],
        "1.2.3.4:9000 node_label_az=us-central1 node_name=foobar"
    );
    cluster.delete::<Node>("", "foobar");
    assert_eq!(lines(&cluster.targets(&query), &["node_"])[0], "1.2.3.4:9000");
}
