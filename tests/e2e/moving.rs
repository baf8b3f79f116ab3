//! Random changes of a cluster, round by round. After each the controllers come to rest, and what the
//! sidecars have by following events must be what a Prometheus that starts now discovers.

#![expect(clippy::print_stderr, reason = "the seed, and what was compared")]

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::differential::{Sidecars, compare, config, create_nodes, profile_of, quiesce, seed};
use super::random_cluster::{NODES, app, cluster, pod, slice_by_hand};
use super::support::prometheus::Prometheus;
use fastrand::Rng;
use nodelocal_sd::kube::Source;
use serde_json::{Value, json};

const NAMESPACE: &str = "moving";
const ROUNDS: usize = 8;
const CHANGES: usize = 40;

pub(crate) fn random_changes(plane: &ControlPlane) {
    let seed = seed();
    eprintln!("SEED={seed}");
    block_on(async {
        let api = Api::of(plane).await;
        let mut rng = Rng::with_seed(seed);
        create_nodes(&api).await;
        for object in cluster(NAMESPACE, &mut rng) {
            api.create(object).await;
        }
        for object in anchors() {
            api.create(object).await;
        }
        let source = Source::Kubeconfig { paths: vec![plane.kubeconfig()], context: None };
        let sidecars = Sidecars::start(&source).await;
        let mut compared = 0;
        for _ in 0..ROUNDS {
            for _ in 0..CHANGES {
                change(&api, &mut rng).await;
            }
            quiesce(&api).await;
            let prometheus = Prometheus::start(&config(plane, &[NAMESPACE.to_owned()])).await;
            let profile = profile_of(&prometheus).await;
            compared += compare(&prometheus, profile, &sidecars, NAMESPACE, seed).await;
        }
        eprintln!("{ROUNDS} rounds of {CHANGES} changes, {compared} targets compared");
    });
}

async fn change(api: &Api, rng: &mut Rng) {
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    match rng.u8(0..6) {
        0 => {
            if let Some((name, _)) = any(api, &pods, rng).await {
                api.delete(&format!("{pods}/{name}")).await;
            }
        }
        1 => {
            let number = rng.usize(0..20); // often the name of one that was deleted: rescheduled
            if !names(api, &pods).await.contains(&format!("pod-{number}")) {
                let mut pod = pod(NAMESPACE, number, rng);
                pod["metadata"].as_object_mut().unwrap().remove("finalizers");
                api.create(pod).await;
            }
        }
        2 => {
            if let Some((name, _)) = any(api, &pods, rng).await {
                let patch = json!({"metadata": {"labels": {"app": app(rng), "round": rng.u8(..).to_string()}}});
                api.patch(&format!("{pods}/{name}"), &patch).await;
            }
        }
        3 => {
            if let Some((name, _)) = any(api, &pods, rng).await {
                let ready = if rng.bool() { "True" } else { "False" };
                let patch = json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}});
                api.patch(&format!("{pods}/{name}/status"), &patch).await;
            }
        }
        4 => {
            let services = format!("/api/v1/namespaces/{NAMESPACE}/services");
            if let Some((name, service)) = any(api, &services, rng).await
                && service["spec"]["selector"]["app"].is_string()
            {
                let patch = json!({"metadata": {"labels": {"round": rng.u8(..).to_string()}},
                    "spec": {"selector": {"app": app(rng)}}});
                api.patch(&format!("{services}/{name}"), &patch).await;
            }
        }
        _ => {
            let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices");
            let slice = slice_by_hand(NAMESPACE, rng.usize(0..4), 16, rng);
            let name = slice["metadata"]["name"].as_str().unwrap().to_owned();
            if names(api, &slices).await.contains(&name) {
                api.delete(&format!("{slices}/{name}")).await;
            } else {
                api.create(slice).await;
            }
        }
    }
}

/// A Pod and an endpoint that stay, so that there always is something to discover.
fn anchors() -> [Value; 2] {
    [
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "anchor", "namespace": NAMESPACE},
            "spec": {"nodeName": NODES[0], "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "podIP": "10.220.0.1", "podIPs": [{"ip": "10.220.0.1"}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "anchor", "namespace": NAMESPACE}, "addressType": "IPv4",
            "ports": [{"name": "p", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["198.51.100.200"], "nodeName": NODES[0]}]}),
    ]
}

/// One that is neither an anchor nor about to go.
async fn any(api: &Api, path: &str, rng: &mut Rng) -> Option<(String, Value)> {
    let list = api.get(path).await;
    let may_change = |object: &&Value| {
        object["metadata"]["deletionTimestamp"].is_null() && object["metadata"]["name"] != "anchor"
    };
    let objects: Vec<&Value> =
        list["items"].as_array().unwrap().iter().filter(may_change).collect();
    let object = rng.choice(objects)?;
    Some((object["metadata"]["name"].as_str().unwrap().to_owned(), object.clone()))
}

async fn names(api: &Api, path: &str) -> Vec<String> {
    let list = api.get(path).await;
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}
