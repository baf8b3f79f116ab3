//! Nodes come, go, die and are cut off from their kubelet.

use super::super::cluster::{Cluster, condition_of_ready};
use super::super::node::Node;
use super::super::patience::eventually;
use super::super::received;
use super::super::table;
use super::super::watch::Watch;
use super::super::world::{COMPLEMENT, DEPLOYMENTS, E, World};
use serde_json::{Value, json};

/// In seconds; far shorter than what a lost target is missing for.
const NOT_LOST: f64 = 60.0;
/// The complement may have been on a node that is drained, and starts elsewhere.
const COMPLEMENT_MOVES: f64 = 120.0;
/// How long the complement waits here, instead of five minutes.
const DELAY: f64 = 20.0;

/// The kubelet of node-b is away and node-c is dead, for long enough that the complement takes over both.
pub(crate) async fn one_is_dead_and_the_kubelet_of_another_is_away(world: &World) {
    let cluster = &world.cluster;
    received::quiet().await;
    let at_rest = received::now();
    hurry_complement(cluster);
    world.settles("before nodes fail").await;
    assert_eq!(alerts(at_rest).await, [""; 0], "nothing is wrong yet");

    let watch = Watch::begin(world).await;
    let web_b = the_web_of(cluster, "node-b").await;
    let web_c = the_web_of(cluster, "node-c").await;
    cluster.node("node-b", Node::hold_kubelet);
    cluster.kill("node-c");
    let broke = received::now();
    let dead = ["NodelocalSdNodeWithoutAgent node-c"];
    eventually("the alert for the dead node", || async {
        let firing = alerts(broke).await;
        if firing == dead { Ok(()) } else { Err(format!("{firing:?}")) }
    })
    .await;
    row("node dead: alert (a minute of its rule takes 2 s)", "both", received::now() - broke);
    for node in ["node-b", "node-c"] {
        eventually(&format!("{node} is not ready"), || async {
            let node = cluster.api.get(&format!("/api/v1/nodes/{node}")).await;
            not(condition_of_ready(&node).expect("it has been"), &node["status"])
        })
        .await;
    }
    let not_ready = received::now();
    row("kubelet away: node NotReady", "node-b", not_ready - broke);
    eventually("endpoints of node-b are not ready", || async {
        let path = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
        let ready = ready_on(&cluster.api.get(path).await, "node-b");
        not(ready.iter().any(|ready| *ready), &ready)
    })
    .await;
    let served =
        "min_over_time(timestamp(nodelocal_sd_nodes_without_agent{deployment=\"e\"} == 2)[60s:1s])";
    let taken = eventually("the complement serves both nodes", || async {
        received::value_of(served).await?.ok_or_else(|| "it does not".to_owned())
    })
    .await;
    row("node dead, or kubelet away: complement takes over (delay 20 s)", "e", taken - broke);
    assert!(taken > not_ready + DELAY - 5.0, "{taken} is too early: {not_ready} is NotReady");
    // Whom a monitor does not let forget that a target is gone.
    eventually("the dead node's targets are down", || async {
        let up = received::value_of(&format!("up{{deployment=\"e\",pod=\"{web_c}\"}}")).await?;
        if up == Some(0.0) { Ok(()) } else { Err(format!("up is {up:?}")) }
    })
    .await;
    row("node dead: up 0 for its targets, by the complement", "e", received::now() - broke);
    let of_a2 = received::value_of(&format!("up{{deployment=\"a2\",pod=\"{web_c}\"}}")).await;
    assert_eq!(of_a2.unwrap(), None, "nobody of A2 is there to say anything");
    let before = scrapers(&web_b, broke, taken).await;
    let after =
        eventually("the complement scrapes the node that has only lost its kubelet", || async {
            let now = received::now();
            let after = scrapers(&web_b, now - 10.0, now).await;
            if after > 2.5 { Ok(after) } else { Err(format!("{after} scrape {web_b}")) }
        })
        .await;
    table::add(
        "kubelet away: who scrape a target of the node, before and after the delay",
        "e",
        format!("{:.1}, {:.1}", before - 1.0, after - 1.0),
    );
    assert!(before < 2.5, "{before} scrape {web_b}, not only its two agents");

    cluster.node("node-b", Node::release_kubelet);
    cluster.add("node-c");
    let back = received::now();
    // Also while two write the same series. Without its out-of-order window the receiver would refuse whole requests.
    without_samples(&watch, back, "node dead, another's kubelet away").await;
    assert_eq!(alerts(broke).await, dead, "for no other node, and no other alert");
    for node in ["node-b", "node-c"] {
        cluster.is_ready(node).await;
    }
    world.settles("after nodes have failed").await;
    row("node starts again: all of its targets are scraped", "both", received::now() - back);
    received::quiet().await;
    row("node starts again: no alert is left", "both", received::now() - back);
    cluster.kubectl(&["-n", E.namespace, "rollout", "undo", COMPLEMENT]);
    cluster.rolled_out(E.namespace, COMPLEMENT);
    world.settles("with the complement as it was").await;
}

