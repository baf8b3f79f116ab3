//! Resident memory of one sidecar process, by the size of the cluster: `cargo bench --bench memory`.
//!
//! The sidecar is the release binary; the API server is the simulator, in this process. A node with
//! 110 Pods; one Service for each slice of 100 endpoints, of which the node has at most one.

#![expect(clippy::print_stdout, reason = "the result")]

use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nodelocal_sd::index::{Change, EndpointsFrom, Index, Update};
use nodelocal_sd::simulator::{Simulator, serve};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

const NODE: &str = "node-0";
const PODS: usize = 110;
const ENDPOINTS: usize = 100;

fn pod(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop",
            "labels": {"app": "web", "tier": "front"}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"nodeName": NODE, "containers": [{"name": "web", "image": "registry/web:1",
            "env": (0..12).map(|i| json!({"name": format!("NAME_{i}"), "value": "some value"})).collect::<Vec<_>>(),
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": format!("10.0.0.{number}"), "hostIP": "192.0.2.1",
            "conditions": [{"type": "Ready", "status": "True"}]}})
}

fn service(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("svc-{number}"), "namespace": "shop", "labels": {"app": format!("svc-{number}")}},
        "spec": {"selector": {"app": format!("svc-{number}")}, "ports": [{"name": "http", "port": 80}]}})
}

fn slice(number: usize) -> Value {
    let endpoint = |i: usize| {
        let (node, pod) = match i {
            0 if number < PODS => (0, format!("web-{number}")),
            _ => (1 + (number + i) % 999, format!("other-{number}-{i}")),
        };
        json!({"addresses": [format!("10.1.{}.{i}", number % 256)], "nodeName": format!("node-{node}"),
            "zone": "z1", "conditions": {"ready": true, "serving": true, "terminating": false},
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": pod, "uid": "0123456789"}})
    };
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("svc-{number}-abcde"), "namespace": "shop", "labels": {
            "kubernetes.io/service-name": format!("svc-{number}"),
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": (0..ENDPOINTS).map(endpoint).collect::<Vec<_>>()})
}

async fn get(url: &str) -> Option<String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let answer = client.get(url.parse().expect("our own URL")).await.ok()?;
    let good = answer.status().is_success();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    good.then(|| String::from_utf8_lossy(&body).into_owned())
}

/// Peak and present resident memory in KiB.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("Linux has it");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    };
    (field("VmHWM:"), field("VmRSS:"))
}

async fn measure(slices: usize) {
    let simulator = Simulator::new();
    let put = |object| {
        simulator.apply(object).expect("a good object");
    };
    (0..PODS).for_each(|number| put(pod(number)));
    for number in 0..slices {
        put(service(number));
        put(slice(number));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let api = listener.local_addr().expect("bound");
    let server = tokio::spawn(serve(simulator, listener, std::future::pending()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {{server: 'http://{api}'}}}}], \
         users: [{{name: u, user: {{}}}}], contexts: [{{name: c, context: {{cluster: c, user: u}}}}]}}"
    );
    std::fs::write(&kubeconfig, text).expect("can be written");
    let mut sidecar = Command::new(env!("CARGO_BIN_EXE_nodelocal-sd"))
        .args([
            "run",
            "--node-name",
            NODE,
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("starts");
    let mut log = BufReader::new(sidecar.stderr.take().expect("piped")).lines();
    let address = loop {
        let line = log.next_line().await.expect("its log").expect("it goes on");
        if let Some((_, rest)) = line.split_once("http_sd=") {
            break rest.split_whitespace().next().expect("an address").trim_matches('"').to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    let url = format!("http://{address}/sd/endpointslice");
    let targets = loop {
        if let Some(body) = get(&url).await {
            break body.matches("\"targets\"").count();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    tokio::time::sleep(Duration::from_secs(2)).await; // what settles after the answer
    let (peak, settled) = memory(sidecar.id().expect("it runs"));
    println!(
        "| {slices} | {} | {targets} | {:.1} | {:.1} |",
        slices * ENDPOINTS,
        peak as f64 / 1024.0,
        settled as f64 / 1024.0
    );
    server.abort();
}

/// A Service as a chart writes it, in one of 20 namespaces.
fn chart_service(number: usize) -> String {
    let (app, namespace) = (number % 500, number % 20);
    json!({"metadata": {"name": format!("app-{number}"), "namespace": format!("team-{namespace}"),
            "uid": "8b3f1c5e-0d3c-4d52-9b0e-5d1f6a0c7e11", "resourceVersion": "123456",
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {
                "app.kubernetes.io/name": format!("app-{app}"),
                "app.kubernetes.io/instance": format!("app-{number}"),
                "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/version": "1.2.3",
                "helm.sh/chart": format!("app-{app}-1.2.3")},
            "annotations": {"meta.helm.sh/release-name": format!("app-{number}"),
                "meta.helm.sh/release-namespace": format!("team-{namespace}")}},
        "spec": {"type": "ClusterIP", "clusterIP": format!("10.96.{}.{}", number / 256 % 256, number % 256),
            "clusterIPs": ["10.96.0.1"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
            "selector": {"app.kubernetes.io/name": format!("app-{app}"),
                "app.kubernetes.io/instance": format!("app-{number}")},
            "ports": [
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"},
                {"name": "http-metrics", "port": 9090, "protocol": "TCP", "targetPort": "http-metrics"}]},
        "status": {"loadBalancer": {}}})
    .to_string()
}

/// What a Service costs, measured in this process: nothing else in a sidecar grows with the cluster.
fn measure_services() {
    const SERVICES: usize = 50_000;
    let mut index = Index::new(NODE, EndpointsFrom::default());
    let before = memory(std::process::id()).1;
    for number in 0..SERVICES {
        let service = serde_json::from_str(&chart_service(number)).expect("a Service");
        index.apply(Change::Services(Update::Apply(service)));
    }
    let snapshot = index.take_snapshot();
    let grown = memory(std::process::id()).1 - before;
    drop(snapshot);
    println!("{} bytes for each of {SERVICES} Services\n", grown * 1024 / SERVICES as u64);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    measure_services();
    println!("| slices | endpoints | own targets | peak MiB | settled MiB |\n|--|--|--|--|--|");
    for slices in [1, 100, 1_000, 10_000] {
        measure(slices).await;
    }
}
