//! A real Prometheus as the judge of rewritten configurations: with the operator's own it must have the same
//! final targets as with those of all nodes together.
//!
//! Ignored in a plain `cargo test`, because it needs the binary; `.ci/run prometheus` runs it.

use crate::support::http::{eventually, get};
use crate::support::prometheus::{Discovered, Prometheus, node_of};
use crate::support::served::{Served, example_cluster, plain};
use nodelocal_sd::config::{Config, Fate, Options, rewrite};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];
const RENDERED: &str = include_str!("data/rendered.yaml");

/// A target after relabelling: its job and its labels.
type Final = (String, BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Active {
    scrape_pool: String,
    discovered_labels: Discovered,
    labels: BTreeMap<String, String>,
}

async fn active(prometheus: &Prometheus) -> Vec<Active> {
    let body = get(&format!("{}/api/v1/targets?state=active", prometheus.url)).await;
    let mut answer: Value = serde_json::from_str(&body.expect("an answer")).expect("JSON");
    serde_json::from_value(answer["data"]["activeTargets"].take()).expect("targets")
}

fn finals<'a>(targets: impl Iterator<Item = &'a Active>) -> BTreeSet<Final> {
    targets.map(|target| (target.scrape_pool.clone(), target.labels.clone())).collect()
}

/// What Prometheus has understood, but for discovery.
async fn understood(prometheus: &Prometheus) -> String {
    let body = get(&format!("{}/api/v1/status/config", prometheus.url)).await.expect("an answer");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let (mut left, mut skipped) = (String::new(), None);
    for line in answer["data"]["yaml"].as_str().expect("a text").lines() {
        let indent = line.len() - line.trim_start().len();
        // A list stands as deep as its key.
        let inside =
            |key: usize| indent > key || indent == key && line.trim_start().starts_with("- ");
        if skipped.is_some_and(inside) {
            continue;
        }
        let discovery = ["kubernetes_sd_configs:", "http_sd_configs:"].contains(&line.trim_start());
        skipped = discovery.then_some(indent);
        if !discovery {
            left.push_str(line);
            left.push('\n');
        }
    }
    left
}

#[tokio::test]
#[ignore = "needs a Prometheus; run by .ci/run prometheus"]
async fn final_targets_are_the_same() {
    let (api_url, _) = example_cluster().await;
    let rendered = RENDERED.replace("api_server: API", &format!("api_server: {api_url}"));

    // As config-reloader would have filled it.
    let by_itself = Prometheus::start(&rendered.replace("$(SHARD)", "0")).await;
    let mut of_nodes = Vec::new();
    for node in NODES {
        let sidecar = Served::start(&plain(&api_url), node).await;
        let options = Options {
            sd_url: sidecar.url.clone(),
            refresh_interval: "1s".to_owned(),
            own_api_server: Some(api_url.clone()),
            ..Options::default()
        };
        let config = Config::read(&rendered).expect("a configuration");
        let rewriting =
            rewrite(config, Vec::new(), &options, &BTreeMap::new()).expect("it is good");
        let good = |fate: &Fate| matches!(fate, Fate::Rewritten);
        assert!(rewriting.jobs.iter().all(|job| good(&job.fate)), "{:#?}", rewriting.jobs);
        let prometheus = Prometheus::start(&rewriting.config.to_string()).await;
        of_nodes.push((node, prometheus, sidecar));
    }

    eventually("the same targets", || async {
        let all = active(&by_itself).await;
        let jobs: BTreeSet<&str> = all.iter().map(|target| &*target.scrape_pool).collect();
        if jobs.len() < RENDERED.matches("- job_name:").count() {
            return Err(format!("only these jobs have targets: {jobs:?}"));
        }
        let mut together = 0;
        for (node, prometheus, _) in &of_nodes {
            let expected =
                finals(all.iter().filter(|t| node_of(&t.discovered_labels) == Some(node)));
            let ours = finals(active(prometheus).await.iter());
            if ours != expected {
                let more: Vec<_> = ours.difference(&expected).take(2).collect();
                let less: Vec<_> = expected.difference(&ours).take(2).collect();
                return Err(format!("{node}: only ours {more:#?}, only its own {less:#?}"));
            }
            together += ours.len();
        }
        let assigned = all.iter().filter(|target| node_of(&target.discovered_labels).is_some());
        if finals(assigned).len() == together { Ok(()) } else { Err(format!("{together} targets")) }
    })
    .await;

    // Three rules less in each job, and nothing else.
    let (theirs, ours) = (understood(&by_itself).await, understood(&of_nodes[0].1).await);
    let sharding = |line: &&str| line.contains("__tmp_hash") || line.contains("hashmod");
    assert!(theirs.lines().any(|line| sharding(&line)));
    assert_eq!(ours.lines().find(sharding), None);
    assert_eq!(without_sharding(&theirs), ours);
}

/// The configuration as Prometheus prints it, without the rules that the operator puts at the end of each
/// job.
fn without_sharding(config: &str) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for line in config.lines() {
        let inside = line.starts_with("  - ") || line.starts_with("    ");
        skipping = line == "  - source_labels: [__address__, __tmp_hash]" || skipping && inside;
        if !skipping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}
