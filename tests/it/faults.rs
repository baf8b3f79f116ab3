//! Faults of the API server, in virtual time. Each row is played twice: from the start, when
//! nothing has been listed yet, and against a sidecar that serves more than 50 targets.
//!
//! Judged is what a Prometheus would have that asks every 10 seconds; an error leaves it the
//! targets that it has.

use crate::support::asked::{Answer, Asked};
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::{Fault, Line, On, Rule, Simulator, Verb};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Everything that has a watch or a read of its own is asked for.
const QUERIES: [&str; 4] = [
    "pod?attach=node&attach=namespace&attach=deployment",
    "endpointslice?attach=node",
    "endpoints",
    "node",
];

const REFRESH: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a fault lasts.
const LASTS: Duration = Duration::from_secs(30 * 60);
/// How soon the targets must be right after it: the longest delays between two requests (a watch
/// that stays silent, 403) are of this order.
const SOON: Duration = Duration::from_secs(6 * 60);

struct Row {
    name: &'static str,
    rules: fn() -> Vec<Rule>,
    /// Whether all versions expire when the fault begins, so that lists are needed again.
    expires: bool,
}

fn row(name: &'static str, rules: fn() -> Vec<Rule>) -> Row {
    Row { name, rules, expires: false }
}

/// The same, and all versions expire.
fn expired(name: &'static str, rules: fn() -> Vec<Rule>) -> Row {
    Row { expires: true, ..row(name, rules) }
}

/// All lists, and reads by name.
fn reads(fault: fn(On) -> Rule) -> Vec<Rule> {
    vec![fault(On::any().verb(Verb::List)), fault(On::any().verb(Verb::Get))]
}

fn watches(fault: fn(On) -> Rule) -> Vec<Rule> {
    vec![fault(On::any().verb(Verb::Watch))]
}

fn all(fault: fn(On) -> Rule) -> Vec<Rule> {
    vec![fault(On::any())]
}

fn rows() -> Vec<Row> {
    vec![
        row("nothing but a break of all connections", Vec::new),
        expired("reads: 500", || reads(|on| on.status(500))),
        expired("reads: 401", || reads(|on| on.status(401))),
        expired("reads: 403", || reads(|on| on.status(403))),
        expired("reads: 404", || reads(|on| on.status(404))),
        expired("reads: 429, Retry-After", || reads(|on| on.status_retry_after(429, 7))),
        expired("reads: 503 with a proxy's page", || reads(|on| on.html(503))),
        expired("reads: hang before the headers", || reads(On::hang)),
        expired("reads: hang in the body", || reads(|on| on.hang_after_bytes(700))),
        expired("reads: cut in the body", || reads(|on| on.cut_after_bytes(700))),
        expired("reads: end in the body", || reads(|on| on.end_after_bytes(700))),
        expired("reads: empty body", || reads(|on| on.end_after_bytes(0))),
        expired("everything: 500", || all(|on| on.status(500))),
        expired("everything: 401", || all(|on| on.status(401))),
        expired("everything: 403", || all(|on| on.status(403))),
        expired("everything: 429, Retry-After", || all(|on| on.status_retry_after(429, 7))),
        expired("everything: connection refused", || all(On::refuse)),
        expired("everything: hang before the headers", || all(On::hang)),
        expired("everything: late", || all(|on| on.delay(Duration::from_secs(20)))),
        expired("second page: 410 for ever", || vec![On::list("services").skip(1).status(410)]),
        expired("one kind: 403", || vec![On::resource("services").status(403)]),
        expired("lists: 410 for ever", || vec![On::any().verb(Verb::List).status(410)]),
        row("watches: 410 as a status", || watches(|on| on.status(410))),
        row("watches: 410 in the stream", || watches(|on| on.say(Line::Error(410), 0))),
        row("watches: 500 in the stream", || watches(|on| on.say(Line::Error(500), 0))),
        row("watches: 500", || watches(|on| on.status(500))),
        row("watches: 403", || watches(|on| on.status(403))),
        row("watches: 429, Retry-After", || watches(|on| on.status_retry_after(429, 7))),
        row("watches: closed at once", || watches(|on| on.end_after_events(0))),
        row("watches: closed after each event", || watches(|on| on.end_after_events(1))),
        row("watches: hang before the headers", || watches(On::hang)),
        row("watches: silent from the start", || watches(|on| on.hang_after_events(0))),
        row("watches: silent after an event", || watches(|on| on.hang_after_events(1))),
        row("watches: hang in an event", || watches(|on| on.hang_after_bytes(100))),
        row("watches: cut in an event", || watches(|on| on.cut_after_bytes(100))),
        row("watches: end in an event", || watches(|on| on.end_after_bytes(100))),
        row("watches: half a line", || watches(|on| on.say(Line::Truncated, 0))),
        row("watches: garbage", || watches(|on| on.say(Line::Garbage, 0))),
        row("watches: an unknown type", || watches(|on| on.say(Line::UnknownType, 0))),
        row("watches: an object that is none", || watches(|on| on.say(Line::UndecodableObject, 0))),
        row("watches: every event twice", || watches(|on| on.fault(Fault::Duplicate))),
        expired("lists: an item that is none", || {
            vec![On::any().verb(Verb::List).fault(Fault::UndecodableItem)]
        }),
        expired("nothing but expired versions", Vec::new),
    ]
}

