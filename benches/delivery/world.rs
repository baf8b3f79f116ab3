//! One node's Pods on a real control plane, and one exporter at all their addresses.

use crate::api::Api;
use crate::control_plane::ControlPlane;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The node whose targets are measured.
pub(crate) const NODE: &str = "node-0";
/// Where exporters listen.
const PORT: u16 = 9100;

/// A running cluster; ends when it is dropped.
pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) api: Api,
}

/// A Pod of an application.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) app: String,
    pub(crate) number: usize,
}

// === impl World ===

impl World {
    /// One with that node and these namespaces.
    pub(crate) async fn start(namespaces: impl Iterator<Item = String>) -> Self {
        let plane = ControlPlane::start();
        let api = Api::of(&plane).await;
        api.create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})).await;
        for name in namespaces {
            let metadata = json!({"name": name});
            api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
                .await;
        }
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await.expect("a network of our own");
        tokio::spawn(exporter(listener));
        Self { plane, api }
    }

    /// An administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// A Service for the Pods of an application.
    pub(crate) async fn service(&self, namespace: &str, app: &str) {
        self.api
            .create(json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": app, "namespace": namespace, "labels": {"app": app}},
                "spec": {"selector": {"app": app}, "ports": [{"name": "metrics", "port": 80, "targetPort": PORT}]}}))
            .await;
    }
}

// === impl Pod ===

impl Pod {
    /// Its own; the network has all of 10.0.0.0/8.
    fn address(&self) -> String {
        format!("10.128.{}.{}", self.number / 250, self.number % 250 + 1)
    }

    /// What is scraped.
    pub(crate) fn target(&self) -> String {
        format!("'{}:{PORT}'", self.address())
    }

    /// As it is once its containers are ready.
    pub(crate) fn object(&self) -> Value {
        let ip = self.address();
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": {"app": self.app}},
            "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "c", "image": "i", "ports": [{"name": "metrics", "containerPort": PORT}]}]},
            "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                "conditions": [{"type": "Ready", "status": "True"}]}})
    }
}

/// Answers each request with one sample.
async fn exporter(listener: TcpListener) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(answer(connection));
    }
}

async fn answer(mut connection: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
        Content-Length: 11\r\n\r\nexported 1\n";
    let mut request = [0; 4096];
    // Prometheus keeps its connections, and its requests fit into one read.
    while connection.read(&mut request).await.is_ok_and(|length| length > 0) {
        if connection.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
