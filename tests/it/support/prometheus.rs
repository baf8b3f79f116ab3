//! A real Prometheus, named by the variable `PROMETHEUS`; the end-to-end tests take several, separated
//! as in `PATH`.

use super::http::{eventually, get};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running Prometheus; ends when it is dropped.
pub(crate) struct Prometheus {
    /// Where its API is.
    pub(crate) url: String,
    _process: Child,
    _data: TempDir,
}

/// Discovered labels of one target: the address, `instance`, and the meta labels but those that
/// http_sd and file_sd add.
pub(crate) type Discovered = BTreeMap<String, String>;

/// The node that a target of Prometheus belongs to; the rules of node-locality, read off its labels.
pub(crate) fn node_of(target: &Discovered) -> Option<&str> {
    let label = |name: &str| target.get(&format!("__meta_kubernetes_{name}")).map(String::as_str);
    if let Some(node) = target.get("instance") {
        return Some(node); // role node
    }
    let of_endpoint = |node_name, kind, name| {
        let referenced = || label(name).filter(|_| label(kind) == Some("Node"));
        label(node_name).or_else(referenced)
    };
    of_endpoint(
        "endpointslice_endpoint_node_name",
        "endpointslice_address_target_kind",
        "endpointslice_address_target_name",
    )
    .or_else(|| {
        of_endpoint(
            "endpoint_node_name",
            "endpoint_address_target_kind",
            "endpoint_address_target_name",
        )
    })
    .or_else(|| label("pod_node_name"))
}

impl Prometheus {
    /// Starts the only one, or the last of several, with that configuration and waits until it answers.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_as(binaries().last().expect("one is named"), config, &[]).await
    }

    /// Starts that one, with more arguments.
    pub(crate) async fn start_as(binary: &Path, config: &str, arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let file = data.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("the configuration can be written");
        let storage = if arguments.contains(&"--agent") { "agent" } else { "tsdb" };
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"]) // also when the test is killed
            .arg(binary)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.{storage}.path={}", data.path().join("data").display()))
            .args(arguments)
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the Prometheus that PROMETHEUS names can be started");
        let mut log = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = log.next_line().await.expect("its log can be read");
            let line = line.unwrap_or_else(|| panic!("it ended: {}", said.join("\n")));
            if line.contains("Listening on")
                && let Some(address) = line.split("address=").nth(1)
            {
                break address.trim().trim_matches('"').to_owned();
            }
            said.push(line);
        };
        // A pipe that nobody reads would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let url = format!("http://{address}");
        eventually("Prometheus is ready", || get_owned(format!("{url}/-/ready"))).await;
        Self { url, _process: process, _data: data }
    }

    /// What a job has discovered. Its targets must all be dropped by relabeling: only then are
    /// equal ones shown as often as they are there.
    pub(crate) async fn discovered(&self, job: &str) -> Vec<Discovered> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Targets {
            dropped_targets: Vec<Target>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Target {
            discovered_labels: BTreeMap<String, String>,
        }
        let body =
            get(&format!("{}/api/v1/targets?state=dropped&scrapePool={job}", self.url)).await;
        let mut answer: Value = serde_json::from_str(&body.expect("an answer")).expect("JSON");
        let targets: Targets = serde_json::from_value(answer["data"].take()).expect("targets");
        let mut discovered: Vec<Discovered> = targets
            .dropped_targets
            .into_iter()
            .map(|target| target.discovered_labels)
            .filter(|labels| labels.get("job").is_some_and(|name| name == job))
            .map(|mut labels| {
                labels.retain(|name, value| {
                    !value.is_empty()
                        && !["__meta_url", "__meta_filepath"].contains(&&**name)
                        && (name == "__address__"
                            || name == "instance"
                            || name.starts_with("__meta_"))
                });
                labels
            })
            .collect();
        discovered.sort();
        discovered
    }
}

async fn get_owned(url: String) -> Result<String, String> {
    get(&url).await
}

/// Those that the variable names.
pub(crate) fn binaries() -> Vec<PathBuf> {
    let named = std::env::var_os("PROMETHEUS");
    let named = named.expect(
        "PROMETHEUS must name a prometheus binary; .ci/fetch-deb prometheus trixie prints its folder",
    );
    std::env::split_paths(&named).collect()
}
