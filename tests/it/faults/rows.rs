//! The faults: what goes wrong, for which requests, and what happens besides.

use crate::support::world::{self, NODE};
use nodelocal_sd::simulator::{Fault, Line, On, Rule, Simulator, Verb};
use std::time::Duration;

/// A fault.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
    /// What happens to the server when the fault begins.
    pub(crate) begins: fn(&Simulator),
    /// For how long the sidecar's process does not run then.
    pub(crate) stopped: Duration,
    /// What happens to the server when the fault is over.
    pub(crate) ends: fn(&Simulator),
}

pub(crate) fn row(name: impl Into<String>, rules: Vec<Rule>) -> Row {
    let nothing = |_: &Simulator| {};
    Row { name: name.into(), rules, begins: nothing, stopped: Duration::ZERO, ends: nothing }
}

/// The same, and all versions expire when it begins, so that lists are needed again.
fn expired(name: impl Into<String>, rules: Vec<Rule>) -> Row {
    Row { begins: Simulator::compact, ..row(name, rules) }
}

/// The same, and nothing in the protocol tells of it: what makes it good is the next list, which comes
/// when the server loses its history.
fn untold(name: impl Into<String>, rules: Vec<Rule>) -> Row {
    let restarts = |simulator: &Simulator| {
        simulator.advance_to(simulator.resource_version() + 1); // the present one would not expire
        simulator.compact();
        simulator.disconnect();
    };
    Row { ends: restarts, ..row(name, rules) }
}

/// All lists, and reads by name.
fn reads(fault: impl Fn(On) -> Rule) -> Vec<Rule> {
    vec![fault(On::any().verb(Verb::List)), fault(On::any().verb(Verb::Get))]
}

fn watches(fault: impl Fn(On) -> Rule) -> Vec<Rule> {
    vec![fault(On::any().verb(Verb::Watch))]
}

fn all(fault: impl Fn(On) -> Rule) -> Vec<Rule> {
    vec![fault(On::any())]
}

/// Every row, in the order of the document.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for code in [400, 401, 403, 404, 409, 429, 500, 503, 504] {
        rows.push(expired(format!("reads: {code}"), reads(|on| on.status(code))));
    }
    rows.extend(of_reads());
    for code in [400, 401, 403, 404, 410, 429, 500, 503] {
        rows.push(row(format!("watches: {code}"), watches(|on| on.status(code))));
    }
    rows.extend(of_watches());
    for code in [401, 403, 500] {
        rows.push(expired(format!("everything: {code}"), all(|on| on.status(code))));
    }
    rows.extend(of_everything());
    rows.extend(of_the_cluster());
    rows
}

fn of_reads() -> Vec<Row> {
    let lists = |fault| vec![On::any().verb(Verb::List).fault(fault)];
    vec![
        expired("reads: 302", reads(|on| on.status(302))),
        expired("reads: 429, Retry-After", reads(|on| on.status_retry_after(429, 7))),
        expired("reads: 502 with a proxy's page", reads(|on| on.html(502))),
        expired("reads: 200 with a proxy's page", reads(|on| on.html(200))),
        expired("reads: hang before the headers", reads(On::hang)),
        expired("reads: hang in the body", reads(|on| on.hang_after_bytes(700))),
        expired("reads: cut in the body", reads(|on| on.cut_after_bytes(700))),
        expired("reads: end in the body", reads(|on| on.end_after_bytes(700))),
        expired("reads: empty body", reads(|on| on.end_after_bytes(0))),
        expired("reads: one kind is forbidden", vec![On::resource("services").status(403)]),
        expired("lists: 410 for ever", vec![On::any().verb(Verb::List).status(410)]),
        expired("lists: 410 on the second page", vec![On::list("services").skip(1).status(410)]),
        expired(
            "lists: cut on the second page",
            vec![On::list("services").skip(1).cut_after_bytes(700)],
        ),
        expired("lists: an item that is none", lists(Fault::UndecodableItem)),
        Row {
            begins: Simulator::compact,
            ..untold("lists: an item without a name", lists(Fault::NamelessItem))
        },
    ]
}