/// What a Prometheus has: the last good answer to each query.
#[derive(Default)]
struct Prometheus {
    has: [Option<Answer>; QUERIES.len()],
}

impl Prometheus {
    async fn refresh(&mut self, asked: &Asked) {
        let patience = REFRESH - Duration::from_millis(500);
        let answers = tokio::join!(
            asked.ask(QUERIES[0], patience),
            asked.ask(QUERIES[1], patience),
            asked.ask(QUERIES[2], patience),
            asked.ask(QUERIES[3], patience),
        );
        for (has, answer) in self.has.iter_mut().zip([answers.0, answers.1, answers.2, answers.3]) {
            if let Ok(answer) = answer {
                *has = Some(answer);
            }
        }
    }

    fn targets(&self) -> Vec<BTreeSet<String>> {
        self.has.iter().map(|has| has.as_ref().map(Answer::targets).unwrap_or_default()).collect()
    }

    /// Refreshes until it has all that `expected` has.
    async fn refresh_until(&mut self, asked: &Asked, expected: &Self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        while self.has != expected.has {
            if Instant::now() > until {
                return false;
            }
            let next = Instant::now() + REFRESH;
            self.refresh(asked).await;
            sleep_until(next).await;
        }
        true
    }
}

/// With a Service that has no selector, so that slices are watched in either mode.
fn cluster() -> Simulator {
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

fn start(simulator: &Simulator, from: EndpointsFrom, timing: Timing) -> Asked {
    Asked::start_from(from, simulator, NODE, timing)
}

/// What a sidecar that starts now, without any fault, would serve.
async fn truth(simulator: &Simulator, from: EndpointsFrom) -> Prometheus {
    let asked = start(simulator, from, Timing::alone());
    let mut prometheus = Prometheus::default();
    prometheus.refresh(&asked).await;
    assert!(prometheus.has.iter().all(Option::is_some), "the simulator answers without a fault");
    prometheus
}

/// Of the targets that exist all the time, the addresses of those that are missing.
fn lost(stable: &[BTreeSet<String>], now: &Prometheus) -> Vec<String> {
    let mut lost = Vec::new();
    for (stable, now) in stable.iter().zip(&now.has) {
        let now = now.as_ref().map(Answer::targets).unwrap_or_default();
        lost.extend(stable.difference(&now).map(|target| address(target)));
    }
    lost
}

/// A group's JSON begins with its address.
fn address(target: &str) -> String {
    target.chars().take_while(|c| *c != ']').collect()
}

/// The most requests in any window of that length.
fn most_within(times: &[Instant], window: Duration) -> usize {
    (0..times.len())
        .map(|first| times[first..].iter().take_while(|at| **at < times[first] + window).count())
        .max()
        .unwrap_or(0)
}

async fn play(row: &Row, from_the_start: bool, from: EndpointsFrom) -> Result<(), String> {
    let simulator = cluster();
    let begin = || {
        let rules: Vec<_> = (row.rules)().into_iter().map(|rule| simulator.fault(rule)).collect();
        simulator.disconnect();
        world::change(&simulator);
        if row.expires {
            simulator.compact();
        }
        (rules, simulator.requests().len(), Instant::now())
    };
    let before = truth(&simulator, from).await;
    let started = from_the_start.then(begin);
    let asked = start(&simulator, from, Timing::default());
    let mut prometheus = Prometheus::default();
    if !from_the_start && !prometheus.refresh_until(&asked, &before, MINUTE).await {
        return Err("does not sync without a fault".to_owned());
    }
    let (rules, first_request, began) = started.unwrap_or_else(begin);
    let after = truth(&world::copy(&simulator), from).await;
    let stable: Vec<BTreeSet<String>> = before
        .targets()
        .iter()
        .zip(after.targets())
        .map(|(before, after)| before & &after)
        .collect();
    assert!(stable[0].len() >= 50, "{} targets are too few to judge by", stable[0].len());

    let mut judged = [const { None }; QUERIES.len()];
    while began.elapsed() < LASTS {
        prometheus.refresh(&asked).await;
        if prometheus.has != judged {
            let missing = lost(&stable, &prometheus);
            if !from_the_start && !missing.is_empty() {
                return Err(format!("lost after {:?}: {missing:?}", began.elapsed()));
            }
            if prometheus.has.iter().flatten().any(|answer| answer.targets().is_empty()) {
                return Err("an empty answer".to_owned());
            }
            judged = prometheus.has.clone();
        }
        sleep(REFRESH).await;
    }
    let times: Vec<Instant> =
        simulator.requests()[first_request..].iter().map(|request| request.at).collect();
    let in_first_minute = times.iter().filter(|at| **at < began + MINUTE).count();
    let in_ten_minutes = most_within(&times, 10 * MINUTE);
    if in_first_minute > 60 || in_ten_minutes > 300 {
        return Err(format!(
            "{in_first_minute} requests at first, {in_ten_minutes} in ten minutes"
        ));
    }

    for rule in rules {
        simulator.remove_fault(rule);
    }
    if prometheus.refresh_until(&asked, &after, SOON).await {
        Ok(())
    } else {
        let missing = lost(&after.targets(), &prometheus);
        Err(format!("not right {SOON:?} after the fault; missing {missing:?}"))
    }
}

async fn play_all(from_the_start: bool, from: EndpointsFrom) {
    let mut failures = Vec::new();
    for row in rows() {
        if let Err(error) = play(&row, from_the_start, from).await {
            failures.push(format!("{}: {error}", row.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn no_fault_at_the_start_gives_an_empty_answer_or_hammers_the_server() {
    play_all(true, EndpointsFrom::default()).await;
}

#[tokio::test(start_paused = true)]
async fn no_fault_once_synced_loses_a_target_or_hammers_the_server() {
    play_all(false, EndpointsFrom::default()).await;
}

#[tokio::test(start_paused = true)]
async fn nor_at_the_start_if_slices_are_read() {
    play_all(true, EndpointsFrom::Slices).await;
}

#[tokio::test(start_paused = true)]
async fn nor_once_synced_if_slices_are_read() {
    play_all(false, EndpointsFrom::Slices).await;
}

/// Gone for an hour, and back as another one: other objects, lower versions. Or replaced at once.
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
    assert!(prometheus.refresh_until(&asked, &before, MINUTE).await, "syncs");

    let rule = simulator.fault(On::any().refuse());
    simulator.disconnect();
    let gone = Instant::now();
    while gone.elapsed() < away {
        prometheus.refresh(&asked).await;
        assert!(prometheus.has == before.has, "{:?}", lost(&before.targets(), &prometheus));
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
    assert!(right, "away for {away:?}: {:?}", lost(&after.targets(), &prometheus));
}

/// Random changes under random faults for an hour; then, once it is quiet, the state equals one
/// computed afresh. The requests stay bounded all the time.
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
                rules.push((row.rules)().into_iter().map(|rule| simulator.fault(rule)).collect());
            } else if let Some(ended) = rules.pop() {
                ended.into_iter().for_each(|rule| simulator.remove_fault(rule));
            }
            prometheus.refresh(&asked).await;
            let empty = prometheus.has.iter().flatten().any(|answer| answer.targets().is_empty());
            assert!(!empty, "seed {seed}: an empty answer");
            sleep(MINUTE).await;
        }
        simulator.clear_faults();
        simulator.disconnect();
        let times: Vec<Instant> = simulator.requests().iter().map(|request| request.at).collect();
        let most = most_within(&times, 10 * MINUTE);
        assert!(most <= 300, "seed {seed}: {most} requests in ten minutes");
        let truth = truth(&simulator, from).await;
        let right = prometheus.refresh_until(&asked, &truth, SOON).await;
        let missing = lost(&truth.targets(), &prometheus);
        assert!(right, "seed {seed}: not right {SOON:?} after the last fault; missing {missing:?}");
    }
}
