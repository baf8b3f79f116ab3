//! The API server, seen from outside and by its own metrics.

use crate::cluster::Cluster;
use crate::http::eventually;
use crate::metrics::Metrics;
use crate::process::usage;
use kube::client::Body;
use nodelocal_sd::kube::{Source, connect};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Its metrics, read as an administrator.
pub(crate) struct Server {
    client: kube::Client,
}

/// What it did for a while.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
    /// The most MiB of resident memory.
    pub(crate) resident: f64,
    /// The most open connections.
    pub(crate) connections: usize,
    /// Open watches at the end.
    pub(crate) watches: f64,
    /// Lists that were answered, well or not.
    pub(crate) lists: f64,
    /// Watches that have ended.
    pub(crate) ended: f64,
    /// Answers with status 429.
    pub(crate) refused: f64,
    /// The most seats that were taken in the level of service accounts.
    pub(crate) seats: f64,
}

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

// === impl Server ===

impl Server {
    pub(crate) async fn of(cluster: &Cluster) -> Self {
        let source = Source::Kubeconfig { paths: vec![cluster.plane.kubeconfig()], context: None };
        Self { client: connect(&source).await.expect("a good kubeconfig") }
    }

    /// Its metrics now; `None` while it does not answer.
    pub(crate) async fn metrics(&self) -> Option<Metrics> {
        let request = ::http::Request::get("/metrics").body(Body::empty()).unwrap();
        let answer = self.client.send(request).await.ok()?;
        let good = answer.status().is_success();
        let bytes = answer.into_body().collect_bytes().await.ok()?;
        good.then(|| Metrics(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Open watches, of all clients.
    pub(crate) async fn watches(&self) -> f64 {
        self.metrics().await.expect("the API server answers").watches()
    }

    /// Waits until there are no more than so many.
    pub(crate) async fn has_watches(&self, most: f64) {
        eventually("watches end with their client", || async {
            let open = self.watches().await;
            if open <= most { Ok(()) } else { Err(format!("{open} watches are open")) }
        })
        .await;
    }

    /// Watches the server while some work is done. If the work restarts it, what counts is the new one.
    pub(crate) async fn watch(&self, cluster: &Cluster, work: impl Future<Output = ()>) -> Watched {
        let plane = &cluster.plane;
        let (first, began) = (plane.api_server_pid(), Instant::now());
        let (mut before, mut cpu) = (self.metrics().await.expect("it answers"), usage(first).cpu);
        let mut most = Watched::default();
        let (mut work, mut done) = (pin!(work), false);
        loop {
            done = done || timeout(LOOK, &mut work).await.is_ok();
            let pid = plane.api_server_pid();
            most.resident = most.resident.max(usage(pid).resident);
            most.connections = most.connections.max(connections(pid, &plane.url));
            let Some(now) = self.metrics().await else { continue }; // as long as it is away
            let seats = "apiserver_flowcontrol_current_executing_seats";
            most.seats = most.seats.max(now.sum(seats, &["priority_level=\"workload-low\""]));
            if done {
                if pid != first {
                    (before, cpu) = (Metrics(String::new()), 0.0);
                }
                let grown = |labels: &[&str]| {
                    let name = "apiserver_request_total";
                    now.sum(name, labels) - before.sum(name, labels)
                };
                most.lists = grown(&["verb=\"LIST\""]);
                most.ended = grown(&["verb=\"WATCH\""]);
                most.refused = grown(&["code=\"429\""]);
                most.watches = now.watches();
                most.cpu = usage(pid).cpu - cpu;
                most.seconds = began.elapsed().as_secs_f64();
                return most;
            }
        }
    }
}

/// Open connections to that URL, from what the kernel shows a process of its network.
fn connections(pid: u32, url: &str) -> usize {
    const ESTABLISHED: &str = "01";
    let port: u16 = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let port = format!(":{port:04X}");
    let tables = ["tcp", "tcp6"].map(|table| {
        std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default()
    });
    let lines = tables.iter().flat_map(|table| table.lines());
    let columns = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    columns
        .filter(|columns| {
            columns.len() > 3 && columns[1].ends_with(&port) && columns[3] == ESTABLISHED
        })
        .count()
}
