//! A sidecar with a cluster to look at: the example of `demo`, and an agent's configuration.

use crate::support::asked::client;
use nodelocal_sd::agent::{self, AgentState, Settings};
use nodelocal_sd::config::{Options, Waits};
use nodelocal_sd::http::{App, HttpSd, Limits, serve};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::sd::Compat;
use nodelocal_sd::sidecar::Sidecar;
use nodelocal_sd::simulator::{Simulator, endpoint_controller, example};
use nodelocal_sd::targets::{Query, Role};
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) const NODE: &str = "node-a";

pub(crate) const PATHS: [&str; 7] = [
    "/",
    "/debug/targets?role=endpointslice",
    "/debug/unassigned",
    "/debug/watches",
    "/debug/jobs",
    "/debug/changes",
    "/debug/config",
];

const CONFIG: &str = "\
global: {scrape_interval: 30s, external_labels: {cluster: example}}
remote_write:
- url: https://writer:SECRET@metrics.example/api/v1/write
  headers: {X-Scope-OrgID: shop}
scrape_configs:
- job_name: serviceMonitor/shop/cart/0
  kubernetes_sd_configs: [{role: endpointslice, namespaces: {names: [shop]}}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_endpointslice_port_name], regex: http-metrics, action: keep}
- job_name: podMonitor/kube-system/cni/0
  kubernetes_sd_configs: [{role: pod, namespaces: {names: [kube-system]}}]
- job_name: node-exporter
  static_configs: [{targets: ['localhost:9100']}]
- job_name: ingress
  kubernetes_sd_configs: [{role: ingress}]
- job_name: broken
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs: [{source_labels: [a], regex: 'web-(', action: keep}]
";

/// The pages of a sidecar; they end when it is dropped.
pub(crate) struct Pages {
    pub(crate) url: String,
    pub(crate) simulator: Simulator,
    _folder: TempDir,
    _tasks: JoinSet<()>,
}

// === impl Pages ===

impl Pages {
    /// Serves the example cluster.
    pub(crate) async fn start() -> Self {
        let simulator = Simulator::new();
        example::load(&simulator);
        Self::of(simulator).await
    }

    /// Serves that cluster.
    pub(crate) async fn of(simulator: Simulator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config_in, config_out) =
            (folder.path().join("in.yaml"), folder.path().join("out.yaml"));
        std::fs::write(&config_in, CONFIG).unwrap();
        let from = EndpointsFrom::default();
        let sidecar = Sidecar::start(NODE, from, client(&simulator), Timing::alone());
        for role in Role::ALL {
            sidecar.demand.need(&Query::all(role).needs(from)); // as a Prometheus does
        }
        let settings = Settings {
            node: NODE.to_owned(),
            config_in,
            jobs_from: Vec::new(),
            config_out,
            reload_url: None,
            state_dir: None,
            options: Options::default(),
            compat: nodelocal_sd::sd::Compat::Auto,
            waits: Waits { hold: Duration::ZERO, spread: Duration::ZERO, pause: Duration::ZERO },
        };
        let state = Arc::new(AgentState::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(agent::follow(settings, &sidecar, Arc::clone(&state)));
        let app = App::new(&sidecar, Compat::Auto, Some(state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tasks.spawn(serve(listener, Arc::new(HttpSd(Arc::new(app))), Limits::SD, pending()));
        tasks.spawn(async move {
            let _sidecar = sidecar; // lives as long as its pages
            pending::<()>().await;
        });
        Self { url, simulator, _folder: folder, _tasks: tasks }
    }

    /// The address of a page.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// One more Pod of the Deployment `cart`, as its controller writes it, with these annotations.
    pub(crate) fn add_pod(&self, name: &str, annotations: &Value) {
        self.simulator.apply(pod(name, 200, annotations)).expect("a good Pod");
        endpoint_controller::sync(&self.simulator);
    }

    /// Gives the Pod of that number, of those that were added together, these annotations.
    pub(crate) fn annotate(&self, number: usize, annotations: &Value) {
        let pod = pod(&format!("batch-{number:03}"), number, annotations);
        self.simulator.apply(pod).expect("a good Pod");
        endpoint_controller::sync(&self.simulator);
    }

    /// So many more.
    pub(crate) fn add_pods(simulator: &Simulator, count: usize) {
        for number in 0..count {
            let pod = pod(&format!("batch-{number:03}"), number, &json!({"a": "b"}));
            simulator.apply(pod).expect("a good Pod");
        }
        endpoint_controller::sync(simulator);
    }
}

fn pod(name: &str, number: usize, annotations: &Value) -> Value {
    let ip = format!("10.200.{}.{}", number / 250, number % 250 + 1);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "many"}, "annotations": annotations},
        "spec": {"nodeName": NODE, "containers": [{"name": "app", "image": "app:1",
            "ports": [{"name": "http-metrics", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}]},
    })
}
