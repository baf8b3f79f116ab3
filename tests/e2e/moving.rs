//! Random changes of clusters, round by round. After each the controllers come to rest, and what the
//! sidecars have by following events must be what a Prometheus that starts now discovers.

#![expect(clippy::print_stderr, reason = "what was compared")]

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::differential::{create_all, create_nodes, how_many, quiesce, seed, smallest};
use super::jobs::{EVERYTHING, whole};
use super::oracle::{ALL_NODES, DERIVED, Fleet, Oracle, discovered};
use super::random_cluster::{NODES, app, cluster, pod, slice_by_hand};
use super::support::http::{eventually, get};
use super::support::prometheus::{Discovered, binaries};
use fastrand::Rng;
use nodelocal_sd::index::EndpointsFrom;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Each with its namespaces and rounds of its own; they wait for Prometheus at different times.
const MOVERS: usize = 4;
const NAMESPACES: usize = 3;
const ROUNDS: usize = 10;
/// In each namespace in each round.
const CHANGES: usize = 84;
/// So many targets must be compared in each round.
const TARGETS: usize = 100;

pub(crate) fn random_changes(plane: &ControlPlane) {
    let seed = seed();
    block_on(async {
        let api = Api::of(plane).await;
        create_nodes(&api).await;
        let fleet = Fleet::of_both_modes(&plane.kubeconfig()).await;
        let rounds = how_many("ROUNDS", ROUNDS);
        let movers = (0..MOVERS).map(|number| moves(plane, &api, &fleet, seed, number, rounds));
        let compared: usize = futures_util::future::join_all(movers).await.into_iter().sum();
        assert!(compared >= TARGETS * MOVERS * rounds, "{compared} targets are too few");
        eprintln!(
            "{} rounds, {} changes, {compared} targets compared",
            MOVERS * rounds,
            MOVERS * rounds * NAMESPACES * CHANGES
        );
    });
}

/// One mover; how many targets were compared.
async fn moves(
    plane: &ControlPlane,
    api: &Api,
    fleet: &Fleet,
    seed: u64,
    number: usize,
    rounds: usize,
) -> usize {
    let namespaces: Vec<String> =
        (0..NAMESPACES).map(|namespace| format!("moving-{number}-{namespace}")).collect();
    let mut rngs: Vec<Rng> =
        namespaces.iter().map(|name| Rng::with_seed(seed ^ hash(name))).collect();
    let clusters: Vec<Vec<Value>> = namespaces
        .iter()
        .zip(&mut rngs)
        .map(|(namespace, rng)| {
            let mut objects = cluster(namespace, namespace, rng);
            objects.extend(anchors(namespace));
            objects
        })
        .collect();
    create_all(api, &clusters).await;
    let binaries = binaries();
    let newest = binaries.last().expect("one is named");
    let mut compared = 0;
    for round in 0..rounds {
        let each = namespaces.iter().zip(&mut rngs);
        let changes = each.map(|(namespace, rng)| changes(api, namespace, rng));
        futures_util::future::join_all(changes).await;
        for namespace in &namespaces {
            sync_services(api, namespace, &format!("{round}")).await;
        }
        quiesce(api, |namespace| namespaces.iter().any(|own| own == namespace)).await;
        let oracle =
            Oracle::start(newest, &plane.kubeconfig(), |profile| whole(&namespaces, profile)).await;
        match oracle.agree(fleet).await {
            Ok(found) => compared += found.values().map(Vec::len).sum::<usize>(),
            Err(differences) => {
                let (job, difference) = &differences[0];
                let namespace = &namespaces[job / EVERYTHING.len()];
                eprintln!("SEED={seed} {namespace}, round {round}: {difference}");
                let now = state_of(api, namespace).await;
                let small = smallest(plane, api, fleet, newest, &now).await;
                let small = small.map_or_else(
                    || {
                        "at rest the same objects give no difference: it lies in the changes"
                            .to_owned()
                    },
                    |objects| objects.iter().map(|object| format!("{object}\n")).collect(),
                );
                panic!("SEED={seed} {namespace}, round {round}: {difference}\n{small}");
            }
        }
    }
    compared
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0, |hash, byte| hash * 31 + u64::from(byte))
}

async fn changes(api: &Api, namespace: &str, rng: &mut Rng) {
    for _ in 0..CHANGES {
        change(api, namespace, rng).await;
    }
}

