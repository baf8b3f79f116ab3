//! How soon a sidecar that is started again has its first right answer while the API server is away, and what
//! keeping its state costs: `cargo bench --bench restart`.
//!
//! The sidecar is the release binary; the API server is the simulator, in this process, until it is taken away.
//! A node with 110 Pods, one for each of the first Services, and as many Services as the row says.

#![expect(clippy::print_stdout, reason = "the result")]

use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nodelocal_sd::simulator::{Simulator, serve};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

const NODE: &str = "node-0";
const PODS: usize = 110;
const RESTARTS: usize = 21;

type Http = Client<HttpConnector, Empty<bytes::Bytes>>;

fn pod(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop",
            "labels": {"app": format!("app-{number}"), "tier": "front"},
            "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"nodeName": NODE, "containers": [{"name": "web", "image": "registry/web:1",
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": format!("10.0.0.{number}"), "hostIP": "192.0.2.1",
            "podIPs": [{"ip": format!("10.0.0.{number}")}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}

/// As a chart writes it.
fn service(number: usize) -> Value {
    let app = format!("app-{number}");
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": app, "namespace": "shop", "labels": {
                "app.kubernetes.io/name": app, "app.kubernetes.io/instance": app,
                "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": format!("{app}-1.2.3")},
            "annotations": {"meta.helm.sh/release-name": app, "meta.helm.sh/release-namespace": "shop"}},
        "spec": {"type": "ClusterIP", "clusterIP": format!("10.96.{}.{}", number / 256 % 256, number % 256),
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "selector": {"app": app},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]}})
}

fn start(kubeconfig: &Path, address: SocketAddr, state: Option<&Path>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodelocal-sd"));
    command.args(["run", "--node-name", NODE, "--admin-listen", "127.0.0.1:0", "--listen"]);
    command.arg(address.to_string()).arg("--kubeconfig").arg(kubeconfig);
    if let Some(state) = state {
        command.arg("--state-dir").arg(state);
    }
    command.stderr(Stdio::null()).kill_on_drop(true).spawn().expect("starts")
}

/// Asks until there is a good answer.
async fn first_answer(http: &Http, address: SocketAddr) -> bytes::Bytes {
    let url = format!("http://{address}/sd/endpointslice");
    loop {
        if let Ok(answer) = http.get(url.parse().expect("our own URL")).await
            && answer.status().is_success()
        {
            return answer.into_body().collect().await.expect("the whole").to_bytes();
        }
        sleep(Duration::from_millis(1)).await; // between two looks
    }
}

/// Peak resident memory in MiB.
fn peak(child: &Child) -> f64 {
    let pid = child.id().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux has it");
    let kib: f64 =
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib / 1024.0
}

async fn terminate(mut child: Child) {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("it runs");
    kill_process(pid, Signal::TERM).expect("it is ours");
    child.wait().await.expect("it ends");
}

async fn measure(services: usize) {
    let simulator = Simulator::new();
    let put = |object| {
        simulator.apply(object).expect("a good object");
    };
    put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}));
    (0..PODS).for_each(|number| put(pod(number)));
    (0..services).for_each(|number| put(service(number)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let api = listener.local_addr().expect("bound");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(simulator, listener, async {
        let _ = stopped.await;
    }));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {{server: 'http://{api}'}}}}], \
         users: [{{name: u, user: {{}}}}], contexts: [{{name: c, context: {{cluster: c, user: u}}}}]}}"
    );
    std::fs::write(&kubeconfig, text).expect("can be written");
    let state = folder.path().join("state");
    // Free again when this statement ends.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let address = address.expect("a free port");
    let http = || Client::builder(TokioExecutor::new()).build_http();

    let mut peaks = Vec::new();
    let mut expected = bytes::Bytes::new();
    for state in [None, Some(&*state)] {
        let sidecar = start(&kubeconfig, address, state);
        expected = first_answer(&http(), address).await;
        sleep(Duration::from_secs(15)).await; // the state is saved 10 s after the last change
        peaks.push(peak(&sidecar));
        terminate(sidecar).await;
    }
    let _ = stop.send(());
    server.abort();
    let bytes = std::fs::metadata(state.join("objects.gz")).expect("it was saved").len();

    let mut times = Vec::new();
    for _ in 0..RESTARTS {
        let http = http();
        let began = Instant::now();
        let sidecar = start(&kubeconfig, address, Some(&state));
        let answer = first_answer(&http, address).await;
        times.push(began.elapsed());
        assert!(answer == expected, "the same bytes as before");
        if times.len() == RESTARTS {
            peaks.push(peak(&sidecar));
        }
        terminate(sidecar).await;
    }
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "| {services} | {:.0} | {:.0} | {} | {:.1} | {:.1} | {:.1} |",
        milliseconds(times[RESTARTS / 2]),
        milliseconds(times[RESTARTS - 1]),
        bytes / 1024,
        peaks[0],
        peaks[1],
        peaks[2],
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!(
        "| Services | median ms | slowest ms | file KiB | peak MiB without state | with, saving | restarted |\n\
         |--|--|--|--|--|--|--|"
    );
    for services in [110, 3_000, 10_000] {
        measure(services).await;
    }
}
