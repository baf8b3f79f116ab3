//! The budget that `docs/budget.md` publishes, by its own numbers: at rest, and under each fault. All requests of the
//! process count, from its start on. In virtual time.

use crate::faults::{REFRESH, Row, cluster, most_within, row, rows};
use crate::support::asked::{Asked, first};
use crate::support::world::{self, NODE};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::{ApiServer, Impersonation, Timing};
use nodelocal_sd::simulator::{On, Simulator, Verb};
use nodelocal_sd::status::Phase;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Everything that has a watch or a read of its own.
const QUERIES: [&str; 4] = [
    "pod?attach=node&attach=namespace&attach=deployment",
    "endpointslice?attach=node",
    "endpoints",
    "node",
];
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A number of the document's table.
fn published(what: &str) -> usize {
    let document = include_str!("../../docs/budget.md");
    let row = document.lines().find_map(|line| line.strip_prefix(&format!("| {what} | ")));
    let number = row.and_then(|rest| rest.split([' ', '|']).next()?.replace(',', "").parse().ok());
    number.unwrap_or_else(|| panic!("docs/budget.md has no row {what:?} with a number"))
}

/// A client that counts the bytes of all bodies.
fn counting(simulator: &Simulator) -> (kube::Client, Arc<AtomicU64>) {
    let received = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&received);
    let simulator = simulator.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (simulator, count) = (simulator.clone(), Arc::clone(&count));
        async move {
            let answer = simulator.respond(&request.into_parts().0).await;
            answer.map(|answer| {
                answer.map(|body| {
                    body.map_frame(move |frame| {
                        let length = frame.data_ref().map_or(0, Bytes::len);
                        count.fetch_add(length as u64, Ordering::Relaxed);
                        frame
                    })
                })
            })
        }
    });
    let service = tower_http::decompression::Decompression::new(service);
    (kube::Client::new(service, "default"), received)
}

async fn ask_all(asked: &Asked) {
    for query in QUERIES {
        let _ = asked.ask(query, REFRESH / 10).await; // none while a fault lasts
    }
}

/// What is watched.
fn watches(asked: &Asked) -> usize {
    let entries = asked.board().entries();
    let open = entries.iter().filter(|(of, _, entry)| {
        // Of these, single objects are read.
        let is_read = matches!(of.name(), "replicasets" | "jobs");
        !is_read
            && entry.view().phase == Phase::Watching
            && !entry.view().resource_version.is_empty()
    });
    open.count()
}

#[tokio::test(start_paused = true)]
async fn at_rest() {
    for from in [EndpointsFrom::default(), EndpointsFrom::Slices] {
        let simulator = cluster();
        let (client, received) = counting(&simulator);
        let server = ApiServer { client, impersonation: Impersonation::Auto };
        let asked = Asked::asking(first(NODE, from), None, server, Timing::default());
        for _ in 0..10 {
            ask_all(&asked).await;
            sleep(MINUTE).await;
        }
        let watches = watches(&asked);
        assert!((5..=published("watches")).contains(&watches), "{from:?}: {watches} watches");
        let (requests, bytes) = (simulator.requests().len(), received.load(Ordering::Relaxed));
        let hours = 12;
        for _ in 0..hours * 60 {
            ask_all(&asked).await;
            sleep(MINUTE).await;
        }
        let requests = &simulator.requests()[requests..];
        assert!(requests.iter().all(|request| request.verb != Verb::List), "no lists");
        let times: Vec<Instant> = requests.iter().map(|request| request.at).collect();
        let most = most_within(&times, HOUR);
        let allowed = watches * published("requests of a watch in an hour") + 1;
        assert!(most <= allowed, "{from:?}: {most} requests in an hour, with {watches} watches");
        let bytes = (received.load(Ordering::Relaxed) - bytes) as usize / hours / watches;
        let allowed = published("bytes of a watch in an hour");
        assert!(bytes <= allowed, "{from:?}: {bytes} bytes in an hour for a watch");
    }
}

