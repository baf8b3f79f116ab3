//! Each reason that a query can have, on one node.

use super::cluster::cluster;
use super::{Row, judge};
use crate::commands::run;
use crate::support::asked::first;
use crate::support::served::{Served, plain};
use crate::support::world::NODE;
use nodelocal_sd::explain::Verdict::{NotTarget, Target};
use nodelocal_sd::index::{EndpointsFrom, PodSelector, Snapshot};
use nodelocal_sd::selector::LabelSelector;
use nodelocal_sd::simulator;
use std::future::pending;
use tokio::net::TcpListener;

const ROWS: [Row; 43] = [
    // Of anything.
    ("pod=shop/web-1", Target, "the Pod is on node node-a", "in phase Running, at 10.1.0.1"),
    ("pod=shop/web-1", Target, "a Service or a slice has an endpoint", "Service shop/web"),
    ("pod=shop/misspelt", Target, "has an address", "10.1.0.2"), // role pod has it
    ("pod=shop/elsewhere", NotTarget, "the Pod is on node node-a", "the Pod is on node node-b"),
    ("pod=shop/nope", NotTarget, "the Pod is on node node-a", "there is no such Pod"),
    ("pod=shop/unscheduled", NotTarget, "is on node node-a", "the scheduler has not found one"),
    (
        "pod=shop/huge-1",
        NotTarget,
        "leave the Pod to the complement",
        "--exclude=shop/app=huge selects the Pod",
    ),
    (
        "pod=shop/starting",
        NotTarget,
        "has an address",
        "the Pod has no address yet; its phase is Pending",
    ),
    // Role pod.
    (
        "pod=shop/evicted&role=pod",
        NotTarget,
        "has an address",
        "the Pod's phase is Failed and it has no address",
    ),
    ("pod=shop/failed&role=pod", Target, "any phase", "role pod keeps a Pod that has ended"),
    ("pod=shop/succeeded&role=pod", Target, "any phase", "phase is Succeeded"),
    (
        "pod=shop/web-1&role=pod&namespace=hand",
        NotTarget,
        "namespace",
        "the query asks for namespace hand, and not for shop",
    ),
    (
        "pod=shop/web-1&role=pod&namespace=hand&namespace=shop",
        Target,
        "namespace",
        "the query asks for namespace shop",
    ),
    (
        "pod=shop/web-1&role=pod&selector.pod.label=app=db,tier",
        NotTarget,
        "selector.pod selects the Pod",
        "the Pod does not meet app=db (it has app=web), tier (it has no label tier)",
    ),
    (
        "pod=shop/web-1&role=pod&selector.pod.field=status.phase=Failed",
        NotTarget,
        "selector.pod selects the Pod",
        "status.phase=Failed (its status.phase is Running)",
    ),
    (
        "pod=shop/web-1&role=pod&selector.pod.label=app=web",
        Target,
        "selector.pod",
        "the Pod has all",
    ),
    (
        "pod=shop/web-1&role=pod&attach=node&selector.node.label=zone=z2",
        NotTarget,
        "Node is there to be attached",
        "selector.node hides Node node-a: it does not meet zone=z2 (it has zone=z1)",
    ),
    (
        "pod=shop/web-1&role=pod&attach=node&selector.node.label=zone=z2&compat=3.5",
        Target,
        "Node is there to be attached",
        "the target stays, without labels of the Node",
    ),
    (
        "pod=shop/web-1&role=pod&port=metrics",
        NotTarget,
        "port= names a port",
        "declare http (8080/TCP)",
    ),
    ("pod=shop/web-1&role=pod&port=http", Target, "port= names a port", "port=http leaves 1 of 1"),
    // The roles of endpoints.
    (
        "pod=shop/misspelt&role=endpointslice",
        NotTarget,
        "a Service selects the Pod",
        "Service shop/web comes nearest: it wants app=web, the Pod has app=wbe",
    ),
    (
        "pod=shop/unlabelled&role=endpoints",
        NotTarget,
        "a Service selects",
        "the Pod has no label app",
    ),
    (
        "pod=bare/lonely&role=endpointslice",
        NotTarget,
        "a Service selects",
        "bare has no Service with a selector",
    ),
    (
        "pod=shop/failed&role=endpointslice",
        NotTarget,
        "has not ended",
        "leave out Pods that have ended",
    ),
    (
        "pod=shop/succeeded&role=endpoints",
        NotTarget,
        "has not ended",
        "the Pod's phase is Succeeded",
    ),
    (
        "pod=shop/starting&role=endpointslice",
        NotTarget,
        "has an address",
        "the Pod has no address yet",
    ),
    (
        "pod=shop/named-1&role=endpointslice",
        NotTarget,
        "a Service has an endpoint of the Pod",
        "wants a container port named metrics (TCP), but the Pod's containers declare http (8080/TCP)",
    ),
    (
        "pod=shop/six-1&role=endpointslice",
        NotTarget,
        "a Service has an endpoint of the Pod",
        "Service shop/six is of IPv6, and the Pod has 10.1.0.7 only",
    ),
    (
        "pod=shop/portless-1&role=endpoints",
        NotTarget,
        "a Service has an endpoint",
        "shop/portless has no ports",
    ),
    (
        "pod=shop/terminating&role=endpointslice",
        Target,
        "the Pod is on",
        "phase Running, terminating",
    ),
    (
        "pod=shop/terminating&role=endpoints",
        NotTarget,
        "a Service has an endpoint",
        "leave out Pods that are terminating",
    ),
    (
        "pod=shop/dual-1&role=endpointslice",
        NotTarget,
        "address family",
        "secondary family of a dual-stack Service",
    ),
    (
        "pod=shop/dual-1&role=endpointslice&compat=3.5",
        Target,
        "a Service or a slice",
        "Service shop/dual",
    ),
    (
        "pod=shop/web-1&role=endpoints&service=app=db",
        NotTarget,
        "service= selects",
        "shop/web does not meet app=db (it has app=web)",
    ),
    (
        "pod=shop/web-1&role=endpointslice&service=app=web&selector.service.label=x",
        NotTarget,
        "service= selects",
        "Service shop/web is hidden: it does not meet x (it has no label x)",
    ),
    (
        "pod=shop/web-1&role=endpointslice&selector.service.label=x",
        Target,
        "hides labels of Services",
        "is hidden",
    ),
    (
        "pod=shop/web-1&role=endpointslice&selector.pod.label=x",
        Target,
        "selector.pod hides labels of Pods, and no target",
        "its target stays, without labels of the Pod",
    ),
    (
        "pod=shop/web-1&role=endpointslice&selector.endpointslice.label=x",
        NotTarget,
        "selector.endpointslice selects what has the Pod",
        "the slice of Service shop/web does not meet x (it has no label x)",
    ),
    (
        "pod=shop/web-1&role=endpoints&selector.endpoints.field=metadata.name=db",
        NotTarget,
        "selector.endpoints selects what has the Pod",
        "Endpoints shop/web does not meet metadata.name=db (its metadata.name is web)",
    ),
    (
        "pod=shop/web-1&role=endpointslice&port=metrics",
        NotTarget,
        "port= names one",
        "the Pod's ports of Services are named http",
    ),
    // Slices of others.
    (
        "pod=hand/nameless&role=endpointslice",
        NotTarget,
        "belongs to this node",
        "hand/hand-nameless has 10.1.0.11:8080, but names no node",
    ),
    (
        "pod=hand/moved&role=endpointslice",
        NotTarget,
        "gives targets of it here",
        "EndpointSlice hand/hand-moved says that the Pod is on node node-b",
    ),
    (
        "pod=hand/referred&role=endpointslice&selector.pod.label=x",
        NotTarget,
        "selector.pod hides",
        "names no node: without the Pod nobody can tell whose it is",
    ),
];

