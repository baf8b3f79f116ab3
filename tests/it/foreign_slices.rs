//! Which slices are watched where endpoints are derived, and what becomes of their targets, in
//! virtual time.

use crate::support::asked::{Answer, Asked};
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::index::{Deriving, EndpointsFrom, ForeignSlices};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::objects::{Reach, Resource};
use nodelocal_sd::simulator::{On, Simulator};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

fn start(simulator: &Simulator, foreign_slices: ForeignSlices) -> Asked {
    let deriving = Deriving { foreign_slices, ..Deriving::default() };
    Asked::start_from(EndpointsFrom::Pods(deriving), simulator, NODE, Timing::alone())
}

async fn ask(asked: &Asked) -> Answer {
    asked.ask("endpointslice", PATIENCE).await.expect("an answer")
}

/// Asks as a Prometheus does, for so long.
async fn keep_asking(asked: &Asked, time: Duration) {
    for _ in 0..time.as_secs() / 60 {
        ask(asked).await;
        sleep(MINUTE).await;
    }
}

/// A Service without a selector, and a slice for it that somebody made by hand, with an endpoint on
/// the node.
fn put_hand_made(simulator: &Simulator, namespace: &str) {
    world::put(simulator, bare_service(namespace, "by-hand"));
    world::put(simulator, hand_made_slice(namespace));
}

fn bare_service(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"name": "http", "port": 80}]}})
}

fn hand_made_slice(namespace: &str) -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "by-hand", "namespace": namespace,
            "labels": {"kubernetes.io/service-name": "by-hand"}},
        "addressType": "IPv4", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address_in(namespace)], "nodeName": NODE}]})
}

/// An address that tells the namespace.
fn address_in(namespace: &str) -> String {
    let number = namespace.bytes().fold(0, u8::wrapping_add);
    format!("192.0.2.{number}")
}

fn has_target_in(answer: &Answer, namespace: &str) -> bool {
    let address = format!("\"{}:80\"", address_in(namespace));
    answer.targets().iter().any(|target| target.contains(&address))
}

/// Where slices are watched now, as the requests of all watches that are open say.
fn watched(simulator: &Simulator, asked: &Asked) -> Vec<String> {
    let open: BTreeSet<Reach> = asked
        .board()
        .entries()
        .into_iter()
        .filter(|(resource, ..)| *resource == Resource::EndpointSlices)
        .filter(|(.., entry)| !entry.view().resource_version.is_empty())
        .map(|(_, reach, _)| reach)
        .collect();
    let own = 3; // Pods, the Node, Services
    assert_eq!(simulator.open_watches(), own + open.len(), "{open:?}");
    open.iter().map(|reach| reach.namespace().unwrap_or("*").to_owned()).collect()
}

/// The paths at which slices were asked for, without repetition.
fn asked_at(simulator: &Simulator) -> BTreeSet<String> {
    let slices = simulator.requests().into_iter().filter(|r| r.resource == "endpointslices");
    slices
        .map(|request| {
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let selector = form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == "labelSelector")
                .map(|(_, value)| value.into_owned());
            format!("{path}?{}", selector.unwrap_or_default())
        })
        .collect()
}

const NOT_DERIVED: &str = "endpointslice.kubernetes.io/managed-by notin \
     (endpointslice-controller.k8s.io,prometheus-operator)";

