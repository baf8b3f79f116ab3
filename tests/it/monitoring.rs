//! Alerts and dashboard: what they ask for exists, and each alert is tested and explained. Whether rules do what they
//! are meant to is played by promtool, on `manifests/monitoring/tests` (`.ci/run rules`).

use crate::admin::{SLICES, ask, following};
use crate::complement;
use crate::support::asked::{Asked, first};
use crate::support::http::{eventually, get};
use crate::support::prometheus::Prometheus;
use crate::support::world::{NODE, cluster};
use nodelocal_sd::index::{EndpointsFrom, Excluded};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::sidecar::Kept;
use nodelocal_sd::state::{Setup, StateFile};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// What the agents' PodMonitor adds, and the receiver may.
const OF_TARGETS: [&str; 4] = ["cluster", "job", "node", "pod"];

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rules() -> Vec<Value> {
    let rules: Value = serde_saphyr::from_str(&read("manifests/monitoring/rules.yaml")).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("manifests/monitoring/dashboard.json")).unwrap()
}

/// The values of that key, however deep.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == key => found.push(text),
                    _ => texts(value, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

/// Names of metrics and recorded series in a text, each with the labels that its matchers name.
fn asked_for(text: &str) -> Vec<(String, Vec<String>)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_part) {
        rest = &rest[at..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let name = name.trim_end_matches(':'); // of a sentence
        rest = after;
        let is_ours = ["nodelocal_sd_", "prometheus_", "kube_"].iter().any(|p| name.starts_with(p));
        if !is_ours && !name.contains(":nodelocal_sd_") {
            continue;
        }
        let matchers = after.strip_prefix('{').and_then(|rest| rest.split('}').next());
        let labels = matchers.unwrap_or_default().split(',').filter_map(|matcher| {
            let label = matcher.split(['=', '!']).next()?.trim();
            (!label.is_empty()).then(|| label.to_owned())
        });
        found.push((name.to_owned(), labels.collect()));
    }
    found
}

/// All metrics of a text in the format of OpenMetrics, as they are queried, with the labels of their samples.
fn metrics(text: &str, into: &mut BTreeMap<String, BTreeSet<String>>) {
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            let suffix = if kind == "counter" && !name.ends_with("_total") { "_total" } else { "" };
            into.entry(format!("{name}{suffix}")).or_default();
        } else if let Some((name, labels)) = line.split_once('{') {
            let labels = labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0));
            into.entry(name.to_owned()).or_default().extend(labels.map(str::to_owned));
        }
    }
}

/// What sidecars serve: one that follows a configuration, one that keeps its state, and a complement.
async fn served() -> BTreeMap<String, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let simulator = cluster();
    let (_following, of_agent) = following(&simulator, folder.path(), Some(SLICES));
    let start = first(NODE, EndpointsFrom::Slices);
    let file = StateFile::new(folder.path(), Setup::of(&start, "boot"));
    let kept = Kept { file, restored: None };
    let of_kept = Asked::kept(start, &simulator, Timing::alone(), kept).admin(None);
    let agents = Some(complement::agents());
    let complement = complement::start(&simulator, agents, Excluded::default());
    sleep(Duration::from_secs(60)).await;
    let mut served = BTreeMap::new();
    for admin in [of_agent, of_kept, complement.admin(None)] {
        metrics(&ask(&admin, "/metrics").await.1, &mut served);
    }
    served
}

#[tokio::test(start_paused = true)]
async fn every_metric_of_ours_that_is_asked_for_is_served() {
    let served = served().await;
    let rules = rules();
    let recorded: Vec<&str> = rules.iter().filter_map(|rule| rule["record"].as_str()).collect();
    let dashboard = dashboard();
    let mut places = vec![("docs/alerts.md", read("docs/alerts.md"))];
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    texts(&dashboard, "definition", &mut queries);
    assert!(queries.len() > 30, "the dashboard's queries: {}", queries.len());
    places.extend(queries.iter().map(|query| ("dashboard.json", (*query).to_owned())));
    places.extend(rules.iter().map(|rule| ("rules.yaml", rule.to_string().replace("\\\"", "\""))));
    let mut count = 0;
    for (place, text) in &places {
        for (name, labels) in asked_for(text) {
            if name.contains(':') {
                assert!(recorded.contains(&&*name), "{place}: nothing records {name}");
                continue;
            }
            if !name.starts_with("nodelocal_sd_") {
                continue; // those of others, below
            }
            count += 1;
            let own = served.get(&name).unwrap_or_else(|| panic!("{place}: nothing serves {name}"));
            let is_known = |label: &String| {
                OF_TARGETS.contains(&&**label) || own.is_empty() || own.contains(label)
            };
            for label in labels {
                assert!(is_known(&label), "{place}: {name} has no label {label}: {own:?}");
            }
        }
    }
    assert!(count > 60, "{count}");
}

