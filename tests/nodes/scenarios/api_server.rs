//! The API server is away for two minutes, and meanwhile a sidecar and an agent are killed: no target is lost, and what
//! comes afterwards is found.

use super::super::node::Node;
use super::super::patience::eventually;
use super::super::received;
use super::super::table;
use super::super::watch::Watch;
use super::super::world::{DEPLOYMENTS, World};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const AWAY: Duration = Duration::from_secs(120);
/// What a process may ask within them: 60 in the first minute, then 30 in each.
const REQUESTS: f64 = 90.0;
/// In seconds. Longer than a container needs to start again, far shorter than what a lost target is missing for.
const NOT_LOST: f64 = 60.0;

/// What says that the API server is away.
const FAILING: &str = "NodelocalSdWatchFailing";
/// What a killed process may set off: seconds until it runs again are minutes in the time of the rules.
const OF_KILLED: [&str; 3] =
    ["NodelocalSdDiscoveryFailing", "NodelocalSdNodeWithoutAgent", "NodelocalSdSidecarDown"];

/// The sidecars of nodes; the complement's arguments begin otherwise.
const SIDECAR: &str = "^/nodelocal-sd run --config-in";
const PROMETHEUS: &str = "^/bin/prometheus ";

pub(crate) async fn is_away_for_two_minutes(world: &World) {
    world.settles("before the outage").await;
    received::quiet().await;
    all_is_saved(world).await;
    let cluster = &world.cluster;
    let watch = Watch::begin(world).await;
    let ends = tokio::time::Instant::now() + AWAY;
    cluster.plane.kill_api_server();
    // On node-b one has only what the other serves, and that one only what it has saved.
    for (node, process) in [("node-b", SIDECAR), ("node-b", PROMETHEUS), ("node-c", PROMETHEUS)] {
        comes_back(world, node, process).await;
    }
    tokio::time::sleep_until(ends).await; // the outage itself
    let back = received::now();
    cluster.plane.start_api_server();
    a_pod_is_found(world).await;

    for deployment in DEPLOYMENTS {
        let query = format!(
            "max(sum by (pod) (increase(nodelocal_sd_api_requests_total{{deployment=\"{}\"}}[{}s] @ {back})))",
            deployment.name,
            AWAY.as_secs()
        );
        let requests =
            received::value_of(&query).await.unwrap().expect("sidecars count their requests");
        table::add(
            "API server away: requests of a sidecar in 2 min, at most",
            deployment.name,
            format!("{requests:.0}"),
        );
        assert!(requests > 1.0, "{}: nobody has tried to reach it", deployment.name);
        assert!(requests < REQUESTS, "{}: {requests} requests", deployment.name);
    }
    for ((deployment, node), gap) in watch.gaps(watch.from, back).await {
        let what = match node {
            "node-b" => "; sidecars, then agents killed",
            "node-c" => "; agents killed",
            _ => "",
        };
        let event = format!("API server away for 2 min{what}: without samples");
        table::add(&event, &format!("{deployment} {node}"), format!("{gap:.1} s"));
        assert!(gap < NOT_LOST, "{deployment} {node}: no samples for {gap} s");
    }
    // Until then, and not that it ends: Services are listed again within three minutes, and what was saved counts as
    // stale until a bookmark has come, a minute later. In the time of the rules that is an hour and more.
    let mut fired = received::fired_since(watch.from).await.unwrap();
    fired.retain(|alert| alert.times[0] < back);
    let mut names: BTreeSet<&str> = fired.iter().map(|alert| alert.label("alertname")).collect();
    names.retain(|name| !OF_KILLED.contains(name));
    assert_eq!(names, BTreeSet::from([FAILING]), "{fired:#?}");

    world.settles("after the outage").await;
}

/// Changes something on each node, and waits until all sidecars have saved it, and with it what came before: a sidecar that
/// starts again in an outage has nothing else.
async fn all_is_saved(world: &World) {
    let changed = received::now();
    world.cluster.kubectl(&["-n", "shop", "label", "pods", "--all", "before=outage"]);
    let written = "min(nodelocal_sd_state_written_timestamp_seconds{job='node-agent'})";
    eventually("all sidecars have saved", || async {
        let written = received::value_of(written).await?;
        if written > Some(changed) { Ok(()) } else { Err(format!("{written:?}, not {changed}")) }
    })
    .await;
}

/// Kills the processes of a node with that command, and waits until as many others run.
async fn comes_back(world: &World, node: &str, process: &str) {
    let running = |node: &Node| -> Vec<String> {
        let all = node.within(&["sh", "-c", &format!("pgrep -f '{process}'; true")]);
        all.lines().map(str::to_owned).collect()
    };
    let before = world.cluster.node(node, running);
    assert!(before.len() >= DEPLOYMENTS.len(), "{node}: of {process} runs only {before:?}");
    let pids = before.iter().map(String::as_str);
    let kill: Vec<&str> = ["kill", "-9"].into_iter().chain(pids).collect();
    world.cluster.node(node, |node| node.within(&kill));
    eventually(&format!("{process} runs again on {node}"), || async {
        let now = world.cluster.node(node, running);
        let same = before.iter().any(|pid| now.contains(pid));
        if now.len() == before.len() && !same { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
}

/// Makes a Pod of the Service `api`, and waits until both deployments scrape it.
async fn a_pod_is_found(world: &World) {
    let created = received::now();
    let probe = json!({"tcpSocket": {"port": 9100}, "periodSeconds": 1});
    world
        .cluster
        .api
        .create(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "late", "namespace": "shop", "labels": {"app": "api"}},
            "spec": {"nodeName": "node-b", "terminationGracePeriodSeconds": 1, "containers": [
                {"name": "exporter", "image": "test.local/exporter:1", "args": ["9100"],
                    "ports": [{"name": "metrics", "containerPort": 9100}], "readinessProbe": probe}]}}))
        .await;
    let wait = ["-n", "shop", "wait", "pod/late", "--for=condition=Ready", "--timeout=300s"];
    world.cluster.kubectl(&wait);
    let ready = received::now();
    table::add(
        "API server back: a Pod is created, until its kubelet has it ready",
        "node-b",
        format!("{:.1} s", ready - created),
    );
    for deployment in DEPLOYMENTS {
        let selector =
            format!("exporter_scrapes_total{{pod=\"late\",deployment=\"{}\"}}", deployment.name);
        let first = eventually("the new Pod is scraped", || async {
            let series = received::since(&selector, created).await?;
            series.first().map(|series| series.times[0]).ok_or_else(|| "no series".to_owned())
        })
        .await;
        let after = first - ready; // none, if it is known before it is ready
        table::add(
            "API server back: from then until it is scraped",
            deployment.name,
            format!("{:.1} s", after.max(0.0)),
        );
    }
    world.cluster.api.delete("/api/v1/namespaces/shop/pods/late").await;
}
