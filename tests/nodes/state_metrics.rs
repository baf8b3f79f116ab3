//! Stands for kube-state-metrics, with the two metrics that the rules ask it for. As that does, it asks the API server
//! what there is, and says what it knew before while the API server is away.

use super::node;
use http::Request;
use nodelocal_sd::kube::{Source, connect};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PORT: u16 = 9102;

/// Starts it, until the runtime ends. Where it listens.
pub(crate) async fn start(kubeconfig: PathBuf) -> String {
    let address = format!("{}:{PORT}", node::BRIDGE);
    let listener = TcpListener::bind(&address).await.expect("nobody else has the port");
    tokio::spawn(serve(listener, kubeconfig));
    address
}

async fn serve(listener: TcpListener, kubeconfig: PathBuf) {
    let source = Source::Kubeconfig { paths: vec![kubeconfig], context: None };
    let client = connect(&source).await.expect("a good kubeconfig");
    let mut metrics = String::new();
    while let Ok((mut scraper, _)) = listener.accept().await {
        if let Ok(now) = metrics_of(&client).await {
            metrics = now;
        }
        let mut request = [0; 4096];
        let _ = scraper.read(&mut request).await; // one request, small enough for one segment
        let length = metrics.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
            Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        let _ = scraper.write_all((head + &metrics).as_bytes()).await;
    }
}

async fn metrics_of(client: &kube::Client) -> Result<String, kube::Error> {
    let mut metrics = String::new();
    for (path, metric, label, value) in [
        ("/api/v1/nodes", "kube_node_info", "node", None),
        (
            "/apis/apps/v1/deployments",
            "kube_deployment_spec_replicas",
            "deployment",
            Some("/spec/replicas"),
        ),
    ] {
        let request = Request::get(path).body(Vec::new()).expect("a good path");
        let list: Value = client.request(request).await?;
        for object in list["items"].as_array().into_iter().flatten() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            let value = value.and_then(|at| object.pointer(at)).and_then(Value::as_u64);
            let value = value.unwrap_or(1);
            let _ = writeln!(
                metrics,
                "{metric}{{{label}=\"{name}\",namespace=\"{namespace}\"}} {value}"
            );
        }
    }
    Ok(metrics)
}