fn excluding() -> Snapshot {
    let labels = LabelSelector::parse("app=huge").unwrap();
    let huge = PodSelector { namespace: "shop".into(), labels };
    Snapshot::of(NODE, EndpointsFrom::default(), [huge].into_iter().collect())
}

/// A sidecar that begins so, and its cluster.
async fn served(first: Snapshot) -> Served {
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = plain(&format!("http://{}", api.local_addr().unwrap()));
    tokio::spawn(simulator::serve(cluster(), api, pending()));
    Served::after(first, None, &source).await
}

#[tokio::test]
async fn each_is_found_at_each_door() {
    let served = served(excluding()).await;
    for row in ROWS {
        judge(&served.url, row).await;
    }
}

#[tokio::test]
async fn where_slices_are_read_the_controllers_may_be_late() {
    let served = served(first(NODE, EndpointsFrom::Slices)).await;
    let late = "the endpoint controllers have not written one";
    for row in [
        ("pod=shop/web-1&role=endpointslice", NotTarget, "a Service has an endpoint", late),
        ("pod=shop/web-1&role=endpoints", NotTarget, "a Service has an endpoint", late),
        (
            "pod=hand/referred&role=endpointslice&selector.endpointslice.field=metadata.name=x",
            NotTarget,
            "selector.endpointslice selects what has the Pod",
            "EndpointSlice hand/hand-referred does not meet metadata.name=x (its metadata.name is hand-referred)",
        ),
    ] {
        judge(&served.url, row).await;
    }
}

