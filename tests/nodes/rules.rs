//! The rules of `manifests/monitoring` as the receiver evaluates them: in a time that runs faster, so that nobody waits
//! for ten minutes. Only durations are shortened; a rule that compares with a number of seconds or of requests cannot
//! fire here (`NodelocalSdWatchStale` by age, `NodelocalSdRequestBudgetExhausted`, `NodelocalSdConfigNotApplied`).

use regex_lite::{Captures, Regex};
use serde_json::{Value, json};

/// How many seconds stand for a minute.
const MINUTE: u32 = 2;

const RULES: &str = include_str!("../../manifests/monitoring/rules.yaml");

/// What the receiver is configured with. It scrapes one target itself: what stands for kube-state-metrics.
pub(crate) fn of_receiver(state_metrics: &str) -> Value {
    let prometheus = json!({
        // As docs/operations.md asks of a receiver: agent and complement may write the same series for a while.
        "storage": {"tsdb": {"out_of_order_time_window": "10m"}},
        "global": {"evaluation_interval": "1s", "scrape_interval": "2s"},
        "rule_files": ["/etc/receiver/rules.yaml"],
        "scrape_configs": [{"job_name": "kube-state-metrics", "honor_labels": true,
            "static_configs": [{"targets": [state_metrics], "labels": {"cluster": "one"}}]}]});
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "receiver", "namespace": "receiver"},
        "data": {"prometheus.yaml": prometheus.to_string(), "rules.yaml": hurried(RULES)}})
}

/// Rules with each duration shortened.
fn hurried(rules: &str) -> String {
    let duration = Regex::new(r"(\[|offset |for: |interval: )(\d+)([mhd])").expect("a good regex");
    let shorter = |found: &Captures<'_>| {
        let number: u32 = found[2].parse().expect("digits");
        let minutes = match &found[3] {
            "m" => 1,
            "h" => 60,
            _ => 24 * 60,
        };
        format!("{}{}s", &found[1], number * minutes * MINUTE)
    };
    duration.replace_all(rules, shorter).into_owned()
}
