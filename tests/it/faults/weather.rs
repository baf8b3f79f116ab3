//! Random changes under random faults for an hour; then, once it is quiet, the state equals one
//! computed afresh. The requests stay bounded all the time.

use super::play::{MINUTE, SOON, cluster, most_within, start, truth};
use super::prometheus::Prometheus;
use super::rows::rows;
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn random_weather() {
    for seed in 0..12 {
        let from = if seed % 2 == 0 { EndpointsFrom::default() } else { EndpointsFrom::Slices };
        let mut random = fastrand::Rng::with_seed(seed);
        let simulator = cluster();
        let asked = start(&simulator, from, Timing::default());
        let mut prometheus = Prometheus::default();
        let mut rules: Vec<Vec<_>> = Vec::new();
        for _ in 0..60 {
            for _ in 0..random.u32(0..5) {
                let number = random.usize(0..PODS);
                let name = world::pod_name(number);
                match random.u8(0..4) {
                    0 => drop(simulator.delete("Pod", "shop", &name)),
                    1 => {
                        let moved = format!("10.5.0.{number}");
                        world::put(&simulator, world::pod(&name, NODE, &moved));
                    }
                    2 => world::put(&simulator, world::pod(&name, "node-b", "10.6.0.1")),
                    _ => world::put(&simulator, world::slice((0..PODS).filter(|_| random.bool()))),
                }
            }
            if random.u8(0..3) == 0 {
                simulator.disconnect();
            }
            if random.u8(0..6) == 0 {
                simulator.compact();
            }
            if random.bool() {
                let faults = rows();
                let row = random.choice(&faults).expect("there are rows");
                rules.push(row.rules.iter().map(|rule| simulator.fault(rule.clone())).collect());
            } else if let Some(ended) = rules.pop() {
                ended.into_iter().for_each(|rule| simulator.remove_fault(rule));
            }
            prometheus.refresh(&asked).await;
            assert!(!prometheus.has_an_empty_answer(), "seed {seed}: an empty answer");
            sleep(MINUTE).await;
        }
        simulator.clear_faults();
        simulator.compact(); // an event that was left out is told of by a list alone
        simulator.disconnect();
        let times: Vec<Instant> = simulator.requests().iter().map(|request| request.at).collect();
        let most = most_within(&times, 10 * MINUTE);
        assert!(most <= 300, "seed {seed}: {most} requests in ten minutes");
        let truth = truth(&simulator, from).await;
        let right = prometheus.refresh_until(&asked, &truth, SOON).await;
        let missing = prometheus.lacks(&truth.targets());
        assert!(
            right.is_some(),
            "seed {seed}: not right {SOON:?} after the last fault; missing {missing:?}"
        );
    }
}
