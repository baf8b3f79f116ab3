//! Changes of Pods on other nodes, at a steady rate.

use crate::cluster::Cluster;
use crate::job::NODE;
use crate::objects::Pod;
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

pub(crate) const CHANGES: usize = 1_000;

/// Slow enough that the controllers need not take several changes of a Service together.
const EVERY: Duration = Duration::from_millis(20);

/// Pods elsewhere stop being ready, or are ready again: two rounds leave nothing behind.
pub(crate) async fn make(cluster: &Cluster, ready: bool) {
    let pods = cluster.size.services().flat_map(|service| {
        service.nodes().filter(|node| *node != NODE).map(move |node| service.pod(node))
    });
    // Spread over the cluster, so that no Service changes twice in a row.
    let mut pods: Vec<Pod> = pods.collect();
    fastrand::Rng::with_seed(1).shuffle(&mut pods);
    assert!(pods.len() >= CHANGES, "there are not as many Pods elsewhere");
    let mut clock = tokio::time::interval(EVERY);
    let mut patches = JoinSet::new();
    for pod in pods.into_iter().take(CHANGES) {
        clock.tick().await;
        let api = cluster.api.clone();
        patches.spawn(async move {
            let status = json!({"status": pod.status(ready)});
            api.patch(&format!("{}/status", pod.path()), &status).await;
        });
    }
    patches.join_all().await;
}
