//! Changes of what is to be scraped, and how: monitors, credentials, and edits that somebody will regret.
//!
//! How long they take says little of a cluster, but for the parts that are ours: these kubelets look after Secrets every five
//! seconds (by default a minute), and the changes are spread over two (a minute).

use super::super::patience::eventually;
use super::super::received::{self, Series};
use super::super::span::Span;
use super::super::table;
use super::super::world::{A2, DEPLOYMENTS, E, SCRAPES, World};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const MONITOR: &str = "/apis/monitoring.coreos.com/v1/namespaces/shop/servicemonitors";
/// What the monitor `shop` finds.
const JOBS: [&str; 4] = ["web", "host", "api", "external"];
const HELD_UNTIL: &str = "nodelocal_sd_config_held_until_timestamp_seconds";
const LAST_WRITE: &str = "nodelocal_sd_config_last_write_timestamp_seconds";
/// Longer than a target takes to be scraped anew under other labels.
const SWITCH: f64 = 15.0;

/// A monitor gets a label and a credential, beside a new one that Prometheus would refuse and with it the whole
/// configuration; then the credential is another one.
pub(crate) async fn monitors_and_credentials_change(world: &World) {
    let api = &world.cluster.api;
    let secret = |value: &str| {
        json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "token", "namespace": "shop"}, "stringData": {"token": value}})
    };
    api.create(secret("first")).await;
    let bracket = json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
        "metadata": {"name": "bracket", "namespace": "shop"},
        "spec": {"selector": {}, "endpoints": [{"port": "metrics("}]}}); // no regular expression
    api.create(bracket).await;

    let edited = received::now();
    edit(
        world,
        &json!({"relabelings": [{"targetLabel": "edited", "replacement": "yes"}],
        "authorization": {"credentials": {"name": "token", "key": "token"}}}),
    )
    .await;
    measured("monitor edited: to samples with its new label", "edited", "yes", edited).await;
    arrives("authorization", "Bearer first", edited).await;
    refused_is_counted(world).await;

    let rotated = received::now();
    api.patch("/api/v1/namespaces/shop/secrets/token", &secret("second")).await;
    measured("credential rotated: to scrapes with it", "authorization", "Bearer second", rotated)
        .await;

    let restored = received::now();
    edit(world, &json!({})).await;
    measured("and back: to samples without label and credential", "edited", "", restored).await;
    api.delete(&format!("{MONITOR}/bracket")).await;
    api.delete("/api/v1/namespaces/shop/secrets/token").await;
    world.settles("all is as it was").await;
    let span = Span::of(world, edited, received::now()).await;
    span.nothing_twice();
    for deployment in DEPLOYMENTS {
        let gaps = span.gaps(deployment);
        table::add("during all of these, without samples", deployment.name, gaps.to_string());
        gaps.below(SWITCH, "a change of the configuration");
    }
}

