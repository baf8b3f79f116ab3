//! What real controllers write, judged by real Prometheus versions: the sidecars of all nodes must serve
//! what kubernetes_sd discovers, each its node's part.

#![expect(clippy::print_stderr, reason = "the seed, and what was compared")]

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::features::{Counters, Objects};
use super::jobs::{jobs, whole};
use super::oracle::{Fleet, Found, Oracle};
use super::random_cluster::{NODES, cluster, nodes};
use super::shrink::shrink;
use super::support::prometheus::{Discovered, binaries};
use super::wrong_rules;
use fastrand::Rng;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Source;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Clusters side by side, each in a namespace.
const CLUSTERS: usize = 100;

/// So many targets must be compared for each of them, on average, by jobs that find each once.
const TARGETS: usize = 60;

/// The seed is printed, and taken from `SEED` to play a run again.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("SEED is a number"));
    eprintln!("SEED={seed}");
    seed
}

/// How many there shall be: the variable's value, for longer runs by hand, or the usual number.
pub(crate) fn how_many(variable: &str, usual: usize) -> usize {
    std::env::var(variable)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

pub(crate) fn random_clusters(plane: &ControlPlane) {
    let seed = seed();
    block_on(async {
        let api = Api::of(plane).await;
        create_nodes(&api).await;
        let count = how_many("CLUSTERS", CLUSTERS);
        let namespaces: Vec<String> = (0..count).map(|number| format!("random-{number}")).collect();
        let clusters: Vec<Vec<Value>> = (0..count)
            .map(|number| {
                let neighbour = &namespaces[(number + 1) % count];
                let mut rng = Rng::with_seed(seed.wrapping_add(number as u64));
                let mut objects = cluster(&namespaces[number], neighbour, &mut rng);
                objects.push(bare_service(&namespaces[number]));
                objects
            })
            .collect();
        create_all(&api, &clusters).await;
        quiesce(&api, |_| true).await;

        // And one that finds out by itself which foreign slices to watch: all, because each namespace has a
        // Service without a selector. What it sees of others the complement's test has.
        let kubeconfig = plane.kubeconfig();
        let auto = Fleet::start(&kubeconfig, &NODES[..1], EndpointsFrom::default()).await;
        let fleet = Fleet::of_both_modes(&kubeconfig).await.and(auto);
        let objects = Objects::read(&api).await;
        let mut counters = Counters::default();
        let mut newest = None;
        for binary in binaries() {
            let oracle =
                Oracle::start(&binary, &plane.kubeconfig(), |profile| jobs(profile, &namespaces))
                    .await
                    .of_namespaces("random-");
            let found = match oracle.agree(&fleet).await {
                Ok(found) => found,
                Err(differences) => {
                    eprintln!("SEED={seed}: {}", differences[0].1);
                    let small =
                        shrunk(plane, &api, &fleet, &binary, &oracle, &differences, &clusters);
                    fail(seed, &differences, small.await)
                }
            };
            let compared: usize = found.values().map(Vec::len).sum();
            let once = of_whole_jobs(&oracle, &found).count();
            eprintln!(
                "{}: {} jobs over {count} clusters, {compared} targets compared, {once} of them different ones",
                oracle.profile,
                oracle.jobs.len()
            );
            found.values().for_each(|targets| counters.count(&objects, targets));
            newest = Some((binary, oracle, found, once));
        }
        eprintln!("{}", counters.table());
        let (binary, oracle, found, once) = newest.expect("there is a Prometheus");
        assert!(once >= TARGETS * count, "SEED={seed}: {once} targets are too few");
        assert_eq!(counters.missing(), Vec::<&str>::new(), "SEED={seed}: never compared");
        wrong_rules::each_is_found(plane, &api, &binary, &oracle, &found, &clusters).await;
    });
}

/// A Service without a selector.
fn bare_service(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "bare", "namespace": namespace}, "spec": {"ports": [{"port": 80}]}})
}

/// The targets that the jobs find which find all.
fn of_whole_jobs<'a>(oracle: &'a Oracle, found: &'a Found) -> impl Iterator<Item = &'a Discovered> {
    found.iter().filter(|(job, _)| oracle.jobs[**job].is_whole).flat_map(|(_, targets)| targets)
}

/// Tells what differs, and the smallest cluster that shows it.
fn fail(seed: u64, differences: &[(usize, String)], small: Option<Vec<Value>>) -> ! {
    let first = &differences[0].1;
    let small = small.map_or_else(
        || "it could not be made smaller".to_owned(),
        |objects| {
            let objects: Vec<String> = objects.iter().map(Value::to_string).collect();
            format!("the smallest cluster that differs:\n{}", objects.join("\n"))
        },
    );
    panic!("SEED={seed}: {} jobs differ, for instance {first}\n{small}", differences.len());
}

