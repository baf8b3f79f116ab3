//! A real Prometheus as the judge of rewritten configurations: with the operator's own it must have the same
//! final targets as with those of all nodes together.
//!
//! Ignored in a plain `cargo test`, because it needs the binary; `.ci/run prometheus` runs it.

use crate::support::asked::Asked;
use crate::support::finals::{active, finals, understood, without_sharding};
use crate::support::http::eventually;
use crate::support::prometheus::{Prometheus, node_of};
use crate::support::served::{Served, example_cluster, plain};
use nodelocal_sd::agent::{AgentState, Settings};
use nodelocal_sd::config::{Config, Fate, Options, Waits, rewrite};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::Simulator;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];
const RENDERED: &str = include_str!("data/rendered.yaml");

/// A sidecar that follows the configuration.
struct Following {
    state: Arc<AgentState>,
    _asked: Asked,
    _folder: TempDir,
}

impl Following {
    fn start(node: &str, config: &str, options: &Options, simulator: &Simulator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config_in = folder.path().join("in.yaml");
        std::fs::write(&config_in, config).unwrap();
        let settings = Settings {
            node: node.to_owned(),
            config_in,
            jobs_from: Vec::new(),
            config_out: folder.path().join("out.yaml"),
            reload_url: None,
            state_dir: None,
            options: Options { endpoints_from: EndpointsFrom::Slices, ..options.clone() },
            compat: nodelocal_sd::sd::Compat::Auto,
            waits: Waits { hold: Duration::ZERO, spread: Duration::ZERO, pause: Duration::ZERO },
        };
        let asked = Asked::start(simulator, node, Timing::alone());
        Self { state: asked.follow(settings), _asked: asked, _folder: folder }
    }
}

#[tokio::test]
#[ignore = "needs a Prometheus; run by .ci/run prometheus"]
async fn final_targets_are_the_same() {
    let (api_url, simulator) = example_cluster().await;
    let rendered = RENDERED.replace("api_server: API", &format!("api_server: {api_url}"));

    // As config-reloader would have filled it.
    let by_itself = Prometheus::start(&rendered.replace("$(SHARD)", "0")).await;
    let mut of_nodes = Vec::new();
    let mut following = Vec::new();
    for node in NODES {
        let sidecar = Served::start(&plain(&api_url), node).await;
        let options = Options {
            sd_url: sidecar.url.clone(),
            refresh_interval: "1s".to_owned(),
            own_api_server: Some(api_url.clone()),
            ..Options::default()
        };
        following.push(Following::start(node, &rendered, &options, &simulator));
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

    // What the sidecars expect is scraped. They count as the newest Prometheus does; one before 3.11 scrapes more,
    // both families of a dual-stack Service.
    for ((node, prometheus, _), following) in of_nodes.iter().zip(&following) {
        eventually("what is expected", || async {
            let mut scraped = BTreeMap::new();
            for target in active(prometheus).await {
                *scraped.entry(target.scrape_pool).or_insert(0) += 1;
            }
            let expected = following.state.view().targets;
            let is_scraped = scraped.keys().eq(expected.keys())
                && expected.iter().all(|(job, count)| *count <= scraped[job]);
            let same = expected.iter().filter(|(job, count)| **count == scraped[*job]).count();
            // One job of the example is of a dual-stack Service.
            if is_scraped && same + 1 >= expected.len() {
                Ok(())
            } else {
                Err(format!("{node}: {expected:?}, {scraped:?}"))
            }
        })
        .await;
    }

    // Three rules less in each job, and nothing else.
    let (theirs, ours) = (understood(&by_itself).await, understood(&of_nodes[0].1).await);
    let sharding = |line: &&str| line.contains("__tmp_hash") || line.contains("hashmod");
    assert!(theirs.lines().any(|line| sharding(&line)));
    assert_eq!(ours.lines().find(sharding), None);
    assert_eq!(without_sharding(&theirs), ours);
}