/// The edit of a selector by which most targets would go is held, and nothing is lost until it is taken back.
pub(crate) async fn an_edit_that_takes_most_is_held(world: &World) {
    const A_WHILE: f64 = 6.0; // three scrapes
    let written = each_agents(world, LAST_WRITE).await;
    let agents = names(world).await;
    let from = received::now();
    select(world, &json!({"matchLabels": {"nobody": "has-this"}})).await;
    let held = eventually("all agents hold it", || async {
        let held = try_each_agents(HELD_UNTIL).await?;
        let missing: Vec<_> = agents.iter().filter(|of| !held.contains_key(*of)).collect();
        if missing.is_empty() { Ok(received::now()) } else { Err(format!("not {missing:?}")) }
    })
    .await;
    let span = Span::of(world, from, held + A_WHILE).await;
    select(world, &json!({"matchLabels": null})).await;
    eventually("nothing is held", || async {
        let held = try_each_agents(HELD_UNTIL).await?;
        if held.is_empty() { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
    world.settles("all is as it was").await;
    span.nothing_changed();
    for deployment in DEPLOYMENTS {
        let gaps = span.gaps(deployment);
        let seen = format!("{:.1} s; without samples: {gaps}", held - from);
        table::add(
            "an edit that would take most targets: until all hold it",
            deployment.name,
            seen,
        );
        gaps.below(A_WHILE, "an edit that is held");
    }
    let now = each_agents(world, LAST_WRITE).await;
    assert_eq!(now, written, "an agent was given what was taken back");
}

/// The endpoint of the monitor `shop` with more fields.
pub(super) async fn edit(world: &World, more: &Value) {
    let mut endpoint = json!({"port": "metrics"});
    endpoint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let patch = json!({"spec": {"endpoints": [endpoint]}});
    world.cluster.api.patch(&format!("{MONITOR}/shop"), &patch).await;
}

/// Waits until all that the monitor `shop` finds is scraped with that label, or without it if the value is empty.
/// For each deployment the seconds until the last target's first such sample.
pub(super) async fn arrives(label: &str, value: &str, since: f64) -> BTreeMap<&'static str, f64> {
    let found = |series: &Series| JOBS.contains(&series.label("job"));
    eventually(&format!("all samples have {label}={value:?}"), || async {
        let mut live = received::live(SCRAPES).await?;
        live.retain(found);
        let other: Vec<&Series> = live.iter().filter(|of| of.label(label) != value).collect();
        if other.is_empty() && !live.is_empty() { Ok(()) } else { Err(format!("{other:#?}")) }
    })
    .await;
    let mut series = received::since(SCRAPES, since).await.expect("the receiver answers");
    series.retain(found);
    let seconds = DEPLOYMENTS.map(|deployment| {
        let with = series.iter().filter(|of| of.label(label) == value);
        let with = with.filter(|of| of.label("deployment") == deployment.name);
        let firsts = with.map(|series| series.times[0]);
        (deployment.name, firsts.fold(since, f64::max) - since)
    });
    BTreeMap::from(seconds)
}

async fn measured(event: &str, label: &str, value: &str, since: f64) {
    for (deployment, seconds) in arrives(label, value, since).await {
        table::add(event, deployment, format!("{seconds:.1} s"));
    }
}

/// Each agent, and the complement, says that it has left out one job.
async fn refused_is_counted(world: &World) {
    let mut all = names(world).await;
    let selector = "app.kubernetes.io/name=node-agent-complement";
    let complement = world.cluster.pods(E.namespace, selector).await;
    all.extend(complement.iter().map(name_of));
    let expected: BTreeMap<String, f64> = all.into_iter().map(|name| (name, 1.0)).collect();
    eventually("the monitor that cannot be used is counted", || async {
        let refused = try_each_agents("nodelocal_sd_config_jobs{fate='refused'}").await?;
        if refused == expected { Ok(()) } else { Err(format!("{refused:?}")) }
    })
    .await;
}

/// The names of all agents' Pods.
async fn names(world: &World) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for deployment in DEPLOYMENTS {
        names.extend(world.agents(deployment).await.iter().map(name_of));
    }
    names
}

fn name_of(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().expect("a Pod has one").to_owned()
}

/// What each agent's sidecar says of itself, by the Pod's name.
async fn each_agents(world: &World, metric: &str) -> BTreeMap<String, f64> {
    let names = names(world).await;
    eventually(metric, || async {
        let mut values = try_each_agents(metric).await?;
        values.retain(|name, _| names.contains(name));
        if values.len() == names.len() { Ok(values) } else { Err(format!("{values:?}")) }
    })
    .await
}

async fn try_each_agents(metric: &str) -> Result<BTreeMap<String, f64>, String> {
    let results = received::query_for(metric).await?;
    let results = results.as_array().ok_or("no vector")?.iter().map(|result| {
        let pod = result["metric"]["pod"].as_str().expect("a label of the agents' PodMonitor");
        let value = result["value"][1].as_str().and_then(|value| value.parse().ok());
        (pod.to_owned(), value.expect("a number"))
    });
    Ok(results.collect())
}

/// Makes that the selector of what E scrapes, and of the PodMonitors of A2: those find most there, the agents
/// themselves among them.
async fn select(world: &World, selector: &Value) {
    for (deployment, agent, kinds) in [
        (E, "node-shadow", &["serviceMonitorSelector", "podMonitorSelector"][..]),
        (A2, "node", &["podMonitorSelector"][..]),
    ] {
        let of_kind = |kind: &&str| ((*kind).to_owned(), selector.clone());
        let spec: serde_json::Map<String, Value> = kinds.iter().map(of_kind).collect();
        let path = format!(
            "/apis/monitoring.coreos.com/v1alpha1/namespaces/{}/prometheusagents/{agent}",
            deployment.namespace
        );
        world.cluster.api.patch(&path, &json!({"spec": spec})).await;
    }
}