/// The smallest part of a cluster that still differs; `None` where the difference is not in what one
/// namespace's objects are at rest.
async fn shrunk(
    plane: &ControlPlane,
    api: &Api,
    fleet: &Fleet,
    binary: &Path,
    oracle: &Oracle,
    differences: &[(usize, String)],
    clusters: &[Vec<Value>],
) -> Option<Vec<Value>> {
    let failing = |cluster: &&Vec<Value>| {
        let namespace = format!("[{}]", namespace_of(cluster));
        differences.iter().any(|(job, _)| oracle.jobs[*job].to_string().contains(&namespace))
    };
    let cluster = clusters.iter().find(failing)?;
    smallest(plane, api, fleet, binary, cluster).await
}

/// Makes a cluster that differs smaller.
pub(crate) async fn smallest(
    plane: &ControlPlane,
    api: &Api,
    fleet: &Fleet,
    binary: &Path,
    cluster: &[Value],
) -> Option<Vec<Value>> {
    let old = namespace_of(cluster).to_owned();
    let mut used = 0;
    let fails = async |candidates: Vec<Vec<Value>>| {
        let mut moved = Vec::new();
        for candidate in candidates {
            let new = format!("{old}-smaller-{used}");
            used += 1;
            moved.push(in_namespace(&candidate, &old, &new));
        }
        differ(plane, api, fleet, binary, &moved).await
    };
    let (namespace, rest) = cluster.split_first()?;
    // The namespace itself always stays.
    let mut with_namespace = fails;
    let small = shrink(rest.to_vec(), async |candidates: Vec<Vec<Value>>| {
        let whole = candidates
            .into_iter()
            .map(|candidate| [std::slice::from_ref(namespace), candidate.as_slice()].concat());
        with_namespace(whole.collect()).await
    })
    .await;
    (small.len() < rest.len()).then(|| [std::slice::from_ref(namespace), small.as_slice()].concat())
}

/// Which of these clusters differ, at rest.
async fn differ(
    plane: &ControlPlane,
    api: &Api,
    fleet: &Fleet,
    binary: &Path,
    clusters: &[Vec<Value>],
) -> Vec<bool> {
    create_all(api, clusters).await;
    let namespaces: Vec<String> = clusters.iter().map(|c| namespace_of(c).to_owned()).collect();
    quiesce(api, |namespace| namespaces.iter().any(|own| own == namespace)).await;
    let jobs = |profile| whole(&namespaces, profile);
    let oracle = Oracle::start(binary, &plane.kubeconfig(), jobs).await;
    let (_, differences) = oracle.agree_within(fleet, Duration::from_secs(7)).await;
    let differs = |namespace: &String| {
        let named = format!("[{namespace}]");
        differences.iter().any(|(job, _)| oracle.jobs[*job].to_string().contains(&named))
    };
    let result = namespaces.iter().map(differs).collect();
    for namespace in &namespaces {
        api.delete(&format!("/api/v1/namespaces/{namespace}")).await;
    }
    result
}

fn namespace_of(cluster: &[Value]) -> &str {
    cluster[0]["metadata"]["name"].as_str().expect("a cluster begins with its namespace")
}

/// The same objects elsewhere.
fn in_namespace(cluster: &[Value], old: &str, new: &str) -> Vec<Value> {
    let moved =
        |object: &Value| object.to_string().replace(&format!("\"{old}\""), &format!("\"{new}\""));
    cluster.iter().map(|object| serde_json::from_str(&moved(object)).expect("JSON")).collect()
}

/// Creates clusters side by side.
pub(crate) async fn create_all(api: &Api, clusters: &[Vec<Value>]) {
    let mut tasks = tokio::task::JoinSet::new();
    for cluster in clusters.iter().cloned() {
        let api = api.clone();
        tasks.spawn(async move {
            for object in cluster {
                let terminates = !object["metadata"]["finalizers"].is_null();
                let pod = object["metadata"].clone();
                api.create(object).await;
                if terminates {
                    let (namespace, name) = (&pod["namespace"], &pod["name"]);
                    let (namespace, name) = (namespace.as_str().unwrap(), name.as_str().unwrap());
                    api.delete(&format!("/api/v1/namespaces/{namespace}/pods/{name}")).await;
                }
            }
        });
    }
    while let Some(created) = tasks.join_next().await {
        created.unwrap();
    }
}

/// The Nodes, which all tests share.
pub(crate) async fn create_nodes(api: &Api) {
    let there = api.get("/api/v1/nodes").await;
    for node in nodes() {
        let same = |other: &Value| other["metadata"]["name"] == node["metadata"]["name"];
        if !there["items"].as_array().unwrap().iter().any(same) {
            api.create(node).await;
        }
    }
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

/// Waits until the controllers have nothing left to write in these namespaces.
pub(crate) async fn quiesce(api: &Api, such: impl Fn(&str) -> bool) {
    const QUIET: Duration = Duration::from_secs(2);
    let mut last = String::new();
    loop {
        let mut now = String::new();
        for path in ["/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/endpoints"] {
            for object in api.get(path).await["items"].as_array().unwrap() {
                if such(object["metadata"]["namespace"].as_str().unwrap()) {
                    now.push_str(object["metadata"]["resourceVersion"].as_str().unwrap());
                    now.push(',');
                }
            }
        }
        if now == last {
            return;
        }
        last = now;
        tokio::time::sleep(QUIET).await;
    }
}
