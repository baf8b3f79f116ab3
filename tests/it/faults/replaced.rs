//! An API server that is gone for an hour and comes back as another one: other objects, lower versions. Or
//! that is replaced at once.

use super::play::{MINUTE, SOON, cluster, start, truth};
use super::prometheus::{Prometheus, REFRESH};
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::{On, Simulator};
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn an_api_server_that_comes_back_with_other_objects() {
    for from in [EndpointsFrom::default(), EndpointsFrom::Slices] {
        for (away, soon) in [
            (60 * MINUTE, SOON),
            // Nothing tells: the watch is taken up where it was, and stays silent.
            (Duration::ZERO, 10 * MINUTE),
        ] {
            replaced(from, away, soon).await;
        }
    }
}

async fn replaced(from: EndpointsFrom, away: Duration, soon: Duration) {
    let simulator = cluster();
    let before = truth(&simulator, from).await;
    let asked = start(&simulator, from, Timing::default());
    let mut prometheus = Prometheus::default();
    assert!(prometheus.refresh_until(&asked, &before, MINUTE).await.is_some(), "syncs");

    let rule = simulator.fault(On::any().refuse());
    simulator.disconnect();
    let gone = Instant::now();
    while gone.elapsed() < away {
        prometheus.refresh(&asked).await;
        assert!(prometheus == before, "{:?}", prometheus.lacks(&before.targets()));
        sleep(REFRESH).await;
    }
    let other = Simulator::new();
    world::put(&other, world::node(NODE));
    for number in 0..PODS {
        let mut pod = world::pod(&format!("new-{number}"), NODE, &format!("10.9.0.{number}"));
        pod["metadata"]["ownerReferences"][0]["uid"] = "of another ReplicaSet".into();
        world::put(&other, pod);
    }
    let lower = other.resource_version();
    simulator.replace_all(world::objects(&other), lower).expect("good objects");
    let after = truth(&other, from).await;
    simulator.remove_fault(rule);
    let right = prometheus.refresh_until(&asked, &after, soon).await;
    assert!(right.is_some(), "away for {away:?}: {:?}", prometheus.lacks(&after.targets()));
}
