//! Monitors that the operator accepts and whose jobs Prometheus refuses, and with each of them the whole file.
//! What nodes get has all other jobs.

use super::super::api::Api;
use super::super::block_on;
use super::super::control_plane::ControlPlane;
use super::super::differential::create_nodes;
use super::super::support::prometheus::{Prometheus, binaries};
use super::corpus::{Certificates, referenced};
use super::install::{Operator, rendered};
use nodelocal_sd::config::{Config, Fate, Options, rewrite};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const NAMESPACE: &str = "refused";

pub(crate) fn what_prometheus_refuses_is_left_out(_: &ControlPlane) {
    let plane = ControlPlane::start();
    block_on(async {
        let api = Api::of(&plane).await;
        create_nodes(&api).await;
        api.create(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        )
        .await;
        for object in referenced(NAMESPACE, &Certificates::new()) {
            api.create(object).await;
        }
        let _operator = Operator::start(&plane, &[]).await;
        let monitors = monitors();
        for (_, monitor) in &monitors {
            api.create(monitor.clone()).await;
        }
        for agent in agents() {
            api.create(agent).await;
        }
        let is_of = |kind: &str| monitors.iter().filter(|(_, of)| of["kind"] == kind).count();
        let shadow = rendered(&api, NAMESPACE, "shadow", is_of("ServiceMonitor")).await;
        // Without its RoleSelector, a PodMonitor is as good as any other.
        let node = rendered(&api, NAMESPACE, "node", is_of("PodMonitor")).await;

        let binary = binaries().pop().expect("one is named");
        for text in [shadow, node] {
            let config: Value = serde_saphyr::from_str(&text).expect("YAML");
            for job in config["scrape_configs"].as_array().expect("jobs") {
                let name = job["job_name"].as_str().expect("a name");
                let mut alone = config.clone();
                alone["scrape_configs"] = json!([job]);
                // JSON is YAML.
                let refused = refuses(&binary, &alone.to_string()).await;
                assert_eq!(refused, !name.contains("good"), "{name}: the operator's job alone");
            }
            let main = Config::read(&text).expect("YAML");
            let rewriting = rewrite(main, Vec::new(), &Options::default(), &BTreeMap::new())
                .expect("it is good");
            for job in &rewriting.jobs {
                let left_out = matches!(job.fate, Fate::Refused(_));
                // The two selectors of a RoleSelector become one.
                let good = job.name.contains("good") || job.name.contains("two-selectors");
                assert_eq!(left_out, !good, "{}: {:?}", job.name, job.fate);
            }
            let ours = rewriting.config.to_string();
            Prometheus::start_as(&binary, &ours, &["--agent"]).await; // it would panic if it ended
        }
    });
}

/// Whether a Prometheus ends because of that configuration.
async fn refuses(binary: &Path, config: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let mut process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(binary)
        .args(["--agent", "--web.listen-address=127.0.0.1:0"])
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.agent.path={}", folder.path().join("data").display()))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .expect("it can be started");
    loop {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        let ended = process.try_wait().unwrap();
        if ended.is_some() || log.contains("Server is ready to receive web requests") {
            let _ = process.kill();
            let _ = process.wait();
            let why = log.contains("rror loading config");
            assert_eq!(ended.is_some(), why, "{log}");
            return why;
        }
        tokio::time::sleep(Duration::from_millis(50)).await; // between two looks
    }
}

fn monitors() -> Vec<(&'static str, Value)> {
    let basic = json!({"username": {"name": "credentials", "key": "user"}, "password": {"name": "credentials", "key": "password"}});
    let service = |name: &'static str, more: Value, entry: Value| {
        let mut spec = json!({"selector": {}, "endpoints": [entry]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (name, monitor("ServiceMonitor", name, &spec))
    };
    let pods = |name: &'static str, mechanism: &str| {
        let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "selectorMechanism": mechanism,
            "podMetricsEndpoints": [{"port": "http"}]});
        (name, monitor("PodMonitor", name, &spec))
    };
    vec![
        service("good", json!({}), json!({"port": "http", "basicAuth": basic})),
        service(
            "two-ways",
            json!({}),
            json!({"port": "http", "basicAuth": basic, "bearerTokenFile": "/token"}),
        ),
        service(
            "class",
            json!({"scrapeClass": "with-authorization"}),
            json!({"port": "http", "basicAuth": basic}),
        ),
        service("bracket", json!({}), json!({"port": "web("})),
        service("target-bracket", json!({}), json!({"targetPort": "web["})),
        service("empty-label", json!({"targetLabels": [""]}), json!({"port": "http"})),
        pods("good-pods", "RelabelConfig"),
        pods("two-selectors", "RoleSelector"),
    ]
}

fn monitor(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})
}

fn agents() -> [Value; 2] {
    let agent = |name: &str, spec: Value| {
        json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})
    };
    let class =
        json!({"name": "with-authorization", "authorization": {"credentialsFile": "/token"}});
    [
        agent(
            "shadow",
            json!({"mode": "StatefulSet", "replicas": 0, "scrapeClasses": [class],
            "serviceDiscoveryRole": "EndpointSlice", "serviceMonitorSelector": {}}),
        ),
        agent("node", json!({"mode": "DaemonSet", "podMonitorSelector": {}})),
    ]
}
