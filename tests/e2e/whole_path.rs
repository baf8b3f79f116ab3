//! The whole path: an unmodified `prometheus --agent` scrapes live exporters that our http_sd names, and
//! another Prometheus receives the samples by remote write.

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::differential::create_nodes;
use super::random_cluster::NODES;
use super::support::http::{eventually, get};
use super::support::prometheus::{Prometheus, binaries};
use super::support::served::Served;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Source;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const NAMESPACE: &str = "whole-path";
/// Where the Pods' exporters listen.
pub(crate) const PORT: u16 = 9100;

pub(crate) fn from_pods_to_remote_write(plane: &ControlPlane) {
    block_on(async {
        let api = Api::of(plane).await;
        create_nodes(&api).await;
        api.create(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        )
        .await;
        api.create(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "metrics", "port": 80, "targetPort": PORT}]}}))
            .await;
        let mut exporters = JoinSet::new();
        for number in 1..=3 {
            exporters.spawn(exporter(&address(number), number).await);
        }
        api.create(pod(1, NODES[0])).await;
        api.create(pod(2, NODES[0])).await;
        api.create(pod(9, NODES[1])).await; // of another node: not ours to scrape

        let source = Source::Kubeconfig { paths: vec![plane.kubeconfig()], context: None };
        let sidecar = Served::start_from(EndpointsFrom::default(), &source, NODES[0]).await;
        let binary = binaries().pop().expect("one is named");
        let receives = ["--web.enable-remote-write-receiver"];
        let receiver = Prometheus::start_as(&binary, "scrape_configs: []\n", &receives).await;
        let config = agent_config(&sidecar.url, &receiver.url);
        let _agent = Prometheus::start_as(&binary, &config, &["--agent"]).await;

        eventually("both Pods are scraped", || received(&receiver, &["web-1", "web-2"])).await;
        api.create(pod(3, NODES[0])).await;
        eventually("the Pod that came is scraped", || {
            received(&receiver, &["web-1", "web-2", "web-3"])
        })
        .await;
        api.delete(&format!("/api/v1/namespaces/{NAMESPACE}/pods/web-1")).await;
        // Its series end: Prometheus marks them as stale once the target is gone.
        eventually("the Pod that went is dropped", || received(&receiver, &["web-2", "web-3"]))
            .await;
    });
}

fn agent_config(sidecar: &str, receiver: &str) -> String {
    format!(
        "global: {{scrape_interval: 1s}}\n\
         remote_write: [{{url: '{receiver}/api/v1/write'}}]\n\
         scrape_configs:\n\
         - job_name: web\n  \
           http_sd_configs: [{{url: '{sidecar}/sd/endpointslice?namespace={NAMESPACE}', refresh_interval: 1s}}]\n  \
           relabel_configs:\n  \
           - {{source_labels: [__meta_kubernetes_endpointslice_port_name], regex: metrics, action: keep}}\n  \
           - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}\n"
    )
}

/// Whether the exporters of these Pods, each under its own name, and no others have live samples.
async fn received(receiver: &Prometheus, pods: &[&str]) -> Result<(), String> {
    let answer = get(&format!("{}/api/v1/query?query=exporter_number", receiver.url)).await?;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let live: BTreeSet<String> = answer["data"]["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| format!("{}={}", sample["metric"]["pod"], sample["value"][1]))
        .collect();
    let name_and_number = |pod: &&str| format!("\"{pod}\"=\"{}\"", pod.trim_start_matches("web-"));
    let expected: BTreeSet<String> = pods.iter().map(name_and_number).collect();
    if live == expected { Ok(()) } else { Err(format!("{live:?}")) }
}

/// An exporter at the address of a Pod.
pub(crate) async fn exporter(address: &str, number: u8) -> impl Future<Output = ()> + use<> {
    let address = (address, PORT);
    let listener =
        TcpListener::bind(address).await.expect("the network namespace has the Pods' addresses");
    async move {
        loop {
            let Ok((mut connection, _)) = listener.accept().await else { return };
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let body = format!("exporter_number {number}\n");
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
        }
    }
}

fn address(number: u8) -> String {
    format!("10.230.0.{number}")
}

fn pod(number: u8, node: &str) -> Value {
    let ip = address(number);
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{number}"), "namespace": NAMESPACE, "labels": {"app": "web"}},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": PORT}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
