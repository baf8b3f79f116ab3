//! The Helm chart as a real API server sees it: each of its examples, tried but not kept.

use super::super::control_plane::ControlPlane;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `monitoring` is where the control plane has a namespace for it.
const NAMESPACE: &str = super::deployments::MONITORING;

/// All values in `ci`, and the example beside kube-prometheus-stack.
pub(super) fn are_accepted(plane: &ControlPlane) {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/nodelocal-sd");
    let values = std::fs::read_dir(chart.join("ci")).expect("there are some");
    let mut values: Vec<PathBuf> = values.map(|file| file.expect("readable").path()).collect();
    values.push(chart.join("examples/kube-prometheus-stack.yaml"));
    for values in values {
        let rendered = plane.folder().join("chart.yaml");
        std::fs::write(&rendered, render(&chart, &values)).expect("a writable folder");
        let file = rendered.to_str().expect("UTF-8");
        let how = ["--server-side", "--validate=strict", "--dry-run=server"];
        plane.kubectl(&[&["apply", "-f", file], &how[..]].concat());
    }
}

fn render(chart: &Path, values: &Path) -> Vec<u8> {
    let helm = std::env::var_os("HELM").expect("HELM must name a helm, as .ci/run e2e sets it");
    let output = Command::new(helm)
        .args(["template", "nodelocal-sd", "--namespace", NAMESPACE, "--kube-version", "1.37.0"])
        .arg(chart)
        .arg("--values")
        .arg(values)
        // Where kube-prometheus is there is no namespace here.
        .args(["--set", &format!("networkPolicy.kubePrometheusNamespace={NAMESPACE}")])
        .output()
        .expect("helm can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm template {}: {said}", values.display());
    output.stdout
}
