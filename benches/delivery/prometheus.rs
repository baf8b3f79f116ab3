//! A Prometheus agent that is measured.

use crate::control_plane::free_ports;
use crate::http::{eventually, get};
use crate::process::Process;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One that runs; ends when it is dropped.
pub(crate) struct Prometheus {
    pub(crate) process: Process,
    pub(crate) url: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Targets,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    labels: BTreeMap<String, String>,
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts `prometheus --agent`, or one that receives, with that configuration; its files are in that folder.
    pub(crate) async fn start(folder: &Path, config: &str, arguments: &[&str]) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let [port] = free_ports();
        let storage = if arguments.contains(&"--agent") { "agent" } else { "tsdb" };
        let mut all = vec![
            format!("--config.file={}", file.display()),
            format!("--storage.{storage}.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        all.extend(arguments.iter().map(ToString::to_string));
        let process = Process::start(&binary(), &all, folder.join("prometheus.log"));
        let url = format!("http://127.0.0.1:{port}");
        let ready = format!("{url}/-/ready");
        eventually("Prometheus is ready", || async { get(&ready).await }).await;
        Self { process, url }
    }

    /// What it scrapes now: the value of that label of each target, where it has one.
    pub(crate) async fn targets(&self, label: &str) -> Vec<String> {
        let answer = get(&format!("{}/api/v1/targets?state=active", self.url)).await;
        let answer: Answer = serde_json::from_str(&answer.expect("it answers")).expect("JSON");
        let targets = answer.data.active_targets.into_iter();
        targets.filter_map(|mut target| target.labels.remove(label)).collect()
    }
}

/// The last one that the variable names.
fn binary() -> PathBuf {
    let named = std::env::var_os("PROMETHEUS").expect("PROMETHEUS must name a prometheus binary");
    std::env::split_paths(&named).last().expect("one is named")
}
