//! The Helm chart: it renders what the manifests say, refuses what is wrong, and is documented.
//!
//! What needs helm is ignored in a plain `cargo test`; `.ci/run chart` runs it with each helm that is supported.

/// What is rendered for each of the chart's examples.
mod golden;
/// The values, where they are listed.
mod listed;
/// What is printed after an installation.
mod notes;
/// What is refused, and how that is said.
mod refused;
/// Releases side by side.
mod releases;
/// The chart and the manifests say the same.
mod same;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the kustomize pairs are, and where no name says the namespace.
const MONITORING: &str = "monitoring";

/// One that `own-node-only` accepts; without a cluster helm would take its own.
const KUBERNETES: &str = "1.37.0";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn chart() -> PathBuf {
    root().join("charts/nodelocal-sd")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a program printed, or what it complained about.
fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .env_remove("KUBECONFIG")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
    }
}

fn helm(arguments: &[&str]) -> Result<String, String> {
    let helm = std::env::var_os("HELM").expect("HELM names a helm, as .ci/run chart sets it");
    run(Path::new(&helm), arguments)
}

/// A release: what is installed, as what, and where.
struct Release<'a> {
    chart: &'a Path,
    name: &'a str,
    namespace: &'a str,
}

impl Release<'_> {
    /// Its manifests with the values of these files, as text.
    fn render(&self, values: &[&Path]) -> Result<String, String> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let mut arguments = vec!["template".to_owned(), self.name.to_owned(), path(self.chart)];
        let of_cluster = ["--namespace", self.namespace, "--kube-version", KUBERNETES];
        arguments.extend(of_cluster.map(str::to_owned));
        for values in values {
            arguments.extend(["--values".to_owned(), path(values)]);
        }
        helm(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The objects with these values over those of `ci/defaults-values.yaml`.
    fn objects(&self, values: &str) -> Result<Vec<Value>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("values.yaml");
        std::fs::write(&file, values).unwrap();
        Ok(objects(&self.render(&[&chart().join("ci/defaults-values.yaml"), &file])?))
    }
}

/// The release that has the names of the manifests.
fn usual(chart: &Path) -> Release<'_> {
    Release { chart, name: "nodelocal-sd", namespace: MONITORING }
}

fn objects(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"))
}

/// What an object is called, in words.
fn name(object: &Value) -> String {
    let part = |value: &Value| value.as_str().unwrap_or("(none)").to_owned();
    let metadata = &object["metadata"];
    let place = [&object["kind"], &metadata["namespace"], &metadata["name"]].map(part);
    place.join(" ")
}
