//! The nodes that have an agent and the complement have everything that Prometheus discovers, each target
//! once: over random clusters, with nodes without an agent, and while agents come and go.

#![expect(clippy::print_stderr, reason = "the seed, and what was compared")]

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::differential::{create_all, create_nodes, quiesce, seed};
use super::jobs::{Job, everywhere, whole};
use super::oracle::{Oracle, derivable, discovered};
use super::random_cluster::{NODES, cluster};
use super::support::http::{eventually, get};
use super::support::prometheus::{Discovered, binaries};
use super::support::served::Served;
use fastrand::Rng;
use nodelocal_sd::coverage::AgentPods;
use nodelocal_sd::index::{
    Deriving, EndpointsFrom, Excluded, ForeignSlices, Nodes, PodSelector, Share, Snapshot,
};
use nodelocal_sd::kube::Source;
use nodelocal_sd::selector::LabelSelector;
use nodelocal_sd::targets::Profile;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// Clusters side by side, each in a namespace.
const CLUSTERS: usize = 12;

/// Where the agents' Pods are.
const AGENTS: &str = "complement-agents";

/// Longer than an agent's Pod is away in a rollout here, and short enough to wait for.
const DELAY: Duration = Duration::from_secs(8);

/// A sidecar on each node that has an agent, and the complement.
struct Whole {
    nodes: Vec<Served>,
    complement: Served,
    derives: bool,
}

/// The agent's Pod on a node; a DaemonSet gives each another name.
fn agent(name: &str, node: &str, ready: bool) -> Value {
    let status = if ready { "True" } else { "False" };
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": AGENTS, "labels": {"app": "agent"}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]}})
}

fn pods(namespace: &str, labels: &str) -> PodSelector {
    let labels = LabelSelector::parse(labels).expect("a selector");
    PodSelector { namespace: namespace.into(), labels }
}

impl Whole {
    async fn start(api: &Source, with_agent: &[&str], from: EndpointsFrom, excluded: &str) -> Self {
        let excluded = || Excluded::from_iter([pods(excluded, "app in (a, b)")]);
        let mut nodes = Vec::new();
        for node in with_agent {
            nodes.push(Served::after(Snapshot::of(*node, from, excluded()), None, api).await);
        }
        let share = Share::Complement(Nodes { endpoints_from: from, may_lack_agents: true });
        let agents = AgentPods { pods: pods(AGENTS, "app=agent"), delay: DELAY };
        let first = Snapshot::of(share, EndpointsFrom::Slices, excluded());
        let complement = Served::after(first, Some(agents), api).await;
        Self { nodes, complement, derives: from.is_pods() }
    }

    /// What they serve together, each as often as it is served.
    async fn targets(&self, job: &Job, oracle: &Oracle) -> Result<Vec<Discovered>, String> {
        let mut all = Vec::new();
        for served in self.nodes.iter().chain([&self.complement]) {
            all.extend(discovered(&get(&job.url(&served.url, oracle.profile)).await?));
        }
        all.sort();
        Ok(if self.derives { derivable(all) } else { all })
    }

    /// Waits until they serve what that Prometheus discovers; how many targets were compared.
    async fn agrees(&self, oracle: &Oracle) -> usize {
        let mut compared = 0;
        for job in &oracle.jobs {
            compared += eventually(&format!("everything once in {job}"), || async {
                let expected = oracle.discovered(job).await;
                let expected = if self.derives { derivable(expected) } else { expected };
                let ours = self.targets(job, oracle).await?;
                if ours == expected { Ok(expected.len()) } else { Err(unlike(&ours, &expected)) }
            })
            .await;
        }
        compared
    }
}

/// What is missing, and what is there too often.
fn unlike(ours: &[Discovered], expected: &[Discovered]) -> String {
    let count = |these: &[Discovered], target: &Discovered| {
        these.iter().filter(|other| *other == target).count()
    };
    let differs = |target: &&Discovered| count(ours, target) != count(expected, target);
    let first = ours.iter().chain(expected).find(differs);
    let (here, there) = first.map_or((0, 0), |t| (count(ours, t), count(expected, t)));
    format!(
        "{} instead of {} targets; {here} times and not {there}: {first:#?}",
        ours.len(),
        expected.len()
    )
}

