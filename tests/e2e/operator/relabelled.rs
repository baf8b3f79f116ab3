//! What the rules of jobs do: our own relabelling, judged by Prometheus'.

use super::super::support::finals::active;
use super::super::support::http::get;
use super::super::support::prometheus::{Discovered, Prometheus};
use nodelocal_sd::config::{Config, Expressions, Relabelling};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Our own relabelling, of each target that Prometheus has discovered.
pub(crate) async fn rules_do_the_same(prometheus: &Prometheus, rendered: &str) {
    let config = Config::read(rendered).expect("a configuration");
    let mut expressions = Expressions::default();
    let jobs: BTreeMap<String, Relabelling> = config
        .into_jobs()
        .into_iter()
        .map(|(name, job)| (name, Relabelling::of(&job, &mut expressions)))
        .collect();
    let (mut kept, mut dropped) = (0, 0);
    for (job, discovered, theirs) in relabelled(prometheus).await {
        let ours = jobs[&job].apply(discovered.clone()).map(|mut labels| {
            let address = labels.get("__address__").cloned().unwrap_or_default();
            labels.retain(|name, _| !name.starts_with("__"));
            labels.entry("instance".to_owned()).or_insert(address);
            labels
        });
        assert_eq!(ours, theirs, "{job}: {discovered:?}");
        *if theirs.is_some() { &mut kept } else { &mut dropped } += 1;
    }
    assert!(kept > 10 && dropped > 10, "{kept} kept, {dropped} dropped");
}

/// All that a Prometheus has discovered, with what it has made of each: labels, or nothing where its rules
/// drop the target.
async fn relabelled(prometheus: &Prometheus) -> Vec<(String, Discovered, Option<Discovered>)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Dropped {
        #[serde(default)]
        scrape_pool: String,
        discovered_labels: Discovered,
    }
    let mut all: Vec<_> = active(prometheus)
        .await
        .into_iter()
        .map(|target| (target.scrape_pool, target.discovered_labels, Some(target.labels)))
        .collect();
    let body = get(&format!("{}/api/v1/targets?state=dropped", prometheus.url)).await;
    let mut answer: Value = serde_json::from_str(&body.expect("an answer")).expect("JSON");
    let dropped: Vec<Dropped> =
        serde_json::from_value(answer["data"]["droppedTargets"].take()).expect("targets");
    all.extend(dropped.into_iter().map(|target| {
        let job = target.discovered_labels.get("job").cloned().unwrap_or_default();
        let pool = if target.scrape_pool.is_empty() { job } else { target.scrape_pool };
        (pool, target.discovered_labels, None)
    }));
    all
}
