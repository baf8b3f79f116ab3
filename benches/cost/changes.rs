//! Changes of Pods on other nodes, at a steady rate.

use crate::cluster::Cluster;
use crate::job::NODE;
use crate::objects::Pod;
use futures_util::StreamExt as _;
use serde_json::json;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

pub(crate) const CHANGES: usize = 1_000;

/// Slow enough that the controllers need not take several changes of a Service together.
const EVERY: Duration = Duration::from_millis(20);

/// Requests at once.
const AT_ONCE: usize = 16;

/// Pods elsewhere stop being ready, or are ready again: two rounds leave nothing behind.
pub(crate) async fn make(cluster: &Cluster, ready: bool) {
    let pods = cluster.size.services().flat_map(|service| {
        service.nodes().filter(|node| *node != NODE).map(move |node| service.pod(node))
    });
    // Spread over the cluster, so that no Service changes twice in a row.
    let mut pods: Vec<Pod> = pods.collect();
    fastrand::Rng::with_seed(1).shuffle(&mut pods);
    assert!(pods.len() >= CHANGES, "there are not as many Pods elsewhere");
    at_a_rate(EVERY, pods.into_iter().take(CHANGES), async |pod: Pod| {
        let status = json!({"status": pod.status(ready)});
        cluster.api.patch(&format!("{}/status", pod.path()), &status).await;
    })
    .await;
}

/// Does something with each Pod, one after the other at a rate; slower if the server is.
pub(crate) async fn at_a_rate(
    every: Duration,
    pods: impl Iterator<Item = Pod>,
    work: impl AsyncFn(Pod),
) {
    let mut clock = interval(every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let clock = futures_util::stream::poll_fn(|context| clock.poll_tick(context).map(Some));
    clock
        .zip(futures_util::stream::iter(pods))
        .for_each_concurrent(AT_ONCE, |(_, pod)| work(pod))
        .await;
}
