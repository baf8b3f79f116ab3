//! What has arrived at the receiver: the judge of all scenarios.

use super::patience::eventually;
use super::support::http::get;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Where the receiver's API is: `objects/receiver.yaml`.
const RECEIVER: &str = "http://10.200.0.11:9091";

/// How agents write to it: what they have, each second instead of each fifth.
pub(crate) fn remote_write() -> Value {
    json!([{"url": format!("{RECEIVER}/api/v1/write"), "queueConfig": {"batchSendDeadline": "1s"}}])
}

/// How often everything is scraped.
pub(crate) const INTERVAL: f64 = 2.0;
/// The longest time between two samples that is none without samples: one scrape may be late by almost another.
const PATIENCE: f64 = 2.0 * INTERVAL - 0.1;

/// What a series is known by.
pub(crate) type Labels = BTreeMap<String, String>;

/// A series, and when it was scraped, in seconds since 1970, oldest first. Without the samples that only mark an end.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) times: Vec<f64>,
}

// === impl Series ===

impl Series {
    /// A label's value; empty without it.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Without these labels.
    pub(crate) fn without(&self, names: &[&str]) -> Labels {
        let mut labels = self.labels.clone();
        labels.retain(|name, _| !names.contains(&&**name));
        labels
    }
}

/// Now, as the receiver counts time.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// The series that a selector finds with samples since that time.
pub(crate) async fn since(selector: &str, time: f64) -> Result<Vec<Series>, String> {
    let range = (now() - time).ceil().max(1.0);
    let query = format!("{selector}[{range}s]");
    let results = query_for(&query).await?;
    let series = results.as_array().expect("a matrix").iter().map(|result| Series {
        labels: labels_of(result),
        times: times(&result["values"]).filter(|at| *at >= time).collect(),
    });
    Ok(series.filter(|series| !series.times.is_empty()).collect())
}

/// Without the name, which not all queries give.
fn labels_of(result: &Value) -> Labels {
    let mut labels: Labels = serde_json::from_value(result["metric"].clone()).expect("labels");
    labels.remove("__name__");
    labels
}

fn times(values: &Value) -> impl Iterator<Item = f64> {
    let values = values.as_array().expect("samples").iter();
    values.map(|value| value[0].as_f64().expect("a time"))
}

/// The series that are scraped at this moment.
pub(crate) async fn live(selector: &str) -> Result<Vec<Series>, String> {
    // An instant query leaves out what has ended.
    let results = query_for(&format!("timestamp({selector})")).await?;
    let newest = now() - 2.0 * PATIENCE;
    let live = results.as_array().expect("a vector").iter().filter_map(|result| {
        let time: f64 = result["value"][1].as_str()?.parse().ok()?;
        (time > newest).then(|| Series { labels: labels_of(result), times: vec![time] })
    });
    Ok(live.collect())
}

/// What an expression gives now.
pub(crate) async fn query_for(query: &str) -> Result<Value, String> {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let answer = get(&format!("{RECEIVER}/api/v1/query?query={query}")).await?;
    let mut answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    Ok(answer["data"]["result"].take())
}

/// Waits until no alert fires, nor is about to: one that is pending may fire for what was before.
pub(crate) async fn quiet() {
    eventually("no alert is pending or fires", || async {
        let answer = get(&format!("{RECEIVER}/api/v1/alerts")).await?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        let alerts = answer["data"]["alerts"].as_array().ok_or("no alerts")?;
        if alerts.is_empty() { Ok(()) } else { Err(format!("{alerts:#?}")) }
    })
    .await;
}

/// The value of the only series that an expression gives; `None` if there is none.
pub(crate) async fn value_of(query: &str) -> Result<Option<f64>, String> {
    let results = query_for(query).await?;
    let value = results[0]["value"][1].as_str().and_then(|value| value.parse().ok());
    Ok(value)
}

/// The alerts that have fired since that time, and the times at which they did.
pub(crate) async fn fired_since(time: f64) -> Result<Vec<Series>, String> {
    since(r#"ALERTS{alertstate="firing"}"#, time).await
}

/// The longest time without a sample of a target within a span, in seconds beyond what is usual; 0 if there was none. Of
/// one that has several series one after the other, as after a change of labels, all count.
pub(crate) fn gap(series: &[&Series], from: f64, to: f64) -> f64 {
    let mut times: Vec<f64> = series.iter().flat_map(|series| series.times.clone()).collect();
    times.retain(|at| (from..to).contains(at));
    times.sort_by(f64::total_cmp);
    let ends = [from].into_iter().chain(times.iter().copied());
    let longest =
        ends.zip(times.iter().copied().chain([to])).map(|(a, b)| b - a).fold(0.0, f64::max);
    if longest <= PATIENCE { 0.0 } else { longest - INTERVAL }
}

/// Waits until what a selector finds, and was scraped before that time, which may be to come, is there.
pub(crate) async fn all_until(selector: &str, time: f64) {
    eventually("what was scraped until then has arrived", || async {
        let mut live = live(selector).await?;
        live.retain(|series| series.times.iter().all(|at| *at < time));
        if live.is_empty() && now() > time { Ok(()) } else { Err(format!("{live:#?}")) }
    })
    .await;
}

/// Of the targets that a selector finds, the longest time without a sample. `target` tells which one a series is of;
/// `None` leaves it out.
pub(crate) async fn longest_gap(
    selector: &str,
    (from, to): (f64, f64),
    target: impl Fn(&Series) -> Option<Labels>,
) -> f64 {
    all_until(selector, to).await;
    let all = since(selector, from).await.expect("the receiver answers");
    let mut targets: BTreeMap<Labels, Vec<&Series>> = BTreeMap::new();
    for series in &all {
        if let Some(target) = target(series) {
            targets.entry(target).or_default().push(series);
        }
    }
    assert!(!targets.is_empty(), "{selector}: the series have gone");
    targets.values().map(|series| gap(series, from, to)).fold(0.0, f64::max)
}

/// Every sample that a selector finds since that time has come from whom its labels name. On the host's network Pods say the
/// host's name.
pub(crate) async fn labels_are_true(selector: &str, time: f64) {
    let is_of_another = |series: &&Series| {
        let pod = series.label("pod");
        !pod.is_empty() && !pod.starts_with("host-") && series.label("self") != pod
    };
    let scraped = since(selector, time).await.expect("the receiver answers");
    let wrong: Vec<&Series> = scraped.iter().filter(is_of_another).collect();
    assert!(wrong.is_empty(), "scraped under another's labels: {wrong:#?}");
}
