//! A real Prometheus as the judge of rewritten configurations: with the operator's own it must have the same
//! final targets as with those of all nodes together.
//!
//! Ignored in a plain `cargo test`, because it needs the binary; `.ci/run prometheus` runs it.

use crate::support::finals::{active, finals, understood, without_sharding};
use crate::support::http::eventually;
use crate::support::prometheus::{Prometheus, node_of};
use crate::support::served::{Served, example_cluster, plain};
use nodelocal_sd::config::{Config, Fate, Options, rewrite};
use std::collections::{BTreeMap, BTreeSet};

const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];
const RENDERED: &str = include_str!("data/rendered.yaml");

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