#[test]
fn every_alert_is_tested_and_explained() {
    let page = read("docs/alerts.md");
    let tests: String =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/monitoring/tests"))
            .unwrap()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
    let mut alerts = BTreeSet::new();
    for rule in rules() {
        let Some(alert) = rule["alert"].as_str() else { continue };
        assert!(alerts.insert(alert.to_owned()), "{alert} twice");
        let fires = format!("alertname=\"{alert}\"");
        assert!(tests.contains(&fires), "{alert} is not tested");
        assert!(
            page.contains(&format!("\n### {alert}\n")),
            "docs/alerts.md has no section {alert}"
        );
        let url = rule["annotations"]["runbook_url"].as_str().unwrap();
        let anchor = format!("/docs/alerts.md#{}", alert.to_lowercase());
        assert!(url.starts_with("https://") && url.ends_with(&anchor), "{alert}: {url}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["info", "warning", "critical"].contains(&severity), "{alert}: {severity}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 40));
        }
    }
    let explained: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### NodelocalSd"))
        .map(|rest| format!("NodelocalSd{rest}"))
        .collect();
    assert_eq!(explained, alerts);
}

/// Two files of one text: kustomize cannot put the one into the other.
#[test]
fn the_prometheus_rule_is_the_file_of_rules() {
    let rules = read("manifests/monitoring/rules.yaml");
    let groups = rules.lines().skip_while(|line| *line != "groups:");
    let indented: String = groups.map(|line| format!("  {line}\n")).collect();
    let object = read("manifests/monitoring/prometheus-rule.yaml");
    let (head, there) = object.split_once("spec:\n").unwrap();
    assert!(head.contains("kind: PrometheusRule\n"));
    assert!(
        there == indented,
        "in manifests/monitoring:\n{{ sed '/^spec:/q' prometheus-rule.yaml; sed -n '/^groups:/,$ s/^/  /p' rules.yaml; }} >new && mv new prometheus-rule.yaml"
    );
}

#[test]
fn the_dashboard_is_one() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each has an id of its own");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{title}");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{title} lies on another one");
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
                assert!(target["expr"].as_str().unwrap().contains("$cluster"), "{title}");
            }
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables: Vec<&str> = variables.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "cluster", "node"]);
}

/// The same labels as in the rules, whatever the Pods are called.
#[test]
fn the_pod_monitor_gives_the_labels_that_rules_go_by() {
    let monitor: Value =
        serde_saphyr::from_str(&read("manifests/common/pod-monitor.yaml")).unwrap();
    for endpoint in monitor["spec"]["podMetricsEndpoints"].as_array().unwrap() {
        let rules = endpoint["relabelings"].as_array().unwrap();
        let labels: Vec<&str> =
            rules.iter().filter_map(|rule| rule["targetLabel"].as_str()).collect();
        assert_eq!(labels, ["node", "job", "job"], "{endpoint}");
    }
}

#[tokio::test]
#[ignore = "needs a Prometheus; run by .ci/run prometheus"]
async fn every_metric_of_prometheus_that_is_asked_for_is_served() {
    // A pool is there once there are targets (2.53); discovery must fail to be counted.
    let two = "scrape_configs:
- {job_name: a, static_configs: [{targets: ['127.0.0.1:1']}]}
- {job_name: b, http_sd_configs: [{url: 'http://127.0.0.1:1/', refresh_interval: 1s}]}
";
    let prometheus = Prometheus::start(two).await;
    let mut asked = BTreeSet::new();
    for rule in rules() {
        let names = asked_for(rule["expr"].as_str().unwrap()).into_iter();
        asked.extend(names.map(|(name, _)| name).filter(|name| name.starts_with("prometheus_")));
    }
    assert!(asked.len() >= 4, "{asked:?}");
    let samples = [
        "prometheus_sd_refresh_failures_total{",
        "mechanism=\"http\"",
        "prometheus_target_scrape_pool_targets{scrape_job=\"a\"}",
    ];
    eventually("the metrics", || async {
        let text = get(&format!("{}/metrics", prometheus.url)).await?;
        let mut served = BTreeMap::new();
        metrics(&text, &mut served);
        let missing: Vec<_> = asked.iter().filter(|name| !served.contains_key(*name)).collect();
        if missing.is_empty() && samples.iter().all(|sample| text.contains(sample)) {
            Ok(())
        } else {
            Err(format!("missing: {missing:?}"))
        }
    })
    .await;
}
