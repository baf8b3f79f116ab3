//! Playing one fault in virtual time, and measuring it.

use super::prometheus::{Prometheus, REFRESH};
use super::rows::Row;
use crate::support::asked::Asked;
use crate::support::world::{self, NODE};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::Simulator;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// How long a fault lasts: two windows of ten minutes.
const LASTS: Duration = Duration::from_secs(20 * 60);
/// How soon the targets must be right after it: the longest delays between two requests (a watch
/// that stays silent, 403) are of this order.
pub(super) const SOON: Duration = Duration::from_secs(6 * 60);

/// When a fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// Before anything has been listed.
    AtTheStart,
    /// While more than 50 targets are served.
    OnceSynced,
}

/// What a fault did. No target was lost, or there were none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// How long the targets were not what a change that came with the fault has made them, as long as the
    /// fault lasts and the process runs.
    pub(super) stale: Duration,
    /// The most requests in ten minutes.
    pub(super) requests: usize,
    /// From the end of the fault until they were right.
    pub(super) recovery: Duration,
}

// === impl Figures ===

impl Figures {
    /// The worse of each.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            stale: self.stale.max(other.stale),
            requests: self.requests.max(other.requests),
            recovery: self.recovery.max(other.recovery),
        }
    }

    /// A quarter more, because delays are random.
    pub(super) fn with_room(self) -> Self {
        Self {
            stale: self.stale + self.stale / 4,
            requests: self.requests + self.requests / 4,
            recovery: self.recovery + self.recovery / 4,
        }
    }
}

/// With a Service that has no selector, so that slices are watched in either mode.
pub(crate) fn cluster() -> Simulator {
    let simulator = world::cluster();
    let mut service = world::service("by-hand");
    service["spec"].as_object_mut().expect("it is one").remove("selector");
    world::put(&simulator, service);
    let mut slice = world::slice([]);
    slice["metadata"] = json!({"name": "by-hand", "namespace": "shop",
        "labels": {"kubernetes.io/service-name": "by-hand"}});
    slice["endpoints"] = json!([{"addresses": ["192.0.2.1"], "nodeName": NODE}]);
    world::put(&simulator, slice);
    simulator
}

pub(super) fn start(simulator: &Simulator, from: EndpointsFrom, timing: Timing) -> Asked {
    Asked::start_from(from, simulator, NODE, timing)
}

/// What a sidecar that starts now, without any fault, would serve.
pub(super) async fn truth(simulator: &Simulator, from: EndpointsFrom) -> Prometheus {
    let asked = start(simulator, from, Timing::alone());
    let mut prometheus = Prometheus::default();
    prometheus.refresh(&asked).await;
    assert!(prometheus.has_all(), "the simulator answers without a fault");
    prometheus
}

/// The most requests in any window of that length.
pub(crate) fn most_within(times: &[Instant], window: Duration) -> usize {
    (0..times.len())
        .map(|first| times[first..].iter().take_while(|at| **at < times[first] + window).count())
        .max()
        .unwrap_or(0)
}

/// Plays a fault; an error is what must not happen, whatever the fault.
pub(super) async fn play(
    row: &Row,
    begins: Begins,
    from: EndpointsFrom,
) -> Result<Figures, String> {
    let simulator = cluster();
    let begin = || {
        let rules: Vec<_> = row.rules.iter().map(|rule| simulator.fault(rule.clone())).collect();
        simulator.disconnect();
        world::change(&simulator);
        (row.begins)(&simulator);
        (rules, simulator.requests().len(), Instant::now())
    };
    let before = truth(&simulator, from).await;
    let started = (begins == Begins::AtTheStart).then(begin);
    let asked = start(&simulator, from, Timing::default());
    let mut prometheus = Prometheus::default();
    if begins == Begins::OnceSynced
        && prometheus.refresh_until(&asked, &before, MINUTE).await.is_none()
    {
        return Err("does not sync without a fault".to_owned());
    }
    let (rules, first_request, began) = started.unwrap_or_else(begin);
    if !row.stopped.is_zero() {
        tokio::time::advance(row.stopped).await; // all that was due meanwhile is due now
    }
    let after = truth(&world::copy(&simulator), from).await;
    let stable: Vec<BTreeSet<String>> = before
        .targets()
        .iter()
        .zip(after.targets())
        .map(|(before, after)| before & &after)
        .collect();
    assert!(stable[0].len() >= 50, "{} targets are too few to judge by", stable[0].len());

    let mut figures = Figures::default();
    let mut judged = Prometheus::default();
    while began.elapsed() < LASTS {
        prometheus.refresh(&asked).await;
        if prometheus != judged {
            let missing = prometheus.lacks(&stable);
            if begins == Begins::OnceSynced && !missing.is_empty() {
                return Err(format!("lost after {:?}: {missing:?}", began.elapsed()));
            }
            if prometheus.has_an_empty_answer() {
                return Err("an empty answer".to_owned());
            }
            judged = prometheus.clone();
        }
        if prometheus != after {
            figures.stale = began.elapsed() + REFRESH - row.stopped; // right by the next one at best
        }
        sleep(REFRESH).await;
    }
    // When it has nothing yet, nothing is stale.
    if begins == Begins::AtTheStart {
        figures.stale = Duration::ZERO;
    }
    let times: Vec<Instant> =
        simulator.requests()[first_request..].iter().map(|request| request.at).collect();
    let in_first_minute = times.iter().filter(|at| **at < began + MINUTE).count();
    figures.requests = most_within(&times, 10 * MINUTE);
    if in_first_minute > 60 || figures.requests > 300 {
        let requests = figures.requests;
        return Err(format!("{in_first_minute} requests at first, {requests} in ten minutes"));
    }

    for rule in rules {
        simulator.remove_fault(rule);
    }
    (row.ends)(&simulator);
    match prometheus.refresh_until(&asked, &after, SOON).await {
        Some(recovery) => Ok(Figures { recovery, ..figures }),
        None => {
            let missing = prometheus.lacks(&after.targets());
            Err(format!("not right {SOON:?} after the fault; missing {missing:?}"))
        }
    }
}
