//! A cluster in which every Pod has its own trouble.

use crate::support::world::{self, NODE, put};
use nodelocal_sd::simulator::Simulator;
use serde_json::{Value, json};

/// All of it.
pub(super) fn cluster() -> Simulator {
    let simulator = Simulator::new();
    for name in [NODE, "node-b"] {
        put(&simulator, world::node(name));
    }
    for namespace in ["shop", "hand", "bare"] {
        put(
            &simulator,
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        );
    }
    services().into_iter().for_each(|service| put(&simulator, service));
    pods().into_iter().for_each(|pod| put(&simulator, pod));
    slices().into_iter().for_each(|slice| put(&simulator, slice));
    simulator
}

fn services() -> Vec<Value> {
    let named = with(world::service("named"), "/spec/ports/0/targetPort", json!("metrics"));
    let six = with(world::service("six"), "/spec/ipFamilies", json!(["IPv6"]));
    let mut dual = with(world::service("dual"), "/spec/ipFamilies", json!(["IPv6", "IPv4"]));
    dual["spec"]["ipFamilyPolicy"] = "PreferDualStack".into();
    let portless = with(world::service("portless"), "/spec/ports", json!([]));
    let mut hand = with(world::service("hand"), "/metadata/namespace", json!("hand"));
    hand["spec"]["selector"] = Value::Null;
    vec![world::service("web"), named, six, dual, portless, hand]
}

fn pods() -> Vec<Value> {
    let web = |name: &str, number: u8| world::pod(name, NODE, &format!("10.1.0.{number}"));
    let app = |name: &str, number: u8, app: &str| {
        with(web(name, number), "/metadata/labels", json!({"app": app}))
    };
    let phase = |name: &str, number: u8, phase: &str| {
        with(web(name, number), "/status/phase", json!(phase))
    };
    let hand = |name: &str, number: u8| {
        let pod = with(web(name, number), "/metadata/namespace", json!("hand"));
        with(pod, "/metadata/labels", json!({}))
    };
    let mut starting = with(web("starting", 0), "/status", json!({"phase": "Pending"}));
    starting["metadata"]["labels"] = json!({"app": "web"});
    let mut terminating = web("terminating", 14);
    terminating["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let mut unscheduled = with(web("unscheduled", 0), "/status", json!({"phase": "Pending"}));
    unscheduled["spec"]["nodeName"] = Value::Null;
    vec![
        web("web-1", 1),
        app("misspelt", 2, "wbe"),
        with(web("unlabelled", 3), "/metadata/labels", json!({"tier": "front"})),
        phase("failed", 4, "Failed"),
        phase("succeeded", 5, "Succeeded"),
        with(phase("evicted", 0, "Failed"), "/status", json!({"phase": "Failed"})),
        app("named-1", 6, "named"),
        app("six-1", 7, "six"),
        app("dual-1", 8, "dual"),
        app("portless-1", 9, "portless"),
        app("huge-1", 10, "huge"),
        starting,
        terminating,
        unscheduled,
        hand("nameless", 11),
        hand("moved", 12),
        hand("referred", 13),
        with(web("lonely", 15), "/metadata/namespace", json!("bare")),
        world::pod("elsewhere", "node-b", "10.2.0.1"),
    ]
}

/// Written by hand, each with one endpoint.
fn slices() -> Vec<Value> {
    let slice = |name: &str, endpoint: Value| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "hand", "labels": {"kubernetes.io/service-name": "hand"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [endpoint]})
    };
    let pod = |name: &str| json!({"kind": "Pod", "namespace": "hand", "name": name});
    vec![
        slice("hand-nameless", json!({"addresses": ["10.1.0.11"]})),
        slice(
            "hand-moved",
            json!({"addresses": ["10.1.0.12"], "nodeName": "node-b", "targetRef": pod("moved")}),
        ),
        slice("hand-referred", json!({"addresses": ["10.1.0.13"], "targetRef": pod("referred")})),
    ]
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    *object.pointer_mut(pointer).expect("it is there") = value;
    object
}
