//! What real controllers write, judged by a real Prometheus: each node's sidecar must serve what
//! kubernetes_sd discovers, cut down to the node.

#![expect(clippy::print_stderr, reason = "the seed, and what was compared")]

use super::api::Api;
use super::block_on;
use super::control_plane::{ADMIN, ControlPlane};
use super::random_cluster::{NODES, cluster, nodes};
use super::support::http::{eventually, get};
use super::support::prometheus::{Discovered, Prometheus};
use super::support::served::Served;
use fastrand::Rng;
use nodelocal_sd::index::{Deriving, EndpointsFrom, ForeignSlices};
use nodelocal_sd::kube::Source;
use nodelocal_sd::targets::Profile;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Clusters side by side, each in a namespace.
const CLUSTERS: u64 = 20;

/// Role, what is attached, and the same in our words.
pub(crate) const JOBS: [(&str, &str, &str); 4] = [
    ("pod", "", ""),
    ("pod", ", attach_metadata: {node: true}", "&attach=node"),
    ("endpointslice", "", ""),
    ("endpointslice", ", attach_metadata: {node: true}", "&attach=node"),
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
        let sidecars = Sidecars::start(&source).await;
        let prometheus = Prometheus::start(&config(plane, &namespaces)).await;
        let profile = profile_of(&prometheus).await;
        let mut compared = 0;
        for namespace in &namespaces {
            compared += compare(&prometheus, profile, &sidecars, namespace, seed).await;
        }
        eprintln!("{CLUSTERS} clusters, {compared} targets compared");
        assert!(
            compared >= 120 * usize::try_from(CLUSTERS).unwrap(),
            "{compared} targets are too few"
        );
    });
}

/// The sidecars of all nodes, in both modes. All foreign slices are watched, so that nothing but the
/// labels that cannot be known may differ.
pub(crate) struct Sidecars(Vec<(EndpointsFrom, Vec<Served>)>);

impl Sidecars {
    pub(crate) async fn start(source: &Source) -> Self {
        let deriving = Deriving { foreign_slices: ForeignSlices::All, ..Deriving::default() };
        let mut all = Vec::new();
        for from in [EndpointsFrom::Slices, EndpointsFrom::Pods(deriving)] {
            let mut of_nodes = Vec::new();
            for node in NODES {
                of_nodes.push(Served::start_from(from, source, node).await);
            }
            all.push((from, of_nodes));
        }
        Self(all)
    }
}

/// Without what only a slice that was read can have.
fn derivable(mut targets: Vec<Discovered>) -> Vec<Discovered> {
    let time = "endpoints_kubernetes_io_last_change_trigger_time";
    for target in &mut targets {
        for unknown in ["name", &format!("annotation_{time}"), &format!("annotationpresent_{time}")]
        {
            target.remove(&format!("__meta_kubernetes_endpointslice_{unknown}"));
        }
    }
    targets.sort();
    targets
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
    sidecars: &Sidecars,
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
            let modes = sidecars.0.iter();
            let all = modes.flat_map(|(from, of_nodes)| {
                NODES.iter().zip(of_nodes).map(move |(node, sidecar)| (from, node, sidecar))
            });
            for (from, node, sidecar) in all {
                let query = format!("namespace={namespace}{attach}&compat={profile}");
                let ours = get(&format!("{}/sd/{role}?{query}", sidecar.url)).await?;
                let mut ours = discovered(&ours);
                let of_node = |target: &&Discovered| target_node(target) == Some(node);
                let mut expected: Vec<_> = by_itself.iter().filter(of_node).cloned().collect();
                if from.is_pods() {
                    (ours, expected) = (derivable(ours), derivable(expected));
                }
                if ours != expected {
                    return Err(format!("{from:?}, {}", difference(node, &ours, &expected)));
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
        let versions: Vec<_> = slices["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|slice| slice["metadata"]["resourceVersion"].to_string())
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

/// The node that a target of Prometheus belongs to; the rules of node-locality, read off its labels.
pub(crate) fn target_node(target: &Discovered) -> Option<&str> {
    let label = |name: &str| target.get(&format!("__meta_kubernetes_{name}")).map(String::as_str);
    let by_reference = || {
        let kind = label("endpointslice_address_target_kind");
        label("endpointslice_address_target_name").filter(|_| kind == Some("Node"))
    };
    label("endpointslice_endpoint_node_name")
        .or_else(by_reference)
        .or_else(|| label("pod_node_name"))
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
