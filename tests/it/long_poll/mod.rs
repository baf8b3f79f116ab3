//! The long poll, in virtual time: who is held, until when, and what ends it.

mod in_memory;

use crate::support::http::eventually;
use crate::support::raw::{Answer, Raw};
use crate::support::served::Served;
use crate::support::world::{self, NODE, PODS};
use in_memory::InMemory;
use nodelocal_sd::http::Limits;
use nodelocal_sd::sd::hold_time;
use nodelocal_sd::simulator::{On, Simulator};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep};

/// As Prometheus says an interval of 10 s.
const TEN: &str = "X-Prometheus-Refresh-Interval-Seconds: 10\r\n";
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// From a change to the answer.
const GATHER: Duration = Duration::from_millis(100);

type Client = Raw<DuplexStream>;

async fn synced() -> (Simulator, InMemory) {
    let simulator = world::cluster();
    let served = InMemory::of(&simulator, Limits::SD);
    for url in ["/sd/pod", "/sd/endpointslice?attach=namespace"] {
        let answer = served.connect().exchange("GET", url, "").await;
        assert_eq!(targets(&answer), PODS, "{url}");
    }
    (simulator, served)
}

/// The answer, and how long it took.
async fn ask(client: &mut Client, url: &str, headers: &str) -> (Answer, Duration) {
    let began = Instant::now();
    let answer = client.exchange("GET", url, headers).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    (answer, began.elapsed())
}

/// A client that has the answer.
async fn knowing(served: &InMemory, url: &str) -> Client {
    let mut client = served.connect();
    let (_, took) = ask(&mut client, url, TEN).await;
    assert_eq!(took, Duration::ZERO, "the first answer on a connection is not held");
    client
}

fn targets(answer: &Answer) -> usize {
    answer.body.matches("\"targets\"").count()
}

/// Timers have a resolution of a millisecond, and an answer passes a few.
#[track_caller]
fn assert_took(took: Duration, expected: Duration) {
    assert!(took >= expected && took <= expected + 5 * MILLISECOND, "{took:?}, not {expected:?}");
}