fn of_watches() -> Vec<Row> {
    vec![
        row("watches: 410 in the stream", watches(|on| on.say(Line::Error(410), 0))),
        row("watches: 500 in the stream", watches(|on| on.say(Line::Error(500), 0))),
        row("watches: 429, Retry-After", watches(|on| on.status_retry_after(429, 7))),
        row("watches: 200 with a proxy's page", watches(|on| on.html(200))),
        row("watches: closed at once", watches(|on| on.end_after_events(0))),
        row("watches: closed after each event", watches(|on| on.end_after_events(1))),
        row("watches: hang before the headers", watches(On::hang)),
        row("watches: silent from the start", watches(|on| on.hang_after_events(0))),
        row("watches: silent after an event", watches(|on| on.hang_after_events(1))),
        row("watches: hang in an event", watches(|on| on.hang_after_bytes(100))),
        row("watches: cut before the first byte", watches(|on| on.cut_after_bytes(0))),
        row("watches: cut in an event", watches(|on| on.cut_after_bytes(100))),
        row("watches: end in an event", watches(|on| on.end_after_bytes(100))),
        row("watches: half a line", watches(|on| on.say(Line::Truncated, 0))),
        row("watches: garbage", watches(|on| on.say(Line::Garbage, 0))),
        row("watches: an unknown type", watches(|on| on.say(Line::UnknownType, 0))),
        row("watches: an object that is none", watches(|on| on.say(Line::UndecodableObject, 0))),
        row("watches: every event twice", watches(|on| on.fault(Fault::Duplicate))),
        untold("watches: events in another order", watches(|on| on.fault(Fault::Reorder))),
        untold(
            "watches: events are missing",
            watches(|on| on.fault(Fault::Lose { after: 0, count: 1 })),
        ),
    ]
}

fn of_everything() -> Vec<Row> {
    vec![
        expired("everything: 429, Retry-After", all(|on| on.status_retry_after(429, 7))),
        expired("everything: 503 with a proxy's page", all(|on| on.html(503))),
        expired("everything: connection refused", all(On::refuse)),
        expired(
            "everything: every other connection refused",
            vec![
                On::any().verb(Verb::List).times(1).refuse(),
                On::any().verb(Verb::List).skip(2).times(1).refuse(),
                On::any().verb(Verb::Watch).times(1).refuse(),
                On::any().verb(Verb::Watch).skip(2).times(1).refuse(),
            ],
        ),
        expired("everything: hang before the headers", all(On::hang)),
        expired("everything: late", all(|on| on.delay(Duration::from_secs(20)))),
    ]
}

fn of_the_cluster() -> Vec<Row> {
    vec![
        row("all connections break once", Vec::new()),
        expired("all versions expire", Vec::new()),
        // Nothing tells but the silence: watches are taken up at versions that are yet to come.
        Row {
            begins: restore,
            ..row("versions go backwards: etcd restored from a backup", Vec::new())
        },
        Row {
            begins: |simulator| {
                let mut pod = world::pod("large", NODE, "10.1.0.99");
                pod["spec"]["containers"][0]["command"] = "x".repeat(20 << 20).into();
                world::put(simulator, pod);
                simulator.compact();
            },
            ..row("an object of 20 MB", Vec::new())
        },
        Row {
            begins: |simulator| {
                for number in 0..100_000 {
                    world::put(simulator, small_pod(number));
                }
            },
            ..row("100,000 objects more", Vec::new())
        },
        Row {
            stopped: Duration::from_secs(60),
            ..row("the process is stopped for a minute", Vec::new())
        },
        Row {
            stopped: Duration::from_secs(10 * 60),
            ..expired("the process is stopped for ten minutes, and all versions expire", Vec::new())
        },
    ]
}

/// The same objects, but for many Services, with versions that are lower than those that were seen.
fn restore(simulator: &Simulator) {
    let kept = |object: &serde_json::Value| {
        let name = object["metadata"]["name"].as_str();
        name.is_some_and(|name| !name.starts_with("other-"))
    };
    let objects: Vec<_> = world::objects(simulator).filter(kept).collect();
    simulator.replace_all(objects, 0).expect("good objects");
}

/// A Pod of another node, of which there may be very many.
fn small_pod(number: u32) -> serde_json::Value {
    serde_json::json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("far-{number}"), "namespace": "far"},
        "spec": {"nodeName": "node-b"}})
}