/// What only concerns who asks.
fn rows_of_rights() -> Vec<Row> {
    vec![
        row("as the node: 403", vec![On::any().impersonating(true).status(403)]),
        row("as the node: 500", vec![On::any().impersonating(true).status(500)]),
        row("as the node: hang", vec![On::any().impersonating(true).hang()]),
        row(
            "as the node: lists 403",
            vec![On::any().verb(Verb::List).impersonating(true).status(403)],
        ),
        row(
            "as the node: watches 403",
            vec![On::any().verb(Verb::Watch).impersonating(true).status(403)],
        ),
        row("each can list, and neither watch", vec![On::watch("pods").status(403)]),
        row(
            "lists as the node, watches as the account",
            vec![
                On::list("pods").impersonating(false).status(403),
                On::watch("pods").impersonating(true).status(403),
            ],
        ),
        row(
            "lists as the account, watches as the node",
            vec![
                On::list("pods").impersonating(true).status(403),
                On::watch("pods").impersonating(false).status(403),
                On::watch("pods")
                    .impersonating(true)
                    .say(nodelocal_sd::simulator::Line::Error(410), 0),
            ],
        ),
    ]
}

/// Half an hour of the fault, from the start of the sidecar or a minute later, and ten minutes more.
async fn play(row: &Row, impersonation: Impersonation, calm: Duration) -> Result<(), String> {
    let simulator = cluster();
    let (client, _) = counting(&simulator);
    let started = (calm > Duration::ZERO).then(|| {
        let server = ApiServer { client: client.clone(), impersonation };
        Asked::asking(first(NODE, EndpointsFrom::default()), None, server, Timing::default())
    });
    if let Some(asked) = &started {
        ask_all(asked).await;
        sleep(calm).await;
    }
    let began = Instant::now();
    let rules: Vec<_> = row.rules.iter().map(|rule| simulator.fault(rule.clone())).collect();
    simulator.disconnect();
    world::change(&simulator);
    (row.begins)(&simulator);
    let asked = started.unwrap_or_else(|| {
        let server = ApiServer { client, impersonation };
        Asked::asking(first(NODE, EndpointsFrom::default()), None, server, Timing::default())
    });
    if !row.stopped.is_zero() {
        tokio::time::advance(row.stopped).await;
    }
    while began.elapsed() < 30 * MINUTE {
        ask_all(&asked).await;
        sleep(MINUTE).await;
    }
    rules.into_iter().for_each(|rule| simulator.remove_fault(rule));
    (row.ends)(&simulator);
    while began.elapsed() < 40 * MINUTE {
        ask_all(&asked).await;
        sleep(MINUTE).await;
    }
    let times: Vec<Instant> = simulator.requests().iter().map(|request| request.at).collect();
    for (window, what) in [
        (MINUTE, "requests in a minute, under any fault"),
        (10 * MINUTE, "requests in ten minutes, under any fault"),
    ] {
        let most = most_within(&times, window);
        if most > published(what) {
            return Err(format!("{}: {most} {what}", row.name));
        }
    }
    let failing: BTreeSet<&str> = asked
        .board()
        .entries()
        .into_iter()
        .filter_map(|(of, _, entry)| entry.view().trouble.map(|_| of.name()))
        .collect();
    if failing.is_empty() { Ok(()) } else { Err(format!("{}: {failing:?} fail still", row.name)) }
}

#[tokio::test(start_paused = true)]
async fn under_each_fault() {
    let mut over = Vec::new();
    // `auto` asks most; only where there is just one way does `on` another thing.
    let of = |rows: Vec<Row>, as_whom| rows.into_iter().map(move |row| (row, as_whom));
    let each = of(rows(), Impersonation::Auto)
        .chain(of(rows_of_rights(), Impersonation::Auto))
        .chain(of(rows_of_rights(), Impersonation::On));
    for (row, impersonation) in each {
        for calm in [Duration::ZERO, MINUTE] {
            if let Err(error) = play(&row, impersonation, calm).await {
                over.push(format!("{impersonation:?} after {calm:?}: {error}"));
            }
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}
