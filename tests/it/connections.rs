//! What a listener puts up with, byte by byte.

use crate::support::raw::Raw;
use crate::support::served::Served;
use crate::support::world;
use nodelocal_sd::http::{Limits, raise_open_file_limit};
use nodelocal_sd::simulator::On;
use std::time::Duration;

/// Limits that a test need not wait for.
const SHORT: Limits =
    Limits { headers: Duration::from_millis(300), idle: Duration::from_secs(4), ..Limits::SD };

async fn served(limits: Limits) -> Served {
    let served = Served::of(&world::cluster(), limits).await;
    assert_eq!(get(&served).await, 200);
    served
}

async fn get(served: &Served) -> u16 {
    Raw::connect(served.address()).await.exchange("GET", "/sd/pod", "").await.status
}

#[tokio::test]
async fn hosts_that_are_not_us() {
    let served = served(Limits::SD).await;
    let port = served.address().port();
    for (request, status) in [
        (format!("GET /sd/pod HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), 200),
        ("GET /sd/pod HTTP/1.1\r\nHost: localhost:1\r\n\r\n".to_owned(), 200),
        ("GET /sd/pod HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET /sd/pod HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 421),
        ("GET /debug/targets?role=pod HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 421),
        ("GET http://evil.example/sd/pod HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 421),
        ("GET /sd/pod HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /sd/pod HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n".to_owned(), 400),
    ] {
        let mut raw = Raw::connect(served.address()).await;
        raw.write(request.as_bytes()).await.unwrap();
        let answer = raw.answer(false).await.unwrap();
        assert_eq!(answer.status, status, "{request:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_url_of_a_megabyte() {
    let served = served(Limits::SD).await;
    let mut raw = Raw::connect(served.address()).await;
    let request =
        format!("GET /sd/pod?port={} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(1 << 20));
    raw.write(request.as_bytes()).await.unwrap();
    let answer = raw.answer(false).await.expect("the refusal arrives");
    assert!(matches!(answer.status, 414 | 431), "{answer:?}");
    raw.closed().await;
    assert_eq!(get(&served).await, 200);
}

#[tokio::test]
async fn garbage_is_refused_and_forgotten() {
    let served = served(Limits::SD).await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n"]
    {
        let mut raw = Raw::connect(served.address()).await;
        raw.write(garbage).await.unwrap();
        raw.closed().await;
        assert_eq!(get(&served).await, 200, "{garbage:?}");
    }
}

/// The head of a request must be complete soon, however its bytes trickle in.
#[tokio::test]
async fn a_slow_sender_is_closed() {
    let served = served(SHORT).await;
    let mut silent = Raw::connect(served.address()).await;
    silent.write(b"GET /sd/pod HTTP/1.1\r\nHo").await.unwrap();
    let mut trickling = Raw::connect(served.address()).await;
    let trickle = async {
        // Each byte comes well within any time that is allowed between two.
        while trickling.write(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(silent.closed(), trickle);
    assert_eq!(get(&served).await, 200, "others are served");
}

/// Many requests in one write are answered one after the other, in order.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let served = served(Limits::SD).await;
    let mut raw = Raw::connect(served.address()).await;
    let targets = ["/sd/pod", "/no/such/path", "/sd/pod", "/sd/no-such-role"];
    let requests =
        targets.map(|target| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    raw.write(requests.concat().as_bytes()).await.unwrap();
    for (target, status) in targets.into_iter().zip([200, 404, 200, 404]) {
        let answer = raw.answer(false).await.expect("an answer to each");
        assert_eq!(answer.status, status, "{target}: {}", answer.body);
    }
}

/// Who goes on asking and never reads is closed; what is written meanwhile is no more than what the
/// kernel's buffers hold.
#[tokio::test]
async fn who_never_reads_is_closed() {
    let limits = Limits { write: Duration::from_millis(300), ..Limits::SD };
    let served = served(limits).await;
    let mut raw = Raw::connect(served.address()).await;
    let request = b"GET /sd/pod HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    while raw.write(&request).await.is_ok() {} // until the other side is gone
    assert_eq!(get(&served).await, 200, "others are served");
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let served = served(Limits::SD).await;
    let one = format!("X: {}\r\n", "x".repeat(200_000));
    let many = "X: x\r\n".repeat(500);
    for headers in [one, many] {
        let mut raw = Raw::connect(served.address()).await;
        let request = format!("GET /sd/pod HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        raw.write(request.as_bytes()).await.unwrap();
        assert_eq!(raw.answer(false).await.expect("the refusal arrives").status, 431);
        raw.closed().await;
        assert_eq!(get(&served).await, 200);
    }
}

/// Between two requests a connection may be quiet for longer than within one.
#[tokio::test]
async fn an_idle_connection_stays_longer_than_a_slow_one() {
    let served = served(SHORT).await;
    let mut idle = Raw::connect(served.address()).await;
    assert_eq!(idle.exchange("GET", "/sd/pod", "").await.status, 200);
    let mut slow = Raw::connect(served.address()).await;
    slow.write(b"G").await.unwrap();
    slow.closed().await;
    assert_eq!(idle.exchange("GET", "/sd/pod", "").await.status, 200);
    idle.closed().await; // at last
}

#[tokio::test]
async fn five_thousand_idle_connections() {
    let files = raise_open_file_limit();
    assert!(
        files.is_none_or(|files| files > 11_000),
        "both ends of 5,000 connections need 10,000 open files: the hard limit is {files:?}"
    );
    let served = served(Limits::SD).await;
    let mut idle = Vec::new();
    for _ in 0..5_000 {
        idle.push(Raw::connect(served.address()).await);
    }
    assert_eq!(get(&served).await, 200);
    for raw in [0, 2_500, 4_999] {
        assert_eq!(idle[raw].exchange("GET", "/sd/pod", "").await.status, 200, "none is refused");
    }
}

/// At the limit the connection that has been idle for the longest makes room.
#[tokio::test]
async fn the_oldest_idle_connection_goes_first() {
    let served = served(Limits { connections: 3, ..Limits::SD }).await;
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(served.address()).await;
        assert_eq!(raw.exchange("GET", "/sd/pod", "").await.status, 200);
        connections.push(raw);
    }
    let mut oldest = connections.remove(0);
    assert_eq!(connections[0].exchange("GET", "/sd/pod", "").await.status, 200);
    let mut newest = Raw::connect(served.address()).await;
    assert_eq!(newest.exchange("GET", "/sd/pod", "").await.status, 200);
    oldest.closed().await;
    for raw in &mut connections {
        assert_eq!(raw.exchange("GET", "/sd/pod", "").await.status, 200, "the others stay");
    }
}

/// Who is waiting when it is time to stop gets an answer, and the port is free at once.
#[tokio::test]
async fn shutdown_answers_who_waits() {
    let simulator = world::cluster();
    simulator.fault(On::any().hang());
    let mut served = Served::of(&simulator, Limits::SD).await;
    let address = served.address();
    let mut waiting = Raw::connect(address).await;
    let header = "X-Prometheus-Refresh-Interval-Seconds: 600\r\n";
    let request = format!("GET /sd/pod HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
    waiting.write(request.as_bytes()).await.unwrap();
    let mut idle = Raw::connect(address).await;
    assert_eq!(idle.exchange("GET", "/", "").await.status, 200); // the other is being answered
    served.stop();
    let answer = waiting.answer(false).await.expect("an answer");
    assert_eq!(answer.status, 503, "{}", answer.body);
    tokio::join!(waiting.closed(), idle.closed());
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