#[tokio::test(start_paused = true)]
async fn without_services_that_need_one_there_is_no_watch() {
    let simulator = world::cluster();
    let mut api_server = bare_service("default", "kubernetes");
    api_server["spec"]["clusterIP"] = "10.96.0.1".into();
    world::put(&simulator, api_server);
    let asked = start(&simulator, ForeignSlices::Auto);
    assert_eq!(ask(&asked).await.targets().len(), PODS);
    sleep(MOMENT).await;
    assert_eq!(watched(&simulator, &asked), [""; 0]);
    assert_eq!(asked_at(&simulator), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn one_watch_for_each_namespace_that_needs_one() {
    let simulator = world::cluster();
    put_hand_made(&simulator, "shop");
    let asked = start(&simulator, ForeignSlices::Auto);
    let answer = ask(&asked).await;
    assert_eq!(answer.targets().len(), PODS + 1, "the first answer waits for it");
    assert!(has_target_in(&answer, "shop"));
    let path = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
    assert_eq!(asked_at(&simulator), [format!("{path}?{NOT_DERIVED}")].into());

    put_hand_made(&simulator, "other");
    sleep(MOMENT).await;
    assert_eq!(watched(&simulator, &asked), ["other", "shop"]);
    let answer = ask(&asked).await;
    assert!(has_target_in(&answer, "other") && has_target_in(&answer, "shop"));

    world::put(&simulator, {
        let mut slice = hand_made_slice("other");
        slice["endpoints"] = json!([]);
        slice
    });
    sleep(MOMENT).await;
    let answer = ask(&asked).await;
    assert!(!has_target_in(&answer, "other") && has_target_in(&answer, "shop"));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_needs_none_any_more_is_left_alone_after_a_while() {
    let simulator = world::cluster();
    put_hand_made(&simulator, "shop");
    let asked = start(&simulator, ForeignSlices::Auto);
    ask(&asked).await;
    simulator.delete("Service", "shop", "by-hand");
    keep_asking(&asked, 14 * MINUTE).await;
    assert_eq!(watched(&simulator, &asked), ["shop"]);
    // No node sees it any more, whenever its watch is closed: the complement must know whose it is.
    assert!(!has_target_in(&ask(&asked).await, "shop"));
    keep_asking(&asked, 2 * MINUTE).await;
    assert_eq!(watched(&simulator, &asked), [""; 0]);
    assert_eq!(ask(&asked).await.targets().len(), PODS);
}

#[tokio::test(start_paused = true)]
async fn above_three_namespaces_there_is_one_watch_for_all() {
    let simulator = world::cluster();
    let namespaces = ["a", "b", "c"];
    namespaces.iter().for_each(|name| put_hand_made(&simulator, name));
    let asked = start(&simulator, ForeignSlices::Auto);
    let before = ask(&asked).await;
    sleep(MOMENT).await;
    assert_eq!(watched(&simulator, &asked), namespaces);

    // While the new watch cannot list, what the old ones told stays.
    let rule = simulator.fault(On::list("endpointslices").status(503));
    put_hand_made(&simulator, "d");
    sleep(MINUTE).await;
    let during = ask(&asked).await;
    assert!(during == before, "targets of derived and of foreign slices");
    simulator.remove_fault(rule);
    sleep(MINUTE).await;
    assert_eq!(watched(&simulator, &asked), ["*"]);
    let after = ask(&asked).await;
    for name in ["a", "b", "c", "d"] {
        assert!(has_target_in(&after, name), "{name}");
    }
    let cluster_wide = format!("/apis/discovery.k8s.io/v1/endpointslices?{NOT_DERIVED}");
    assert!(asked_at(&simulator).contains(&cluster_wide));

    // And back, once there have been three or fewer for a while.
    simulator.delete("Service", "d", "by-hand");
    simulator.delete("EndpointSlice", "c", "by-hand");
    keep_asking(&asked, 17 * MINUTE).await;
    assert_eq!(watched(&simulator, &asked), namespaces);
    let back = ask(&asked).await;
    let has = ["a", "b", "c", "d"].map(|name| has_target_in(&back, name));
    assert_eq!(has, [true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn all_and_off() {
    for (which, open, targets) in
        [(ForeignSlices::All, &["*"][..], PODS + 1), (ForeignSlices::Off, &[], PODS)]
    {
        let simulator = world::cluster();
        // Beside a Service with a selector: what `auto` does not look for.
        world::put(&simulator, hand_made_slice("shop"));
        let asked = start(&simulator, which);
        assert_eq!(ask(&asked).await.targets().len(), targets, "{which:?}");
        sleep(MOMENT).await;
        assert_eq!(watched(&simulator, &asked), open, "{which:?}");
    }
}

/// The kubelet Service of prometheus-operator: derived from the own Node, even where its Endpoints
/// are mirrored into slices that are watched.
#[tokio::test(start_paused = true)]
async fn the_kubelets_are_not_watched() {
    let simulator = world::cluster();
    world::put(
        &simulator,
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kubelet", "namespace": "kube-system", "labels": {
                "k8s-app": "kubelet", "app.kubernetes.io/managed-by": "prometheus-operator"}},
            "spec": {"clusterIP": "None", "ipFamilies": ["IPv4"],
                "ports": [{"name": "https-metrics", "port": 10250}]}}),
    );
    let slice = |name: &str, author: &str, address: &str| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "kube-system", "labels": {
                "kubernetes.io/service-name": "kubelet",
                "endpointslice.kubernetes.io/managed-by": author}},
            "addressType": "IPv4", "ports": [{"name": "https-metrics", "port": 10250}],
            "endpoints": [{"addresses": [address], "nodeName": NODE,
                "targetRef": {"kind": "Node", "name": NODE}}]})
    };
    world::put(&simulator, slice("kubelet-a", "prometheus-operator", "10.0.0.1"));
    let mirrored = "endpointslicemirroring-controller.k8s.io";
    world::put(&simulator, slice("kubelet-b", mirrored, "10.0.0.1"));
    for (which, open) in [(ForeignSlices::Auto, &[][..]), (ForeignSlices::All, &["*"])] {
        let asked = start(&simulator, which);
        let answer = asked.ask("endpointslice?namespace=kube-system", PATIENCE).await.unwrap();
        let targets: Vec<String> = answer.targets().into_iter().collect();
        assert_eq!(targets.len(), 1, "{targets:?}");
        assert!(targets[0].contains("\"10.0.0.1:10250\""), "{targets:?}");
        sleep(MOMENT).await;
        assert_eq!(watched(&simulator, &asked), open, "{which:?}");
        drop(asked);
        sleep(MOMENT).await; // its watches close
    }
}

/// Nothing is served before it is known how the controller resolves ports.
#[tokio::test(start_paused = true)]
async fn the_version_is_asked_for_once_an_hour() {
    let simulator = world::cluster();
    let versions = || simulator.count_requests(|request| request.target == "/version");
    let rule = simulator.fault(On::resource("").status(503));
    let asked = start(&simulator, ForeignSlices::Auto);
    let reason = asked.ask("endpointslice", PATIENCE).await.map(drop).expect_err("not yet");
    assert!(reason.contains("get /version: HTTP 503"), "{reason}");
    simulator.remove_fault(rule);
    sleep(MINUTE).await;
    keep_asking(&asked, 5 * MINUTE).await;
    let asked_for = versions();
    keep_asking(&asked, 5 * MINUTE).await;
    assert_eq!(versions(), asked_for);
    keep_asking(&asked, 120 * MINUTE).await;
    assert_eq!(versions(), asked_for + 2);
}

/// If it cannot be found out, the newest is assumed.
#[tokio::test(start_paused = true)]
async fn who_may_not_read_the_version_gets_an_answer() {
    let simulator = world::cluster();
    simulator.fault(On::resource("").status(403));
    let asked = start(&simulator, ForeignSlices::Auto);
    assert_eq!(ask(&asked).await.targets().len(), PODS);
}