pub(crate) fn everything_once(_: &ControlPlane) {
    // Of its own, because whole clusters are compared.
    let plane = ControlPlane::start();
    let seed = seed();
    block_on(async {
        let api = Api::of(&plane).await;
        create_nodes(&api).await;
        let namespaces: Vec<String> = (0..CLUSTERS).map(|n| format!("shared-{n}")).collect();
        let clusters: Vec<Vec<Value>> = (0..CLUSTERS)
            .map(|number| {
                let neighbour = &namespaces[(number + 1) % CLUSTERS];
                let mut rng = Rng::with_seed(seed.wrapping_add(number as u64));
                cluster(&namespaces[number], neighbour, &mut rng)
            })
            .collect();
        create_all(&api, &clusters).await;
        let metadata = json!({"name": AGENTS});
        api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
        for node in &NODES[..2] {
            api.create(agent(&format!("first-{node}"), node, true)).await;
        }
        quiesce(&api, |_| true).await;

        let source = Source::Kubeconfig { paths: vec![plane.kubeconfig()], context: None };
        let newest = binaries().pop().expect("there is a Prometheus");
        let oracle = oracle(&newest, &plane.kubeconfig(), &namespaces).await;
        let derived = |foreign_slices| {
            EndpointsFrom::Pods(Deriving { foreign_slices, ..Deriving::default() })
        };
        let mut auto = None;
        for (what, from) in [
            ("slices", EndpointsFrom::Slices),
            ("off", derived(ForeignSlices::Off)),
            ("all", derived(ForeignSlices::All)),
            ("auto", derived(ForeignSlices::Auto)),
        ] {
            let whole = Whole::start(&source, &NODES[..2], from, &namespaces[0]).await;
            let compared = whole.agrees(&oracle).await;
            eprintln!("{what}: {compared} targets, each once");
            assert!(compared > CLUSTERS * 50, "SEED={seed}: {compared} targets are too few");
            auto = Some(whole);
        }
        let auto = auto.expect("the last one");
        come_and_go(&api, &oracle, &source, &namespaces, auto).await;
    });
}

/// Agents and nodes come and go.
async fn come_and_go(
    api: &Api,
    oracle: &Oracle,
    source: &Source,
    namespaces: &[String],
    whole: Whole,
) {
    let Whole { mut nodes, complement, derives } = whole;
    let delete = async |name: &str| {
        let pod = format!("/api/v1/namespaces/{AGENTS}/pods/{name}");
        api.delete(&format!("{pod}?gracePeriodSeconds=0")).await;
    };
    let served = async || {
        let mut all = Vec::new();
        for job in &oracle.jobs {
            all.push(get(&job.url(&complement.url, oracle.profile)).await.expect("an answer"));
        }
        all
    };

    // A rollout: another Pod takes the place of one, and the complement does not stir.
    let before = served().await;
    delete(&format!("first-{}", NODES[0])).await;
    api.create(agent("second", NODES[0], false)).await;
    let half = DELAY / 2;
    tokio::time::sleep(half).await; // that time has to pass is what is tried
    assert!(served().await == before, "the complement took over during a rollout");
    delete("second").await;
    api.create(agent("third", NODES[0], true)).await;
    tokio::time::sleep(DELAY).await;
    assert!(served().await == before, "the complement took over after a rollout");

    // A drain, or an agent that cannot start: the complement has the node's targets.
    delete("third").await;
    let gone = Instant::now();
    nodes.remove(0);
    let whole = Whole { nodes, complement, derives };
    let compared = whole.agrees(oracle).await;
    let (node, after) = (NODES[0], gone.elapsed().as_secs_f64());
    eprintln!(
        "without the agent of {node}: {compared} targets, each once after {after:.1} s; the delay is {DELAY:?}"
    );

    // A node gets its first agent.
    let came = Instant::now();
    api.create(agent("new", NODES[2], true)).await;
    let from = EndpointsFrom::default();
    let Whole { mut nodes, complement, .. } = whole;
    let excluded = Excluded::from_iter([pods(&namespaces[0], "app in (a, b)")]);
    nodes.push(Served::after(Snapshot::of(NODES[2], from, excluded), None, source).await);
    let whole = Whole { nodes, complement, derives };
    let compared = whole.agrees(oracle).await;
    let (node, after) = (NODES[2], came.elapsed().as_secs_f64());
    eprintln!("with an agent on {node}: {compared} targets, each once after {after:.1} s");
}

async fn oracle(binary: &Path, kubeconfig: &Path, namespaces: &[String]) -> Oracle {
    // Those of every version. The owners of owners are compared elsewhere: Prometheus itself may lack them.
    let old = Profile::V2_53;
    let whole = whole(namespaces, old).into_iter().map(|job| job.named("of-one"));
    Oracle::start(binary, kubeconfig, |_| everywhere(old).into_iter().chain(whole).collect()).await
}