pub(crate) async fn change(api: &Api, namespace: &str, rng: &mut Rng) {
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let services = format!("/api/v1/namespaces/{namespace}/services");
    match rng.u8(0..8) {
        0 => {
            if let Some((name, _)) = any(api, &pods, rng).await {
                api.delete(&format!("{pods}/{name}")).await;
            }
        }
        1 | 2 => {
            let number = rng.usize(0..20); // often the name of one that was deleted: rescheduled
            if !names(api, &pods).await.contains(&format!("pod-{number}")) {
                let mut pod = pod(namespace, number, rng);
                pod["metadata"].as_object_mut().unwrap().remove("finalizers");
                api.create(pod).await;
            }
        }
        3 => {
            if let Some((name, _)) = any(api, &pods, rng).await {
                let patch = json!({"metadata": {"labels": {"app": app(rng), "round": rng.u8(..).to_string()}}});
                api.patch(&format!("{pods}/{name}"), &patch).await;
            }
        }
        4 => {
            if let Some((name, _)) = any(api, &pods, rng).await {
                let ready = if rng.bool() { "True" } else { "False" };
                let patch = json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}});
                api.patch(&format!("{pods}/{name}/status"), &patch).await;
            }
        }
        5 => {
            if let Some((name, service)) = any(api, &services, rng).await
                && service["spec"]["selector"]["app"].is_string()
            {
                let patch = json!({"metadata": {"labels": {"changed": rng.u8(..).to_string()}},
                    "spec": {"selector": {"app": app(rng)}}});
                api.patch(&format!("{services}/{name}"), &patch).await;
            }
        }
        6 => {
            if let Some((name, service)) = any(api, &services, rng).await
                && let Some(mut ports) = service["spec"]["ports"].as_array().cloned()
            {
                let port = rng.choice(&mut ports).expect("a Service without ports has no list");
                port["targetPort"] = [json!("http"), json!("metrics"), json!(8080 + rng.u16(0..3))]
                    [rng.usize(0..3)]
                .clone();
                api.patch(&format!("{services}/{name}"), &json!({"spec": {"ports": ports}})).await;
            }
        }
        _ => {
            let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
            let slice = slice_by_hand(namespace, namespace, rng.usize(0..4), 16, rng);
            let name = slice["metadata"]["name"].as_str().unwrap().to_owned();
            if !names(api, &slices).await.contains(&name) {
                api.create(slice).await;
            } else if rng.bool() {
                api.delete(&format!("{slices}/{name}")).await;
            } else {
                let edited = json!({"endpoints": slice["endpoints"], "ports": slice["ports"]});
                api.patch(&format!("{slices}/{name}"), &edited).await;
            }
        }
    }
}

/// Lets the controllers look at each Service once more, because they do not follow every change of a
/// Pod, and waits until they have: they copy the label to what they write.
pub(crate) async fn sync_services(api: &Api, namespace: &str, round: &str) {
    let services = format!("/api/v1/namespaces/{namespace}/services");
    for name in names(api, &services).await {
        let patch = json!({"metadata": {"labels": {"synced": round}}});
        api.patch(&format!("{services}/{name}"), &patch).await;
    }
    let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
    let endpoints = format!("/api/v1/namespaces/{namespace}/endpoints");
    for (list, author, controller) in [
        (slices, "endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"),
        (endpoints, "endpoints.kubernetes.io/managed-by", "endpoint-controller"),
    ] {
        eventually(&format!("{controller} has synced all Services"), || async {
            let list = api.get(&list).await;
            let behind = |object: &&Value| {
                let labels = &object["metadata"]["labels"];
                labels[author] == controller && labels["synced"] != round
            };
            match list["items"].as_array().unwrap().iter().find(behind) {
                None => Ok(()),
                Some(object) => Err(object["metadata"]["name"].to_string()),
            }
        })
        .await;
    }
}

/// What is there now and was not made by a controller, fit to be created elsewhere.
async fn state_of(api: &Api, namespace: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for (kind, version, path) in [
        ("Namespace", "v1", format!("/api/v1/namespaces?fieldSelector=metadata.name={namespace}")),
        ("Service", "v1", format!("/api/v1/namespaces/{namespace}/services")),
        ("Pod", "v1", format!("/api/v1/namespaces/{namespace}/pods")),
        (
            "EndpointSlice",
            "discovery.k8s.io/v1",
            format!(
                "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=!endpointslice.kubernetes.io/managed-by"
            ),
        ),
    ] {
        for object in api.get(&path).await["items"].as_array().unwrap() {
            let mut object = object.clone();
            object["kind"] = kind.into();
            object["apiVersion"] = version.into();
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.retain(|name, _| {
                ["name", "namespace", "labels", "annotations"].contains(&name.as_str())
            });
            if kind == "Service" {
                let spec = object["spec"].as_object_mut().unwrap();
                spec.remove("clusterIPs");
                if spec.get("clusterIP").is_some_and(|ip| ip != "None") {
                    spec.remove("clusterIP");
                }
                for port in
                    spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten()
                {
                    port.as_object_mut().unwrap().remove("nodePort");
                }
            }
            if kind != "Pod" {
                object.as_object_mut().unwrap().remove("status");
            }
            objects.push(object);
        }
    }
    objects
}

