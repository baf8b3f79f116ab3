//! `migrate` from an agent in StatefulSet mode, as it prints it, and back: nobody's target is without samples, and the
//! series are those that they were.

use super::super::control_plane::binary;
use super::super::patience::eventually;
use super::super::plan::{Printed, printed};
use super::super::received::{self, INTERVAL, Labels, Series};
use super::super::support::http::get;
use super::super::table;
use super::super::world::{OTHERS, World};
use nodelocal_sd::migrate::Twice;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

const NAMESPACE: &str = OTHERS;
/// What the old agent and the new ones write.
const SERIES: &str = "exporter_scrapes_total{deployment='central'}";

pub(crate) async fn there_and_back(world: &World) {
    let shell = prepare(world).await;
    eventually("the old agent scrapes all", || all_scraped(world, 1, 1)).await;
    let before = eventually("all of it arrives", || arrives(world)).await;
    let from = received::now();

    let there = ["migrate", "central/central", "--image=registry.example/nodelocal-sd:one"];
    follow(world, &shell, &plan(world, &shell, &there)).await;
    let there = received::now();
    let while_there = eventually("all of it arrives", || arrives(world)).await;
    assert_eq!(while_there, before, "series are others than before");
    follow(world, &shell, &plan(world, &shell, &["migrate", "central/central", "--revert"])).await;
    let to = received::now();
    let back = eventually("all of it arrives", || arrives(world)).await;
    assert_eq!(back, before, "series are others than before");

    for (what, from, to) in [("there", from, there), ("back", there, to)] {
        let target = |series: &Series| Some(identity(series));
        let gap = received::longest_gap(SERIES, (from, to), target).await;
        assert!(gap < 10.0 * INTERVAL, "{what}: {gap} s without samples");
        table::add(
            &format!("migration {what}: the longest time without samples, of any target"),
            "3 nodes",
            format!("{gap:.1} s in {:.0} s", to - from),
        );
    }
    received::labels_are_true(SERIES, from).await;
    world.cluster.kubectl(&["delete", "namespace", NAMESPACE]);
}

/// The old agent, and a folder in which steps are run, with our program and kubectl.
async fn prepare(world: &World) -> PathBuf {
    let api = &world.cluster.api;
    let name = |kind: &str, version: &str, name: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}});
    api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}))
        .await;
    api.create(name("ServiceAccount", "v1", "central")).await;
    let mut binding = name("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "central");
    binding["metadata"] = json!({"name": "central-old"});
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nodelocal-sd"});
    binding["subjects"] =
        json!([{"kind": "ServiceAccount", "name": "central", "namespace": NAMESPACE}]);
    api.create(binding).await;
    let shop = json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}});
    let mut old = name("PrometheusAgent", "monitoring.coreos.com/v1alpha1", "central");
    old["spec"] = json!({
        "replicas": 1, "shards": 2, "version": "v3.13.2", "serviceAccountName": "central",
        "serviceDiscoveryRole": "EndpointSlice", "scrapeInterval": "2s", "scrapeTimeout": "2s",
        "serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": shop,
        "podMonitorSelector": {}, "podMonitorNamespaceSelector": shop,
        "externalLabels": {"cluster": "one", "deployment": "central"},
        "remoteWrite": received::remote_write(),
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "fsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}}});
    api.create(old).await;
    let shell = world.cluster.plane.folder().join("migration");
    std::fs::create_dir_all(shell.join("bin")).expect("a folder of ours");
    symlink(binary("kubectl"), shell.join("bin/kubectl")).expect("a new file");
    symlink(env!("CARGO_BIN_EXE_nodelocal-sd"), shell.join("bin/nodelocal-sd"))
        .expect("a new file");
    shell
}

/// What a command of a plan says, run as a user would.
fn run(world: &World, shell: &PathBuf, command: &str) -> String {
    let path = std::env::var("PATH").expect("a PATH");
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(shell)
        .env("PATH", format!("{}:{path}", shell.join("bin").display()))
        .env("KUBECONFIG", world.cluster.plane.kubeconfig())
        .env("KUBECACHEDIR", world.cluster.plane.kubectl_cache())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn plan(world: &World, shell: &PathBuf, arguments: &[&str]) -> Vec<Printed> {
    let steps = printed(&run(world, shell, &format!("nodelocal-sd {}", arguments.join(" "))));
    assert!(steps.len() > 3, "{arguments:?} prints {} steps", steps.len());
    steps
}

/// Does each step, and waits until what is scraped twice is what the plan says.
async fn follow(world: &World, shell: &PathBuf, steps: &[Printed]) {
    for step in steps {
        for command in &step.commands {
            // What is slept for is waited for below.
            if !command.starts_with("sleep ") {
                run(world, shell, command);
            }
        }
        let (nodes, rest) = match &*step.twice {
            twice if twice == Twice::Everything.text() => (2, 2),
            twice if twice == Twice::Nodes.text() => (2, 1),
            _ => (1, 1),
        };
        eventually(&format!("step {}", step.id), || all_scraped(world, nodes, rest)).await;
    }
}

/// Whether each target of a node, and each of none, is scraped with success by so many agents.
async fn all_scraped(world: &World, nodes: usize, rest: usize) -> Result<(), String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for pod in world.cluster.pods(NAMESPACE, "").await {
        let ip = pod["status"]["podIP"].as_str().unwrap_or_default();
        let runs =
            pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
        let ready = super::super::cluster::condition_of_ready(&pod) == Some(true);
        if !runs || !ready {
            continue;
        }
        let targets = get(&format!("http://{ip}:9090/api/v1/targets?state=active")).await?;
        let targets: Value = serde_json::from_str(&targets).map_err(|error| error.to_string())?;
        for target in targets["data"]["activeTargets"].as_array().into_iter().flatten() {
            let labels = &target["labels"];
            if labels["namespace"] == "shop" && target["health"] == "up" {
                let instance = labels["instance"].as_str().expect("each target has one");
                *counts.entry(instance.to_owned()).or_default() += 1;
            }
        }
    }
    let expected: BTreeMap<String, usize> = world
        .expected()
        .await
        .iter()
        .filter_map(|line| {
            let mut words = line.strip_prefix("e ")?.rsplit(' ');
            let instance = words.nth(1)?.to_owned();
            let times = if line.starts_with("e external") { rest } else { nodes };
            Some((instance, times))
        })
        .collect();
    if counts == expected { Ok(()) } else { Err(format!("{counts:?} instead of {expected:?}")) }
}

/// The series that are live, if each target has one.
async fn arrives(world: &World) -> Result<BTreeSet<Labels>, String> {
    let live: BTreeSet<Labels> = received::live(SERIES).await?.iter().map(identity).collect();
    let targets = world.expected().await.iter().filter(|line| line.starts_with("e ")).count();
    if live.len() == targets { Ok(live) } else { Err(format!("{} series: {live:#?}", live.len())) }
}

/// Its labels, but for that of the replica: only those in StatefulSet mode have it, and queries leave it out.
fn identity(series: &Series) -> Labels {
    series.without(&["prometheus_replica"])
}
