//! Changes of the agents themselves: new versions, and parts that die.

use super::super::patience::eventually;
use super::super::process::{Process, status_of};
use super::super::received::{self, Labels, Series};
use super::super::span::{Gaps, Span};
use super::super::table;
use super::super::world::{DEPLOYMENTS, Deployment, E, SCRAPES, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

const SIDECAR: &str = "nodelocal-sd";
const PROMETHEUS: &str = "prometheus";
/// Longer than a Pod takes to start on a machine that is busy with other things.
const START: f64 = 60.0;
/// Much shorter than the ten seconds that the kubelet waits before it starts again what has ended twice.
const NONE: f64 = 5.0;

/// On one node the sidecar is killed, and once more, so that it is away for a while; on another one the agent's Pod is
/// deleted, on the third one Prometheus is killed. In both deployments at once.
pub(crate) async fn parts_die(world: &World) {
    let before = identities().await;
    let mut old = BTreeMap::new();
    for deployment in DEPLOYMENTS {
        for node in ["node-a", "node-b", "node-c"] {
            old.insert((deployment, node), agent(world, deployment, node).await);
        }
    }
    let from = received::now();
    for deployment in DEPLOYMENTS {
        kill(&old[&(deployment, "node-a")], SIDECAR);
        delete_but_keep_the_object(world, &old[&(deployment, "node-b")]).await;
        kill(&old[&(deployment, "node-c")], PROMETHEUS);
    }
    let mut away = BTreeMap::new();
    for deployment in DEPLOYMENTS {
        let again = restarted(world, &old[&(deployment, "node-a")], [1, 0]).await;
        kill(&again, SIDECAR);
        away.insert(deployment, received::now());
    }
    for deployment in DEPLOYMENTS {
        restarted(world, &old[&(deployment, "node-a")], [2, 0]).await;
        *away.get_mut(&deployment).unwrap() -= received::now();
    }
    for deployment in DEPLOYMENTS {
        ended_in_order(world, &old[&(deployment, "node-b")]).await;
        restarted(world, &old[&(deployment, "node-c")], [0, 1]).await;
    }
    world.settles("what died is back").await;
    for deployment in DEPLOYMENTS {
        started_in_order(world, &agent(world, deployment, "node-b").await, deployment);
    }
    let span = Span::of(world, from, received::now()).await;
    span.nothing_changed();
    for deployment in DEPLOYMENTS {
        let Deployment { name, .. } = deployment;
        let gaps = span.gaps(deployment);
        let without = |node| format!("{:.1} s without samples", gaps.of(node));
        let seen =
            format!("{}, though it was away for {:.0} s", without("node-a"), -away[&deployment]);
        table::add("sidecar killed twice", name, seen);
        table::add("agent's Pod deleted", name, without("node-b"));
        table::add("Prometheus killed", name, without("node-c"));
        gaps.below(START, "an agent that died has not come back");
        assert!(
            gaps.of("node-a") < NONE,
            "{name}: without its sidecar Prometheus has lost targets: {gaps}"
        );
        for agent in world.agents(deployment).await {
            wal_is_written(&agent);
        }
    }
    same_as(&before).await;
}

/// A monitor is edited while there is no operator: nothing happens to the agents, and the change comes when it is back.
pub(crate) async fn operator_dies(world: &World) {
    let agents = generations_and_pods(world).await;
    let from = received::now();
    let operators = |replicas: &str| {
        let scale = ["-n", E.namespace, "scale", "deployment/prometheus-operator", replicas];
        world.cluster.kubectl(&scale);
    };
    operators("--replicas=0");
    let selector = "app.kubernetes.io/name=prometheus-operator";
    eventually("the operator is gone", || async {
        let left = world.cluster.pods(E.namespace, selector).await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:#?}")) }
    })
    .await;
    let relabeling = json!([{"targetLabel": "edited", "replacement": "while it was away"}]);
    super::configuration::edit(world, &json!({"relabelings": relabeling})).await;
    let back = received::now();
    operators("--replicas=1");
    let arrived = super::configuration::arrives("edited", "while it was away", back).await;
    let to = received::now();
    let mut early = received::since(SCRAPES, from).await.expect("the receiver answers");
    early.retain(|series| !series.label("edited").is_empty() && series.times[0] < back);
    assert!(early.is_empty(), "who has told the agents? {early:#?}");
    world.cluster.rolled_out(E.namespace, "deployment/prometheus-operator");
    super::configuration::edit(world, &json!({})).await;
    super::configuration::arrives("edited", "", to).await;
    world.settles("all is as it was").await;
    let span = Span::of(world, from, to).await;
    span.nothing_twice();
    for deployment in DEPLOYMENTS {
        let gaps = span.gaps(deployment);
        let seen = format!("{:.1} s; without samples: {gaps}", arrived[deployment.name]);
        table::add(
            "operator back, and a monitor was edited meanwhile: to its new label",
            deployment.name,
            seen,
        );
        gaps.below(NONE, "without the operator targets were lost");
    }
    assert_eq!(generations_and_pods(world).await, agents, "the agents' Pods were replaced");
}

/// Another image of the sidecar: a rollout of both deployments and the complement. It stays; nobody asks which it is.
pub(crate) async fn are_upgraded(world: &World) {
    let before = identities().await;
    let from = received::now();
    world.apply_all("two").await;
    let took = received::now() - from;
    world.settles("the new agents scrape what the old ones did").await;
    let span = Span::of(world, from, received::now()).await;
    span.nothing_changed();
    for deployment in DEPLOYMENTS {
        let gaps: Gaps = span.gaps(deployment);
        let seen = format!("without samples: {gaps}; all nodes in {took:.0} s");
        table::add("sidecars upgraded", deployment.name, seen);
        gaps.below(START, "an upgrade");
        for agent in world.agents(deployment).await {
            let image = &status_of(&agent, SIDECAR).expect("it runs")["image"];
            assert_eq!(*image, "registry.example/nodelocal-sd:two", "{agent}");
        }
    }
    same_as(&before).await;
    for deployment in DEPLOYMENTS {
        for agent in world.agents(deployment).await {
            let sidecar = Process::of(&agent, SIDECAR).expect("it runs");
            let [now, most] = sidecar.charged().map(|bytes| bytes / 1024);
            let place =
                format!("{} {}", deployment.name, agent["spec"]["nodeName"].as_str().unwrap());
            let seen =
                format!("VmRSS {}, charged {now} kB, at most {most} kB", sidecar.says("VmRSS"));
            table::add("memory of the sidecar", &place, seen);
        }
    }
}

/// The agent of a deployment on a node.
async fn agent(world: &World, deployment: Deployment, node: &str) -> Value {
    let mut agents = world.agents(deployment).await.into_iter();
    agents.find(|pod| pod["spec"]["nodeName"] == node).expect("each node has one")
}

fn kill(pod: &Value, container: &str) {
    Process::of(pod, container).expect("it runs").kill();
}

/// Waits until a Pod, which is not another one, runs again with so many more restarts of the sidecar and of Prometheus.
async fn restarted(world: &World, old: &Value, more: [u64; 2]) -> Value {
    const BOTH: [&str; 2] = [SIDECAR, PROMETHEUS];
    let restarts = |pod: &Value| {
        let of = |container| status_of(pod, container)?["restartCount"].as_u64();
        BOTH.map(|container| of(container).unwrap_or_default())
    };
    let before = restarts(old);
    let expected = [before[0] + more[0], before[1] + more[1]];
    let (name, path) = (&old["metadata"]["name"], path_of(old));
    eventually(&format!("{name} runs after {expected:?} restarts"), || async {
        let pod = world.cluster.api.get(&path).await;
        let seen = restarts(&pod);
        assert!(seen[0] <= expected[0] && seen[1] <= expected[1], "{name}: {seen:?} restarts");
        for container in BOTH {
            Process::of(&pod, container)?;
        }
        if seen == expected { Ok(pod) } else { Err(format!("{seen:?} restarts")) }
    })
    .await
}

/// Deletes a Pod; its last state can be read until [`ended_in_order`] has done so.
async fn delete_but_keep_the_object(world: &World, pod: &Value) {
    let path = path_of(pod);
    let kept = json!({"metadata": {"finalizers": ["nodelocal-sd.test/kept"]}});
    world.cluster.api.patch(&path, &kept).await;
    world.cluster.api.delete(&path).await;
}

/// A Pod that was deleted has ended in good order: each container by itself, and the sidecar was told to only after
/// Prometheus had ended.
async fn ended_in_order(world: &World, pod: &Value) {
    let path = path_of(pod);
    let ended = eventually("all of its containers have ended", || async {
        let pod = world.cluster.api.get(&path).await;
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        if matches!(phase, "Succeeded" | "Failed") { Ok(pod) } else { Err(pod.to_string()) }
    })
    .await;
    world.cluster.api.patch(&path, &json!({"metadata": {"finalizers": null}})).await;
    let end = |container| {
        let status = status_of(&ended, container).expect("a status").clone();
        assert_eq!(status["state"]["terminated"]["exitCode"], 0, "{status}");
        status
    };
    let [sidecar, prometheus] = [SIDECAR, PROMETHEUS].map(end);
    let at =
        |status: &Value| status["state"]["terminated"]["finishedAt"].as_str().unwrap().to_owned();
    assert!(at(&prometheus) <= at(&sidecar), "the sidecar has ended first: {ended}");
    // These are whole seconds. The lines of containerd are in the order of what happened.
    let node = pod["spec"]["nodeName"].as_str().expect("it ran");
    let log = world.cluster.node(node, |node| node.folder().join("containerd.log"));
    let log = fs::read_to_string(log).expect("it has begun");
    let line = |status: &Value, what: &str| {
        let id =
            status["containerID"].as_str().and_then(|id| id.split("//").nth(1)).expect("an id");
        let line = log.lines().position(|line| {
            line.contains("StopContainer for") && line.contains(id) && line.contains(what)
        });
        line.unwrap_or_else(|| panic!("containerd has not stopped {id} ({what})"))
    };
    let [told, gone] = [line(&sidecar, "with timeout"), line(&prometheus, "returns successfully")];
    assert!(gone < told, "the sidecar was told to end before Prometheus had ended: {ended}");
}

/// The containers of a new Pod have started one after the other, as the manifests mean it: the first thing that each
/// says tells when.
fn started_in_order(world: &World, pod: &Value, deployment: Deployment) {
    let name = pod["metadata"]["name"].as_str().expect("a name");
    let began = |container| {
        let logs = ["-n", deployment.namespace, "logs", name, "--timestamps", "-c", container];
        let said = world.cluster.kubectl(&logs);
        let first = said.split(' ').next().unwrap_or_default().to_owned();
        assert!(first.starts_with("20"), "{container} of {name} has said nothing: {said}");
        first
    };
    let order = if deployment == E {
        [SIDECAR, "init-config-reloader", PROMETHEUS] // which fills what the sidecar has written
    } else {
        ["init-config-reloader", SIDECAR, PROMETHEUS] // the operator's own first
    };
    let times = order.map(began);
    assert!(times.is_sorted(), "{name}: {order:?} have begun at {times:?}");
}

/// Prometheus writes its write-ahead log, without being root.
fn wal_is_written(agent: &Value) {
    const NOBODY: u32 = 65534;
    let prometheus = Process::of(agent, PROMETHEUS).expect("it runs");
    let users = prometheus.says("Uid");
    assert!(users.split_whitespace().all(|user| user == NOBODY.to_string()), "{users}");
    let volume = prometheus.mounted_at("/prometheus").expect("a volume, or all is read-only");
    let folder = prometheus.path("/prometheus/wal");
    let segments = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{volume}: {error}"));
    let segments = segments.flatten().map(|segment| segment.metadata().expect("it stays"));
    let written: u64 = segments.filter(|of| of.uid() == NOBODY).map(|of| of.len()).sum();
    assert!(written > 0, "nothing of {NOBODY} is in {volume}");
}

fn path_of(pod: &Value) -> String {
    let of = |field| pod["metadata"][field].as_str().expect("a Pod has it");
    format!("/api/v1/namespaces/{}/pods/{}", of("namespace"), of("name"))
}

/// The generation of each deployment's DaemonSet, and the uids of its Pods.
async fn generations_and_pods(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for Deployment { namespace, set, .. } in DEPLOYMENTS {
        let path = format!("/apis/apps/v1/namespaces/{namespace}/daemonsets/{set}");
        let set = world.cluster.api.get(&path).await;
        all.push(format!("{namespace} {}", set["metadata"]["generation"]));
    }
    for deployment in DEPLOYMENTS {
        let agents = world.agents(deployment).await;
        all.extend(agents.iter().map(|pod| pod["metadata"]["uid"].to_string()));
    }
    all.sort();
    all
}

type Identities = Vec<Labels>;

/// The labels of all that is scraped; of the agents themselves without what is another after each start, and of the
/// complement without its node.
async fn identities() -> Identities {
    eventually("the receiver answers", try_identities).await
}

async fn try_identities() -> Result<Identities, String> {
    let live = received::live("up{deployment=~'e|a2'}").await?;
    let of_series = |series: &Series| match series.label("job") {
        "node-agent" => series.without(&["pod", "instance"]),
        "node-agent-complement" => series.without(&["pod", "instance", "node"]),
        _ => series.labels.clone(),
    };
    let mut identities: Identities = live.iter().map(of_series).collect();
    identities.sort();
    Ok(identities)
}

/// Waits until just that is scraped.
async fn same_as(before: &Identities) {
    eventually("what is scraped has the labels that it had", || async {
        let now = try_identities().await?;
        let beyond = |a: &Identities, b: &Identities| -> Identities {
            a.iter().filter(|one| !b.contains(one)).cloned().collect()
        };
        if now == *before {
            return Ok(());
        }
        let (new, gone) = (beyond(&now, before), beyond(before, &now));
        Err(format!("{} and {}: new {new:#?}, gone {gone:#?}", before.len(), now.len()))
    })
    .await;
}
