//! What real controllers write, judged by a real Prometheus: each node's sidecar must serve what
//! kubernetes_sd discovers, cut down to the node.

#![expect(clippy::print_stderr, reason = "the seed, and what was compared")]

use super::api::Api;
use super::block_on;
use super::control_plane::{ADMIN, ControlPlane};
use super::random_cluster::{NODES, cluster, nodes};
use super::support::http::{eventually, get};
use super::support::prometheus::{Discovered, Prometheus, node_of};
use super::support::served::Served;
use fastrand::Rng;
use nodelocal_sd::kube::Source;
use nodelocal_sd::targets::Profile;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Clusters side by side, each in a namespace.
const CLUSTERS: u64 = 20;

/// Role, what is attached, and the same in our words.
pub(crate) const JOBS: [(&str, &str, &str); 6] = [
    ("pod", "", ""),
    ("pod", ", attach_metadata: {node: true}", "&attach=node"),
    ("endpointslice", "", ""),
    ("endpointslice", ", attach_metadata: {node: true}", "&attach=node"),
    ("endpoints", "", ""),
    ("endpoints", ", attach_metadata: {node: true}", "&attach=node"),
];

#[derive(Deserialize)]
struct Group {
    targets: Vec<String>,
    labels: BTreeMap<String, String>,
}

