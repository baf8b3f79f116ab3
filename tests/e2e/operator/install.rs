//! A running prometheus-operator, outside the cluster that it works for.

use super::super::api::Api;
use super::super::control_plane::{ControlPlane, free_ports};
use super::super::support::http::{eventually, get};
use flate2::read::GzDecoder;
use k8s_openapi::ByteString;
use serde_json::Value;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Ends when it is dropped.
pub(crate) struct Operator {
    _process: Child,
}

/// Where the operator of this version is: `bin` and `crds`.
pub(crate) fn folder() -> PathBuf {
    let named = std::env::var_os("PROMETHEUS_OPERATOR");
    named.expect("PROMETHEUS_OPERATOR must name the folder that .ci/build-operator prints").into()
}

/// The CRD of a kind, in `crds` or in the folder of an older version.
pub(crate) fn crd(crds: &str, plural: &str) -> Value {
    let file = folder().join(format!("{crds}/monitoring.coreos.com_{plural}.yaml"));
    let text = std::fs::read_to_string(file).expect("the CRDs are there");
    serde_saphyr::from_str(&text).expect("YAML")
}

/// The schema of a kind's `spec`.
pub(crate) fn schema(plural: &str) -> Value {
    let mut crd = crd("crds", plural);
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].take()
}

// === impl Operator ===

impl Operator {
    /// Creates the CRDs and starts it, with more flags.
    pub(crate) async fn start(plane: &ControlPlane, flags: &[&str]) -> Self {
        let crds = folder().join("crds");
        plane.kubectl(&["apply", "--server-side", "-f", crds.to_str().expect("UTF-8")]);
        established(plane).await;
        let [port] = free_ports();
        let log = std::fs::File::create(plane.folder().join("operator.log")).expect("a log");
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"]) // also when the test is killed
            .arg(folder().join("bin/operator"))
            .env("KUBECONFIG", plane.kubeconfig()) // it has no flag for that
            .arg("--feature-gates=PrometheusAgentDaemonSet=true")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the operator can be started");
        let url = format!("http://127.0.0.1:{port}/healthz");
        eventually("the operator is healthy", || async { get(&url).await }).await;
        Self { _process: process }
    }
}

/// Waits until the API server serves all CRDs. kubectl fails on one that has no conditions yet.
pub(crate) async fn established(plane: &ControlPlane) {
    eventually("the CRDs are served", || async {
        plane.try_kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])
    })
    .await;
}

/// A Secret's value as text, unpacked where it is packed; `None` if there is no such key.
pub(crate) fn secret_text(secret: &Value, key: &str) -> Option<String> {
    let bytes = secret_bytes(secret, key)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(&*bytes).read_to_string(&mut text).expect("a whole gzip stream");
    } else {
        text = String::from_utf8(bytes).expect("UTF-8");
    }
    Some(text)
}

/// A Secret's value.
pub(crate) fn secret_bytes(secret: &Value, key: &str) -> Option<Vec<u8>> {
    let value = secret["data"].get(key)?.clone();
    Some(serde_json::from_value::<ByteString>(value).expect("base64").0)
}

/// A Secret, if it is there.
pub(crate) async fn secret(api: &Api, namespace: &str, name: &str) -> Result<Value, String> {
    let path =
        format!("/api/v1/namespaces/{namespace}/secrets?fieldSelector=metadata.name%3D{name}");
    let mut found = api.get(&path).await;
    let secret = found["items"].get_mut(0).map(Value::take);
    secret.ok_or_else(|| format!("there is no Secret {namespace}/{name}"))
}

/// The configuration that the operator has made for that agent, once it has so many jobs.
pub(crate) async fn rendered(api: &Api, namespace: &str, agent: &str, jobs: usize) -> String {
    let name = format!("prom-agent-{agent}");
    eventually("the operator renders all jobs", || async {
        let secret = secret(api, namespace, &name).await?;
        let text = secret_text(&secret, "prometheus.yaml.gz").ok_or("it has no configuration")?;
        let count = text.matches("- job_name:").count();
        if count == jobs { Ok(text) } else { Err(format!("{agent}: {count} jobs of {jobs}")) }
    })
    .await
}