async fn outcomes(served: &InMemory) -> [u64; 4] {
    let mut counts = [0; 4];
    for (count, outcome) in counts.iter_mut().zip(["changed", "unchanged", "shutdown", "released"])
    {
        *count = served.metric(&format!("http_held_answers_total{{outcome=\"{outcome}\"}}")).await;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_answer_is_held_and_then_given_in_full() {
    let (_simulator, served) = synced().await;
    let mut client = knowing(&served, "/sd/pod").await;
    for _ in 0..3 {
        let (answer, took) = ask(&mut client, "/sd/pod", TEN).await;
        assert_eq!(targets(&answer), PODS);
        let time = hold_time(Some(10 * SECOND), answer.body.len(), 0).unwrap();
        assert!(time < 10 * SECOND - 500 * MILLISECOND, "there is time to write it: {time:?}");
        assert_took(took, time);
    }
    assert_eq!(outcomes(&served).await, [0, 3, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_answered() {
    let (simulator, served) = synced().await;
    for (round, role) in ["pod", "endpointslice"].into_iter().enumerate() {
        let url = format!("/sd/{role}");
        let mut client = knowing(&served, &url).await;
        let change = async {
            sleep(3 * SECOND).await;
            assert_eq!(served.metric("http_held_requests{}").await, 1);
            let removed = world::pod_name(PODS - 1 - round);
            simulator.delete("Pod", "shop", &removed);
            world::put(&simulator, world::slice(0..PODS - 1 - round));
        };
        let ((answer, took), ()) = tokio::join!(ask(&mut client, &url, TEN), change);
        assert_took(took, 3 * SECOND + GATHER);
        assert_eq!(targets(&answer), PODS - 1 - round, "{role}");
        assert_eq!(served.metric("http_held_requests{}").await, 0);
        let (_, took) = ask(&mut client, &url, TEN).await;
        assert!(took > 9 * SECOND, "what was sent is known: {took:?}");
    }
    assert_eq!(outcomes(&served).await, [2, 2, 0, 0]);
}

/// Changes that come with the first are in its answer; also if they do not end, it is not put off.
#[tokio::test(start_paused = true)]
async fn a_burst_is_one_answer() {
    let (simulator, served) = synced().await;
    let mut client = knowing(&served, "/sd/pod").await;
    let burst = async {
        sleep(SECOND).await;
        for number in 0..8 {
            world::put(&simulator, world::pod(&format!("new-{number}"), NODE, "10.1.1.1"));
            sleep(30 * MILLISECOND).await; // so four of them fall into the time for gathering
        }
    };
    let ((answer, took), ()) = tokio::join!(ask(&mut client, "/sd/pod", TEN), burst);
    assert_took(took, SECOND + GATHER);
    assert_eq!(targets(&answer), PODS + 4);
    // What came later is newer than what was sent.
    let (answer, took) = ask(&mut client, "/sd/pod", TEN).await;
    assert_eq!((targets(&answer), took), (PODS + 8, Duration::ZERO));
}

/// Who is not held, though it knows the answer.
#[tokio::test(start_paused = true)]
async fn who_is_answered_at_once() {
    let (_simulator, served) = synced().await;
    let seconds = |seconds: &str| format!("X-Prometheus-Refresh-Interval-Seconds: {seconds}\r\n");
    for (url, headers) in [
        ("/sd/pod?hold=off", TEN.to_owned()),
        ("/sd/pod", String::new()),
        ("/sd/pod", seconds("0.9")),
        ("/sd/pod", seconds("0")),
        ("/sd/pod", seconds("soon")),
        ("/sd/pod", format!("{TEN}If-None-Match: \"another\"\r\n")),
        ("/sd/endpointslice", TEN.to_owned()), // which this connection has not asked for
    ] {
        let mut client = knowing(&served, "/sd/pod").await;
        if url.contains("hold") {
            ask(&mut client, url, TEN).await; // so that it would be known
        }
        let (answer, took) = ask(&mut client, url, &headers).await;
        assert_eq!((targets(&answer), took), (PODS, Duration::ZERO), "{url} {headers}");
    }
    // Each URL of a connection has an answer of its own.
    let mut client = knowing(&served, "/sd/pod").await;
    ask(&mut client, "/sd/endpointslice", TEN).await;
    let (_, took) = ask(&mut client, "/sd/pod", TEN).await;
    assert!(took > 9 * SECOND, "{took:?}");
    // To HEAD no answer is sent.
    let mut client = served.connect();
    client.exchange("HEAD", "/sd/pod", TEN).await;
    let (_, took) = ask(&mut client, "/sd/pod", TEN).await;
    assert_eq!(took, Duration::ZERO);
}

/// A client that says what it has is held like others, and gets a 304 if that has not changed.
#[tokio::test(start_paused = true)]
async fn a_conditional_request_is_held_too() {
    let (_simulator, served) = synced().await;
    let mut client = served.connect();
    let (answer, _) = ask(&mut client, "/sd/pod", TEN).await;
    let headers = format!("{TEN}If-None-Match: {}\r\n", answer.header("etag"));
    let began = Instant::now();
    let answer = client.exchange("GET", "/sd/pod", &headers).await;
    assert_eq!(answer.status, 304);
    assert!(began.elapsed() > 9 * SECOND);
}

/// A change that does not change the answer keeps it held. Those who ask the same cost one rendering, and none if
/// the change is of nothing that the answer is made of.
#[tokio::test(start_paused = true)]
async fn one_look_for_all_who_ask_the_same() {
    let (simulator, served) = synced().await;
    let url = "/sd/pod?selector.pod.label=app%3Dweb";
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(knowing(&served, url).await);
    }
    let renderings = || served.metric("render_duration_seconds_count");
    let change = async {
        sleep(SECOND).await;
        let before = renderings().await;
        world::put(&simulator, world::service("unrelated"));
        sleep(SECOND).await;
        assert_eq!(renderings().await, before);
        let mut other = world::pod("other", NODE, "10.1.1.2");
        other["metadata"]["labels"] = serde_json::json!({"app": "other"});
        world::put(&simulator, other);
        sleep(SECOND).await;
        assert_eq!(renderings().await, before + 1);
        assert_eq!(served.metric("http_held_requests{}").await, 200);
        world::put(&simulator, world::pod("new", NODE, "10.1.1.1"));
        sleep(SECOND).await;
        assert_eq!(renderings().await, before + 2);
    };
    let all = clients.iter_mut().map(|client| ask(client, url, TEN));
    let (answers, ()) = tokio::join!(futures_util::future::join_all(all), change);
    for (answer, took) in answers {
        assert_took(took, 3 * SECOND + GATHER);
        assert_eq!(targets(&answer), PODS + 1);
    }
    assert_eq!(outcomes(&served).await, [200, 0, 0, 0]);
}

/// An outage of the API server changes no answer.
#[tokio::test(start_paused = true)]
async fn an_outage_ends_nothing() {
    let (simulator, served) = synced().await;
    let mut client = knowing(&served, "/sd/pod").await;
    simulator.fault(On::any().refuse());
    simulator.disconnect();
    let (answer, took) = ask(&mut client, "/sd/pod", TEN).await;
    assert!(took > 9 * SECOND, "{took:?}");
    assert_eq!(targets(&answer), PODS);
}

/// The owner of a fresh Pod is waited for as in any other answer: for a second.
#[tokio::test(start_paused = true)]
async fn the_owner_of_a_fresh_pod_is_waited_for() {
    let (simulator, served) = synced().await;
    let url = "/sd/pod?attach=deployment";
    served.connect().exchange("GET", url, "").await;
    let fresh = |name: &str| {
        let mut pod = world::pod(name, NODE, "10.1.1.1");
        pod["metadata"]["ownerReferences"][0]["name"] = name.into();
        pod["metadata"]["ownerReferences"][0]["uid"] = name.into();
        pod
    };
    for (name, delay, wait) in [
        ("slow", 400 * MILLISECOND, 400 * MILLISECOND + GATHER),
        ("never", 60 * SECOND, SECOND + GATHER),
    ] {
        let rule = simulator.fault(On::get("replicasets").delay(delay));
        let mut client = knowing(&served, url).await;
        let change = async {
            sleep(SECOND).await;
            world::put(&simulator, fresh(name));
        };
        let ((answer, took), ()) = tokio::join!(ask(&mut client, url, TEN), change);
        assert!(answer.body.contains(&format!("\"{name}\"")), "{name}: {}", answer.body);
        assert_took(took, SECOND + wait);
        simulator.remove_fault(rule);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_answers_who_is_held() {
    let (_simulator, mut served) = synced().await;
    let mut client = knowing(&served, "/sd/pod").await;
    let ((answer, took), ()) = tokio::join!(ask(&mut client, "/sd/pod", TEN), async {
        sleep(3 * SECOND).await;
        served.stop();
    });
    assert_took(took, 3 * SECOND);
    assert_eq!(targets(&answer), PODS, "the state, not an error");
    assert_eq!(outcomes(&served).await, [0, 0, 1, 0]);
    client.closed().await;
    served.stopped().await;
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_is_forgotten() {
    let (_simulator, served) = synced().await;
    let mut client = knowing(&served, "/sd/pod").await;
    let held = tokio::time::timeout(SECOND, ask(&mut client, "/sd/pod", TEN)).await;
    assert!(held.is_err(), "held");
    assert_eq!(served.metric("http_held_requests{}").await, 1);
    drop(client);
    sleep(MILLISECOND).await;
    assert_eq!(served.metric("http_held_requests{}").await, 0);
    assert_eq!(served.metric("http_connections{}").await, 0);
    assert_eq!(outcomes(&served).await, [0; 4]);
}

/// At the limit a client that comes is served all the same: an idle connection makes room, and if there is none,
/// the one that has been held for the longest, with an answer.
#[tokio::test(start_paused = true)]
async fn the_longest_held_makes_room() {
    let simulator = world::cluster();
    let served = InMemory::of(&simulator, Limits { connections: 3, ..Limits::SD });
    served.connect().exchange("GET", "/sd/pod", "").await;
    let mut idle = knowing(&served, "/sd/pod").await;
    let mut long = knowing(&served, "/sd/pod").await;
    let mut short = knowing(&served, "/sd/pod").await;
    let mut newcomers = Vec::new();
    let come = async {
        sleep(3 * SECOND).await;
        for _ in 0..2 {
            newcomers.push(knowing(&served, "/sd/pod").await);
            let (answer, _) = ask(newcomers.last_mut().unwrap(), "/sd/node", TEN).await;
            assert_eq!(targets(&answer), 1);
            // Both are held from now on, or they would be the next to go.
            let newcomer = newcomers.pop().unwrap();
            tokio::spawn(async move {
                let mut newcomer = newcomer;
                ask(&mut newcomer, "/sd/pod", TEN).await;
            });
            sleep(SECOND).await;
        }
    };
    let short_one = async {
        sleep(SECOND).await;
        ask(&mut short, "/sd/pod", TEN).await
    };
    let (long_one, short_one, ()) = tokio::join!(ask(&mut long, "/sd/pod", TEN), short_one, come);
    idle.closed().await;
    let (answer, took) = long_one;
    assert_took(took, 4 * SECOND);
    assert_eq!((targets(&answer), answer.header("connection")), (PODS, "close"));
    long.closed().await;
    let (answer, took) = short_one;
    assert!(took > 9 * SECOND, "the others stay: {took:?}");
    assert_eq!(answer.header("connection"), "");
    assert_eq!(outcomes(&served).await[3], 1);
}

/// Over a socket, where hyper has to notice it.
#[tokio::test]
async fn who_hangs_up_over_a_socket_is_forgotten() {
    let served = Served::of(&world::cluster(), Limits::SD).await;
    let mut raw = Raw::connect(served.address()).await;
    let request = "GET /sd/pod HTTP/1.1\r\nHost: localhost\r\nX-Prometheus-Refresh-Interval-Seconds: 600\r\n\r\n";
    for _ in 0..2 {
        raw.write(request.as_bytes()).await.unwrap();
    }
    assert_eq!(raw.answer(false).await.unwrap().status, 200);
    let held = |expected| {
        let served = &served;
        eventually("the request is held, or forgotten", move || async move {
            let held = served.metric("http_held_requests{}").await;
            if held == Some(expected) { Ok(()) } else { Err(format!("{held:?}")) }
        })
    };
    held(1).await;
    drop(raw);
    held(0).await;
}
