//! Thousands of long polls, ordinary queries beside them, and clients that hardly read.

use super::node::{Node, PODS, Usage};
use crate::support::raw::Raw;
use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Connections that ordinary queries share.
const QUERIERS: u32 = 20;
/// After the last change, each held request must have the state as it is with one of so many answers.
const LAST_ANSWERS: usize = 10;

/// What is done to a sidecar.
pub(crate) struct Load {
    /// Requests that are held.
    pub(crate) held: usize,
    /// Whether each of them asks another question, or all the same.
    pub(crate) distinct: bool,
    /// The interval that they say.
    pub(crate) refresh_interval: Duration,
    /// Ordinary queries.
    pub(crate) queries_per_second: u32,
    /// Clients that ask for 100 answers and read a byte a second.
    pub(crate) slow: usize,
    /// Between two changes, each of one Pod.
    pub(crate) change_every: Duration,
    /// For how long, once all are held.
    pub(crate) lasts: Duration,
}

/// What came of it. An error or a wrong answer fails the run.
pub(crate) struct Figures {
    /// Before the first client, once all have had an answer, once all are held, and at the end.
    pub(crate) usage: [Usage; 4],
    /// How long each ordinary query took, the shortest first.
    pub(crate) queries: Vec<Duration>,
    /// From a change to each held answer that it changed, the shortest first.
    pub(crate) changed: Vec<Duration>,
}

/// What clients share that are held.
#[derive(Default)]
struct Shared {
    last_change: Cell<Option<Instant>>,
    changed: RefCell<Vec<Duration>>,
    is_over: Cell<bool>,
}

/// Does it, on this thread and another one for the ordinary queries.
pub(crate) fn run(load: &Load) -> Figures {
    let mut node = Node::start();
    block_on(async {
        let address = loop {
            match node.address() {
                Some(address) => break address,
                None => sleep(Duration::from_millis(20)).await, // between two looks
            }
        };
        for url in [held_url(load, 0), query_url(0), query_url(1)] {
            ask(&mut Raw::connect(address).await, &url, "").await; // until it has synced
        }
        let before = node.usage();
        let shared = Rc::new(Shared::default());
        let headers = refresh_header(load.refresh_interval);
        let mut connected = Vec::new();
        for number in 0..load.held {
            let mut client = Raw::connect(address).await;
            let url = held_url(load, number);
            let first = hash(&ask(&mut client, &url, &headers).await);
            connected.push((client, url, first));
        }
        let idle = node.usage();
        let mut clients = JoinSet::new();
        for (client, url, first) in connected {
            let headers = headers.clone();
            clients.spawn_local(be_held(client, url, headers, first, Rc::clone(&shared)));
        }
        let mut slow = JoinSet::new();
        (0..load.slow).for_each(|_| drop(slow.spawn_local(read_slowly(address))));
        sleep(load.refresh_interval).await; // each is held, and for the second time
        let all_held = node.usage();

        let (lasts, queries_per_second) = (load.lasts, load.queries_per_second);
        let queries = std::thread::spawn(move || {
            block_on(async move { query(address, queries_per_second, lasts).await })
        });
        let rounds = (load.lasts.as_secs_f64() / load.change_every.as_secs_f64()) as usize;
        for round in 1..=rounds {
            shared.last_change.set(Some(Instant::now()));
            node.change(round, round);
            sleep(load.change_every).await;
        }
        shared.is_over.set(true);
        let mut queries = queries.join().expect("no query fails");
        queries.sort();
        let after = node.usage();
        // All have the state as it is in the end, with the next answers that they get: on a busy machine the last
        // changes may still be on their way.
        while let Some(client) = clients.join_next().await {
            let (mut client, url, mut known) = client.expect("no held request fails");
            let mut answers = 0;
            loop {
                let now = ask(&mut Raw::connect(address).await, &url, "").await;
                if hash(&now) == known {
                    break;
                }
                assert!(answers < LAST_ANSWERS, "{url}: what is held does not become {now}");
                known = hash(&ask(&mut client, &url, &headers).await);
                answers += 1;
            }
        }
        let mut changed = shared.changed.take();
        changed.sort();
        Figures { usage: [before, idle, all_held, after], queries, changed }
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), work)
}

fn refresh_header(interval: Duration) -> String {
    format!("X-Prometheus-Refresh-Interval-Seconds: {}\r\n", interval.as_secs_f64())
}

/// As a ServiceMonitor asks, or as a job asks that finds its targets by annotations.
fn held_url(load: &Load, number: usize) -> String {
    if load.distinct {
        format!(
            "/sd/endpointslice?namespace=shop&service=app%3Dapp-{},is%21%3D{number}",
            number % PODS
        )
    } else {
        "/sd/endpointslice".to_owned()
    }
}

fn query_url(number: usize) -> String {
    match number % 2 {
        0 => "/sd/pod?attach=node".to_owned(),
        _ => format!("/sd/endpointslice?namespace=shop&service=app%3Dapp-{}", number % PODS),
    }
}

async fn ask(client: &mut Raw, url: &str, headers: &str) -> String {
    let answer = client.exchange("GET", url, headers).await;
    assert_eq!(answer.status, 200, "{url}: {}", answer.body);
    answer.body
}

/// An answer, for comparing; thousands would be too much to keep.
fn hash(body: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

/// Asks again and again, as Prometheus does; the URL and the last answer.
async fn be_held(
    mut client: Raw,
    url: String,
    headers: String,
    mut known: u64,
    shared: Rc<Shared>,
) -> (Raw, String, u64) {
    loop {
        let was_over = shared.is_over.get();
        let answer = hash(&ask(&mut client, &url, &headers).await);
        if answer != known
            && let Some(change) = shared.last_change.get()
        {
            shared.changed.borrow_mut().push(change.elapsed());
        }
        known = answer;
        if was_over {
            return (client, url, known);
        }
    }
}

async fn query(address: SocketAddr, each_second: u32, lasts: Duration) -> Vec<Duration> {
    let end = Instant::now() + lasts;
    let mut queriers = JoinSet::new();
    for number in 0..QUERIERS {
        let mut ticks = interval(Duration::from_secs(1) * QUERIERS / each_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst); // as many, also if some are slow
        queriers.spawn_local(async move {
            let mut client = Raw::connect(address).await;
            let mut took = Vec::new();
            let mut url = number as usize;
            while ticks.tick().await < end {
                let began = Instant::now();
                ask(&mut client, &query_url(url), "").await;
                took.push(began.elapsed());
                url += 1;
            }
            took
        });
    }
    queriers.join_all().await.concat()
}

async fn read_slowly(address: SocketAddr) {
    let requests = "GET /sd/pod HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    loop {
        let mut stream = TcpStream::connect(address).await.expect("none is refused");
        // It is closed when nothing goes on for too long, and comes again.
        while stream.write_all(requests.as_bytes()).await.is_ok() {
            while stream.read_u8().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
