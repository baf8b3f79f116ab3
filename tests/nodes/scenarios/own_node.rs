//! Three nodes at rest: every agent scrapes its own node's targets and no others, kubelet and cAdvisor among them, none
//! is missed, none is scraped twice, and what belongs to no node is the complement's.

use super::super::node::NAMES;
use super::super::patience::eventually;
use super::super::received::{self, Series};
use super::super::support::finals::{Active, active_at};
use super::super::support::prometheus::node_of;
use super::super::world::{DEPLOYMENTS, Deployment, E, World};
use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) async fn is_all_that_an_agent_scrapes(world: &World) {
    world.settles("each target is scraped once").await;
    for deployment in DEPLOYMENTS {
        for agent in world.agents(deployment).await {
            let node = agent["spec"]["nodeName"].as_str().expect("it is scheduled");
            let targets = targets_of(&agent).await;
            let of_others: Vec<_> =
                targets.iter().filter(|of| node_of(&of.discovered_labels) != Some(node)).collect();
            assert!(
                of_others.is_empty(),
                "{deployment:?} on {node} scrapes {:#?}",
                names(&of_others)
            );
            let pools: BTreeSet<&str> = targets.iter().map(|target| &*target.scrape_pool).collect();
            for pool in [
                "podMonitor/shop/batch/0",
                "serviceMonitor/monitoring/kubelet/0",
                "serviceMonitor/monitoring/kubelet/1",
                "serviceMonitor/shop/shop/0",
            ] {
                assert!(pools.contains(pool), "{deployment:?} on {node} has {pools:?}");
            }
        }
    }
    let complement =
        world.cluster.pods(E.namespace, "app.kubernetes.io/name=node-agent-complement").await;
    let targets = targets_of(&complement[0]).await;
    let of_nodes: Vec<_> =
        targets.iter().filter(|of| node_of(&of.discovered_labels).is_some()).collect();
    assert!(of_nodes.is_empty(), "the complement scrapes {:#?}", names(&of_nodes));
    assert_eq!(targets.len(), 1, "the endpoint of no node");
    kubelets_are_scraped_once().await;
}

async fn targets_of(agent: &Value) -> Vec<Active> {
    let ip = agent["status"]["podIP"].as_str().expect("it runs");
    active_at(&format!("http://{ip}:9090")).await
}

fn names(targets: &[&Active]) -> Vec<String> {
    targets.iter().map(|target| format!("{} {:?}", target.scrape_pool, target.labels)).collect()
}

/// Each kubelet's own metrics and those of its cAdvisor, in each deployment.
async fn kubelets_are_scraped_once() {
    for metric in ["kubelet_node_name", "cadvisor_version_info"] {
        eventually(metric, || async {
            let live = received::live(metric).await?;
            let of = |deployment: &Deployment| {
                let of = live.iter().filter(|series| series.label("deployment") == deployment.name);
                let mut nodes: Vec<&str> = of.map(|series: &Series| series.label("node")).collect();
                nodes.sort_unstable();
                nodes
            };
            let wrong = DEPLOYMENTS.iter().find(|deployment| of(deployment) != NAMES);
            wrong.map_or(Ok(()), |deployment| Err(format!("{deployment:?}: {live:#?}")))
        })
        .await;
    }
}