/// node-c is drained, removed, and added again.
pub(crate) async fn one_is_drained_removed_and_added(world: &World) {
    let cluster = &world.cluster;
    world.settles("before the drain").await;
    received::quiet().await;
    let watch = Watch::begin(world).await;
    let drained = received::now();
    cluster.kubectl(&[
        "drain",
        "node-c",
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
    ]);
    world.settles("after the drain").await;
    row(
        "drain: all that moved is scraped where it is, and nothing where it was",
        "both",
        received::now() - drained,
    );
    let moved = cluster.pods("shop", "app=api").await;
    assert!(moved.iter().all(|pod| pod["spec"]["nodeName"] != "node-c"), "{moved:#?}");

    let removed = received::now();
    cluster.kill("node-c");
    cluster.kubectl(&["delete", "node", "node-c"]);
    cluster.kubectl(&["delete", "pods", "-A", "--field-selector=spec.nodeName=node-c", "--force"]);
    world.settles("without the node").await;
    row("node removed: its series have ended", "both", received::now() - removed);
    let mut noise = alerts(drained).await;
    // Its Pod may have been on the node, and starts elsewhere: in the time of the rules that takes ten minutes.
    noise.retain(|alert| alert != "NodelocalSdComplementDown");
    assert_eq!(noise, [""; 0], "maintenance makes no noise");
    without_samples(&watch, received::now(), "node drained and removed").await;

    cluster.add("node-c");
    let added = received::now();
    cluster.is_ready("node-c").await;
    row("node added: it is Ready", "node-c", received::now() - added);
    for deployment in DEPLOYMENTS {
        world.rolled_out(deployment).await;
    }
    world.settles("with the new node").await;
    let web = the_web_of(cluster, "node-c").await;
    for deployment in DEPLOYMENTS {
        let selector =
            format!("exporter_scrapes_total{{pod=\"{web}\",deployment=\"{}\"}}", deployment.name);
        let series = received::since(&selector, added).await.unwrap();
        row(
            "node added: a Pod of a DaemonSet on it is scraped",
            deployment.name,
            series[0].times[0] - added,
        );
    }
}

/// Notes for how long targets of the other nodes than node-c were not scraped; none may be lost.
async fn without_samples(watch: &Watch, to: f64, event: &str) {
    let gaps = watch.gaps(watch.from, to).await;
    for ((deployment, node), gap) in gaps.into_iter().filter(|((_, node), _)| *node != "node-c") {
        row(&format!("{event}: without samples"), &format!("{deployment} {node}"), gap);
        let bound = if node == "no node" { COMPLEMENT_MOVES } else { NOT_LOST };
        assert!(gap < bound, "{deployment} {node}: no samples for {gap} s");
    }
}

/// Has the complement take nodes over earlier, and run where nothing fails.
fn hurry_complement(cluster: &Cluster) {
    let of_pod = "/spec/template/spec";
    let patch = json!([
        {"op": "add", "path": format!("{of_pod}/initContainers/0/args/-"),
            "value": format!("--agent-delay={DELAY}s")},
        {"op": "add", "path": format!("{of_pod}/nodeSelector/kubernetes.io~1hostname"),
            "value": "node-a"}]);
    let patch = patch.to_string();
    cluster.kubectl(&["-n", E.namespace, "patch", COMPLEMENT, "--type=json", "-p", &patch]);
    cluster.rolled_out(E.namespace, COMPLEMENT);
}

/// The alerts that have fired since that time, with their node.
async fn alerts(since: f64) -> Vec<String> {
    let fired = received::fired_since(since).await.unwrap();
    let name = |alert: &received::Series| {
        format!("{} {}", alert.label("alertname"), alert.label("node")).trim().to_owned()
    };
    fired.iter().map(name).collect()
}

/// How many scrape a target, by what it counts itself. Read off the series of A2, which has one writer.
async fn scrapers(pod: &str, from: f64, to: f64) -> f64 {
    let selector = format!("exporter_scrapes_total{{deployment=\"a2\",pod=\"{pod}\"}}");
    let span = (to - from).floor();
    let query = format!("rate({selector}[{span}s] @ {to}) * {}", received::INTERVAL);
    received::value_of(&query).await.unwrap().expect("its agent scrapes it")
}

/// The name of the Pod of the DaemonSet `web` on a node.
async fn the_web_of(cluster: &Cluster, node: &str) -> String {
    let pods = cluster.pods("shop", "app=web").await;
    let pod = pods.iter().find(|pod| pod["spec"]["nodeName"] == node).expect("one on each node");
    pod["metadata"]["name"].as_str().expect("a name").to_owned()
}

/// What the endpoints of a node say of themselves.
fn ready_on(slices: &Value, node: &str) -> Vec<bool> {
    let slices = slices["items"].as_array().into_iter().flatten();
    let endpoints = slices.filter_map(|slice| slice["endpoints"].as_array()).flatten();
    let of_node = endpoints.filter(|endpoint| endpoint["nodeName"] == node);
    of_node.map(|endpoint| endpoint["conditions"]["ready"] == true).collect()
}

fn not(wrong: bool, why: &impl std::fmt::Debug) -> Result<(), String> {
    if wrong { Err(format!("{why:?}")) } else { Ok(()) }
}

fn row(event: &str, of: &str, seconds: f64) {
    table::add(event, of, format!("{seconds:.1} s"));
}
