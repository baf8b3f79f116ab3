//! The Helm chart: installed, upgraded without and with a rollout, and uninstalled, beside the other deployments.

use super::super::patience::eventually;
use super::super::received::{self, INTERVAL, Labels, Series};
use super::super::support::http::get;
use super::super::table;
use super::super::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const NAMESPACE: &str = "helm";
const RELEASE: &str = "nodes";
/// What its agents write.
const SERIES: &str = "exporter_scrapes_total{deployment='helm'}";

pub(crate) async fn installs_upgrades_and_uninstalls(world: &World) {
    let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": restricted}});
    world.cluster.api.create(namespace).await;
    eventually("the namespace has what each has", || async {
        let of_all =
            ["-n", NAMESPACE, "get", "serviceaccount/default", "configmap/kube-root-ca.crt"];
        world.cluster.plane.try_kubectl(&of_all)
    })
    .await;
    let before = objects(world);
    let mut values = json!({
        "image": {"repository": "registry.example/nodelocal-sd", "tag": "one"},
        "remoteWrite": received::remote_write(),
        "externalLabels": {"cluster": "one", "deployment": "helm"},
        "shadowSpec": {"scrapeInterval": "2s"},
        "monitors": {
            "serviceMonitorNamespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
            "podMonitorNamespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
        "monitoring": {"podMonitor": false},
        "extraArgs": ["--refresh-interval=2s", "--config-spread=2s"]});

    upgrade(world, &values);
    let began = received::now();
    let of_nodes =
        eventually("the chart's agents scrape their nodes", || scraped(world, false)).await;
    let from = received::now();

    // What only the operator renders reaches running agents: no Pod is replaced.
    let pods = pods(world).await;
    values["shadowSpec"]["enforcedLabelLimit"] = json!(60);
    upgrade(world, &values);
    for ip in texts(&agents(world).await, "/status/podIP") {
        eventually("the agents have what was changed", || async {
            let has = get(&format!("http://{ip}:9090/api/v1/status/config")).await?;
            if has.contains("label_limit: 60") { Ok(()) } else { Err(has) }
        })
        .await;
    }
    assert_eq!(self::pods(world).await, pods, "Pods were replaced");

    values["complement"] = json!({"enabled": true});
    values["podAnnotations"] = json!({"try": "2"});
    upgrade(world, &values);
    let with_complement =
        eventually("the complement scrapes what is of no node", || scraped(world, true)).await;
    let to = received::now();
    assert!(self::pods(world).await.is_disjoint(&pods), "a Pod was not replaced");
    assert!(with_complement.is_superset(&of_nodes), "series have changed");
    let known = |series: &Series| of_nodes.get(&series.labels).cloned();
    let gap = received::longest_gap(SERIES, (from, to), known).await;
    assert!(gap < 30.0 * INTERVAL, "{gap} s without samples");
    table::add(
        "helm upgrade with a rollout: the longest time without samples, of any target",
        "chart",
        format!("{gap:.1} s"),
    );
    table::add(
        "helm install --wait returned; then until all targets are scraped",
        "chart",
        format!("{:.1} s", from - began),
    );

    helm(world, &["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait"]);
    eventually("nothing of it is left", || async {
        let left: Vec<String> = objects(world).difference(&before).cloned().collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:#?}")) }
    })
    .await;
    world.cluster.kubectl(&["delete", "namespace", NAMESPACE]);
}

/// Installs or upgrades the release, and waits until it has rolled out.
fn upgrade(world: &World, values: &Value) {
    let file = world.cluster.plane.folder().join("values.json");
    std::fs::write(&file, values.to_string()).expect("a folder of ours");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/nodelocal-sd");
    let [file, chart] = [&file, &chart].map(|path| path.to_str().expect("UTF-8"));
    let release = ["upgrade", "--install", RELEASE, chart, "--namespace", NAMESPACE];
    helm(world, &[&release[..], &["--values", file, "--wait", "--timeout", "5m"]].concat());
}

fn helm(world: &World, arguments: &[&str]) {
    let helm = std::env::var_os("HELM").expect("HELM must name a helm, as .ci/run nodes sets it");
    let output = Command::new(helm)
        .args(arguments)
        .env("KUBECONFIG", world.cluster.plane.kubeconfig())
        .env("HOME", world.cluster.plane.folder()) // where it keeps what it caches
        .output()
        .expect("helm can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments:?}: {said}");
}

/// The names of the agents' Pods on the nodes.
async fn pods(world: &World) -> BTreeSet<String> {
    texts(&agents(world).await, "/metadata/name")
}

async fn agents(world: &World) -> Vec<Value> {
    world.cluster.staying_pods(NAMESPACE, "app.kubernetes.io/name=node-agent").await
}

/// What each of these has at that place.
fn texts(objects: &[Value], place: &str) -> BTreeSet<String> {
    let text = |object: &Value| object.pointer(place).and_then(Value::as_str).map(str::to_owned);
    objects.iter().map(|object| text(object).expect("each has one")).collect()
}

/// The live series of the release, if they are those of all nodes, or also those of none.
async fn scraped(world: &World, with_complement: bool) -> Result<BTreeSet<Labels>, String> {
    let live = received::live(SERIES).await?;
    let expected: BTreeSet<String> = world
        .expected()
        .await
        .iter()
        .filter_map(|line| {
            let line = line.strip_prefix("e ")?;
            (with_complement || !line.starts_with("external")).then(|| format!("helm {line}"))
        })
        .collect();
    let lines: BTreeSet<String> = live.iter().map(World::line).collect();
    if lines != expected || live.len() != expected.len() {
        return Err(format!("{lines:#?} instead of {expected:#?}"));
    }
    Ok(live.into_iter().map(|series| series.labels).collect())
}

/// What a release may leave behind: in its namespace, and what has none and is marked as a chart's (beside this, others
/// make objects too).
fn objects(world: &World) -> BTreeSet<String> {
    let of_namespace = "daemonsets,deployments,statefulsets,replicasets,pods,secrets,configmaps,services,serviceaccounts,\
        networkpolicies,podmonitors,prometheusrules,prometheusagents,roles,rolebindings,endpointslices";
    let of_cluster = "clusterroles,clusterrolebindings,flowschemas,prioritylevelconfigurations";
    let get = |arguments: &[&str]| {
        let said = world.cluster.kubectl(&[&["get", "-o", "name"], arguments].concat());
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut objects = BTreeSet::from_iter(get(&["-n", NAMESPACE, of_namespace]));
    objects.extend(get(&["-l", "app.kubernetes.io/managed-by=Helm", of_cluster]));
    objects
}