/// A Pod and an endpoint of either form that stay, so that there always is something to discover. The
/// Service has no selector: its Endpoints are mirrored.
pub(crate) fn anchors(namespace: &str) -> [Value; 4] {
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "anchor", "namespace": namespace},
            "spec": {"ports": [{"name": "p", "port": 8080}]}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "anchor", "namespace": namespace},
            "spec": {"nodeName": NODES[0], "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "podIP": "10.220.0.1", "podIPs": [{"ip": "10.220.0.1"}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "anchor", "namespace": namespace}, "addressType": "IPv4",
            "ports": [{"name": "p", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["198.51.100.200"], "nodeName": NODES[0]}]}),
        json!({"apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": "anchor", "namespace": namespace},
            "subsets": [{"addresses": [{"ip": "198.51.100.201", "nodeName": NODES[0]}],
                "ports": [{"name": "p", "port": 8080, "protocol": "TCP"}]}]}),
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

/// What the controller leaves behind when a Service stops selecting: it returns early, and its slices
/// stay as they are. Prometheus goes on scraping what they say, and so do we where slices are read; where
/// they are derived, what is left behind is not seen.
pub(crate) fn a_service_that_stops_selecting(plane: &ControlPlane) {
    block_on(async {
        let api = Api::of(plane).await;
        create_nodes(&api).await;
        let namespace = "stops-selecting".to_owned();
        let service = |name: &str| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 80}]}})
        };
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": namespace, "labels": {"app": "a"}},
            "spec": {"nodeName": NODES[0], "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "podIP": "10.221.0.1", "podIPs": [{"ip": "10.221.0.1"}],
                "conditions": [{"type": "Ready", "status": "True"}]}});
        let objects = vec![
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            pod,
            service("unselects"),
            service("renamed"),
        ];
        create_all(&api, &[objects]).await;
        let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
        eventually("both have a slice with the Pod", || async {
            let list = api.get(&slices).await;
            let full = |slice: &&Value| slice["endpoints"][0].is_object();
            let count = list["items"].as_array().unwrap().iter().filter(full).count();
            if count == 2 { Ok(()) } else { Err(format!("{count} slices")) }
        })
        .await;
        let services = format!("/api/v1/namespaces/{namespace}/services");
        let patch = json!({"spec": {"selector": Value::Null}});
        api.patch(&format!("{services}/unselects"), &patch).await;
        let patch = json!({"spec": {"type": "ExternalName", "externalName": "x.example.com",
            "clusterIP": Value::Null, "clusterIPs": Value::Null, "ipFamilies": Value::Null, "ipFamilyPolicy": Value::Null}});
        api.patch(&format!("{services}/renamed"), &patch).await;
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        let patch = json!({"metadata": {"labels": {"app": "b"}}});
        api.patch(&format!("{pods}/a"), &patch).await;
        quiesce(&api, |of| of == namespace).await;

        let fleet = Fleet::start(&plane.kubeconfig(), &ALL_NODES, EndpointsFrom::Slices).await;
        let binaries = binaries();
        let newest = binaries.last().expect("one is named");
        let oracle = Oracle::start(newest, &plane.kubeconfig(), |profile| {
            whole(std::slice::from_ref(&namespace), profile)
        })
        .await;
        let found =
            oracle.agree(&fleet).await.unwrap_or_else(|differences| panic!("{}", differences[0].1));
        let controller = "endpointslice-controller.k8s.io".to_owned();
        let mirroring = "endpointslicemirroring-controller.k8s.io".to_owned();
        let left_behind = BTreeSet::from([
            ("renamed".to_owned(), controller.clone()),
            ("unselects".to_owned(), controller),
            // Its Endpoints are left behind too, and now they are mirrored.
            ("unselects".to_owned(), mirroring.clone()),
        ]);
        assert_eq!(of_slices(found.values().flatten()), left_behind);

        let derives = Fleet::start(&plane.kubeconfig(), &NODES[..1], DERIVED).await;
        let url = format!("{}/sd/endpointslice?namespace={namespace}", derives.sidecars[0].url);
        let derived = discovered(&get(&url).await.unwrap());
        assert_eq!(of_slices(&derived), BTreeSet::from([("unselects".to_owned(), mirroring)]));
    });
}

/// The Services that targets of slices are of, and who manages the slices.
fn of_slices<'a>(targets: impl IntoIterator<Item = &'a Discovered>) -> BTreeSet<(String, String)> {
    let label = |target: &Discovered, name: &str| {
        target.get(&format!("__meta_kubernetes_{name}")).cloned().unwrap_or_default()
    };
    let of_slices = targets
        .into_iter()
        .filter(|target| target.contains_key("__meta_kubernetes_endpointslice_address_type"));
    let by = "endpointslice_label_endpointslice_kubernetes_io_managed_by";
    of_slices.map(|target| (label(target, "service_name"), label(target, by))).collect()
}
