//! What a Prometheus has made of its configuration: the targets after relabelling, and how it understood it.

use super::http::get;
use super::prometheus::{Discovered, Prometheus};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A target after relabelling: its job, what is scraped, and its labels.
pub(crate) type Final = (String, String, BTreeMap<String, String>);

/// A target that is scraped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Active {
    pub(crate) scrape_pool: String,
    scrape_url: String,
    pub(crate) discovered_labels: Discovered,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The targets that it scrapes.
pub(crate) async fn active(prometheus: &Prometheus) -> Vec<Active> {
    active_at(&prometheus.url).await
}

/// The targets that the Prometheus at that URL scrapes.
pub(crate) async fn active_at(url: &str) -> Vec<Active> {
    let body = get(&format!("{url}/api/v1/targets?state=active")).await;
    let mut answer: Value = serde_json::from_str(&body.expect("an answer")).expect("JSON");
    serde_json::from_value(answer["data"]["activeTargets"].take()).expect("targets")
}

/// Those of the targets that differ.
pub(crate) fn finals<'a>(targets: impl Iterator<Item = &'a Active>) -> BTreeSet<Final> {
    let of = |target: &Active| {
        (target.scrape_pool.clone(), target.scrape_url.clone(), target.labels.clone())
    };
    targets.map(of).collect()
}

/// What Prometheus has understood, but for discovery.
pub(crate) async fn understood(prometheus: &Prometheus) -> String {
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

/// The configuration as Prometheus prints it, without the rules that the operator puts at the end of each
/// job.
pub(crate) fn without_sharding(config: &str) -> String {
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
