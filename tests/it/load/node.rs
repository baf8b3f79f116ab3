//! A busy node: the built sidecar as a process of its own, and the API server that it watches.

#[expect(dead_code, reason = "shared with the measurements of the cost, which use all of it")]
#[path = "../../../benches/cost/process.rs"]
mod process;

use crate::support::world::{put, service};
use nodelocal_sd::simulator::{Simulator, serve};
use process::Process;
pub(super) use process::Usage;
use serde_json::{Value, json};
use std::future::pending;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::net::TcpListener;

const NODE: &str = "node-a";
/// As many as a kubelet runs by default; each has a Service.
pub(super) const PODS: usize = 110;

/// The node.
pub(super) struct Node {
    simulator: Simulator,
    process: Process,
    log: PathBuf,
    _folder: TempDir,
}

// === impl Node ===

impl Node {
    /// Starts the API server, in a thread of its own, and the sidecar.
    pub(super) fn start() -> Self {
        let simulator = Simulator::new();
        put(&simulator, json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}));
        (0..PODS).for_each(|number| put(&simulator, pod(number, 0)));
        (0..PODS).for_each(|number| put(&simulator, service(&format!("app-{number}"))));
        let api = serve_in_a_thread(simulator.clone());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {{server: 'http://{api}'}}}}], \
             users: [{{name: u, user: {{}}}}], contexts: [{{name: c, context: {{cluster: c, user: u}}}}]}}"
        );
        std::fs::write(&kubeconfig, text).expect("can be written");
        let log = folder.path().join("log");
        let kubeconfig = kubeconfig.display().to_string();
        let arguments = ["run", "--node-name", NODE, "--kubeconfig", &kubeconfig].into_iter();
        let listeners = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let arguments: Vec<String> = arguments.chain(listeners).map(str::to_owned).collect();
        let binary = Path::new(env!("CARGO_BIN_EXE_nodelocal-sd"));
        let process = Process::start(binary, &arguments, log.clone());
        Self { simulator, process, log, _folder: folder }
    }

    /// Where http_sd is served, once it says so.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let log = std::fs::read_to_string(&self.log).ok()?;
        let address = log.split_once("http_sd=")?.1.split_whitespace().next()?;
        address.parse().ok()
    }

    /// Changes a label of one Pod; `round` is what it shows.
    pub(super) fn change(&self, number: usize, round: usize) {
        put(&self.simulator, pod(number % PODS, round));
    }

    /// What the sidecar has used so far.
    pub(super) fn usage(&mut self) -> Usage {
        self.process.usage()
    }
}

fn serve_in_a_thread(simulator: Simulator) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it can be");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::from_std(listener).expect("a socket");
            serve(simulator, listener, pending()).await; // until the process ends
        });
    });
    address
}

fn pod(number: usize, round: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop",
            "labels": {"app": format!("app-{number}"), "tier": "front", "round": format!("{round}")},
            "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"nodeName": NODE, "containers": [{"name": "web", "image": "registry/web:1",
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": format!("10.0.0.{number}"), "hostIP": "192.0.2.1",
            "podIPs": [{"ip": format!("10.0.0.{number}")}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
