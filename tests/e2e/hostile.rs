//! Clients that are slow, or mean harm, by the thousand: their memory is bounded, and others are served.

#![expect(clippy::print_stderr, reason = "what was measured")]

use super::block_on;
use super::control_plane::ControlPlane;
use super::process::Process;
use super::support::http::get;
use nodelocal_sd::http::raise_open_file_limit;
use nodelocal_sd::index::EndpointsFrom;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

const CLIENTS: usize = 2_000;
/// How much memory a client may cost beyond what it has sent, in KiB: hyper's buffer, and the rest of what
/// belongs to a connection.
const EACH: u64 = 20;
/// How long others may wait: a second, on a machine that does nothing else.
const OTHERS: Duration = Duration::from_secs(60);

/// What each of them writes, and then never reads.
fn attacks() -> [(&'static str, Vec<u8>); 6] {
    let request = "GET /sd/pod HTTP/1.1\r\nHost: localhost\r\n";
    let interval = "X-Prometheus-Refresh-Interval-Seconds: 600\r\n\r\n";
    [
        ("nothing", Vec::new()),
        ("half a head", request.into()),
        (
            "a head of 32 KiB without an end",
            [request, "X: ", &"x".repeat(32 * 1024)].concat().into(),
        ),
        ("100 requests at once", format!("{request}\r\n").repeat(100).into()),
        (
            "two requests, the second of which is held",
            [request, interval].concat().repeat(2).into(),
        ),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()),
    ]
}

pub(crate) fn clients(plane: &ControlPlane) {
    raise_open_file_limit();
    block_on(async {
        for (name, bytes) in attacks() {
            let process = Process::start(&plane.kubeconfig(), "hostile", EndpointsFrom::default());
            process.serves("pod").await;
            let before = process.memory();
            let address = process.url.strip_prefix("http://").expect("a URL");
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                let mut client = TcpStream::connect(address).await.expect("none is refused");
                // What does not fit in the kernel's buffers stays unsent; a client may be refused.
                let _ = timeout(Duration::from_millis(100), client.write_all(&bytes)).await;
                clients.push(client);
            }
            let url = format!("{}/sd/pod", process.url);
            let answer = timeout(OTHERS, get(&url)).await.expect("others are served");
            answer.unwrap_or_else(|error| panic!("{name}: {error}"));
            let cost = process.memory().saturating_sub(before);
            eprintln!("{CLIENTS} clients that send {name}: {cost} KiB");
            // hyper doubles its buffer as it fills.
            let bound = CLIENTS as u64 * (EACH + 2 * bytes.len() as u64 / 1024);
            assert!(cost <= bound, "{name}: {cost} KiB, and {bound} at most");
        }
    });
}