#[tokio::test]
async fn the_api_server_is_asked_straight() {
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", api.local_addr().unwrap());
    tokio::spawn(simulator::serve(cluster(), api, pending()));
    let (_folder, file) = crate::commands::kubeconfig(&url);
    let ask = async |pod: &str, more: &[&str]| {
        let at = ["--node-name", NODE, "--kubeconfig", &file, "--log-level", "off"];
        run(&[&["explain", pod][..], &at, more].concat()).await
    };
    let (code, text, _) = ask("shop/web-1", &[]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("target 10.1.0.1:8080: port http of Service shop/web"), "{text}");
    let (code, text, _) = ask("shop/misspelt", &["--query", "endpointslice"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("it wants app=web, the Pod has app=wbe"), "{text}");
    let (code, text, _) = ask("shop/elsewhere", &[]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the Pod is on node node-b"), "{text}");
}

#[tokio::test]
async fn wrong_usage_and_what_cannot_be_found_out_have_codes_of_their_own() {
    let served = served(excluding()).await;
    let old = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", old.local_addr().unwrap());
    drop(old);
    for (arguments, code, expected) in [
        (&["explain", "web-1"][..], 2, "is not NAMESPACE/POD"),
        (&["explain", "a/b", "--query", "service"], 2, "not local to a node"),
        (&["explain", "a/b", "--query", "node"], 2, "role node discovers the Node"),
        (&["explain", "a/b", "--query", "pod?nodes=1"], 2, "unknown parameter"),
        (&["explain", "a/b", "--query", "pod", "--job", "x"], 2, "cannot be used with"),
        (&["explain", "a/b", "--job", "x", "--node-name", "n"], 2, "cannot be used with"),
        (&["explain", "a/b", "--url", "no url"], 2, "--url"),
        (&["explain", "a/b", "--url", "127.0.0.1:9911"], 2, "add http://"),
        (&["explain", "a/b", "--kubeconfig", "f"], 2, "add --node-name NODE"),
        (&["explain", "a/b", "--context", "c"], 2, "add --node-name NODE"),
        (&["explain", "a/b", "--job", "x", "--url", &served.url], 2, "follows no configuration"),
        // What only the sidecar knows: here slices have no names.
        (
            &[
                "explain",
                "a/b",
                "--url",
                &served.url,
                "--query",
                "endpointslice?selector.endpointslice.field=metadata.name=x",
            ],
            2,
            "slices are derived",
        ),
        (&["explain", "a/b", "--url", &nobody], 3, "is the sidecar running there?"),
    ] {
        let (ended, out, err) = run(arguments).await;
        assert_eq!((ended, &*out), (code, ""), "{arguments:?}: {err}");
        assert!(err.contains(expected) && err.lines().count() == 1, "{arguments:?}: {err}");
    }
}