/// The seed is printed, and taken from `SEED` to play a run again.
pub(crate) fn seed() -> u64 {
    std::env::var("SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("SEED is a number"))
}

pub(crate) fn random_clusters(plane: &ControlPlane) {
    let seed = seed();
    eprintln!("SEED={seed}");
    block_on(async {
        let api = Api::of(plane).await;
        create_nodes(&api).await;
        let mut namespaces = Vec::new();
        for number in 0..CLUSTERS {
            let namespace = format!("random-{number}");
            for object in cluster(&namespace, &mut Rng::with_seed(seed.wrapping_add(number))) {
                let terminates = !object["metadata"]["finalizers"].is_null();
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                api.create(object).await;
                if terminates {
                    api.delete(&format!("/api/v1/namespaces/{namespace}/pods/{name}")).await;
                }
            }
            namespaces.push(namespace);
        }
        quiesce(&api).await;

        let source = Source::Kubeconfig { paths: vec![plane.kubeconfig()], context: None };
        let mut sidecars = Vec::new();
        for node in NODES {
            sidecars.push(Served::start(&source, node).await);
        }
        let prometheus = Prometheus::start(&config(plane, &namespaces)).await;
        let profile = profile_of(&prometheus).await;
        let mut compared = 0;
        for namespace in &namespaces {
            compared += compare(&prometheus, profile, &sidecars, namespace, seed).await;
        }
        eprintln!("{CLUSTERS} clusters, {compared} targets compared");
        assert!(
            compared >= 60 * usize::try_from(CLUSTERS).unwrap(),
            "{compared} targets are too few"
        );
    });
}

/// The Nodes, which all tests share.
pub(crate) async fn create_nodes(api: &Api) {
    let there = api.get("/api/v1/nodes").await;
    for node in nodes() {
        let same =
            |other: &serde_json::Value| other["metadata"]["name"] == node["metadata"]["name"];
        if !there["items"].as_array().unwrap().iter().any(same) {
            api.create(node).await;
        }
    }
}

/// Waits until each job of a namespace gives the same on both sides, for each node; how many targets
/// that are.
pub(crate) async fn compare(
    prometheus: &Prometheus,
    profile: Profile,
    sidecars: &[Served],
    namespace: &str,
    seed: u64,
) -> usize {
    let mut compared = 0;
    for (number, (role, _, attach)) in JOBS.iter().enumerate() {
        let job = format!("{namespace}-{number}");
        compared += eventually(&format!("SEED={seed} {job}"), || async {
            let by_itself = prometheus.discovered(&job).await;
            if by_itself.is_empty() {
                return Err("kubernetes_sd has no targets".to_owned());
            }
            let mut compared = 0;
            for (node, sidecar) in NODES.iter().zip(sidecars) {
                let query = format!("namespace={namespace}{attach}&compat={profile}");
                let ours = discovered(&get(&format!("{}/sd/{role}?{query}", sidecar.url)).await?);
                let of_node = |target: &&Discovered| node_of(target) == Some(node);
                let expected: Vec<_> = by_itself.iter().filter(of_node).cloned().collect();
                if ours != expected {
                    return Err(difference(node, &ours, &expected));
                }
                compared += ours.len();
            }
            Ok(compared)
        })
        .await;
    }
    compared
}

/// The reason for the whole design.
pub(crate) fn slices_cannot_be_selected_by_node(plane: &ControlPlane) {
    block_on(async {
        let source = Source::Kubeconfig { paths: vec![plane.kubeconfig()], context: None };
        let client = nodelocal_sd::kube::connect(&source).await.unwrap();
        for resource in ["discovery.k8s.io/v1/endpointslices", "/v1/endpoints"] {
            let root = if resource.starts_with('/') { "/api" } else { "/apis/" };
            let uri = format!("{root}{resource}?fieldSelector=spec.nodeName%3Dnode-a");
            let request = http::Request::get(uri).body(kube::client::Body::empty()).unwrap();
            let answer = client.send(request).await.unwrap();
            assert_eq!(answer.status(), 400, "{resource}");
            let body = answer.into_body().collect_bytes().await.unwrap();
            let text = String::from_utf8_lossy(&body);
            assert!(text.contains("is not a known field selector"), "{text}");
        }
    });
}

/// Waits until the controllers have nothing left to write.
pub(crate) async fn quiesce(api: &Api) {
    const QUIET: Duration = Duration::from_secs(3);
    let mut last = String::new();
    loop {
        let slices = api.get("/apis/discovery.k8s.io/v1/endpointslices").await;
        let endpoints = api.get("/api/v1/endpoints").await;
        let versions: Vec<_> = [slices, endpoints]
            .iter()
            .flat_map(|list| list["items"].as_array().unwrap())
            .map(|object| object["metadata"]["resourceVersion"].to_string())
            .collect();
        let now = versions.join(",");
        if now == last {
            return;
        }
        last = now;
        tokio::time::sleep(QUIET).await;
    }
}

pub(crate) fn config(plane: &ControlPlane, namespaces: &[String]) -> String {
    let mut config = String::from("scrape_configs:\n");
    for namespace in namespaces {
        for (number, (role, attach, _)) in JOBS.iter().enumerate() {
            config.push_str(&format!(
                "- job_name: {namespace}-{number}\n  kubernetes_sd_configs: [{{role: {role}, api_server: '{}', \
                 authorization: {{credentials: '{ADMIN}'}}, tls_config: {{ca_file: '{}'}}, \
                 namespaces: {{names: [{namespace}]}}{attach}}}]\n  relabel_configs: [{{action: drop, regex: '.*'}}]\n",
                plane.url,
                plane.ca_file(),
            ));
        }
    }
    config
}

/// The label profile of its version.
pub(crate) async fn profile_of(prometheus: &Prometheus) -> Profile {
    let answer = get(&format!("{}/api/v1/status/buildinfo", prometheus.url)).await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    Profile::of_user_agent(&format!("Prometheus/{}", answer["data"]["version"].as_str().unwrap()))
}

/// Our answer in the form in which Prometheus shows targets.
pub(crate) fn discovered(body: &str) -> Vec<Discovered> {
    let groups: Vec<Group> = serde_json::from_str(body).expect("an http_sd answer");
    let mut targets: Vec<Discovered> = groups
        .into_iter()
        .flat_map(|Group { targets, labels }| {
            targets.into_iter().map(move |address| {
                let mut labels = labels.clone();
                labels.insert("__address__".to_owned(), address);
                labels
            })
        })
        .collect();
    targets.sort();
    targets
}

/// What only one side has, briefly.
pub(crate) fn difference(node: &str, ours: &[Discovered], expected: &[Discovered]) -> String {
    let only = |these: &[Discovered], those: &[Discovered]| {
        let such: Vec<_> =
            these.iter().filter(|target| !those.contains(target)).take(2).cloned().collect();
        format!("{such:#?}")
    };
    format!("{node}: only ours {}\nonly its own {}", only(ours, expected), only(expected, ours))
}
