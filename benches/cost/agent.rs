//! The agents that are compared: their processes, and how far they are.

use crate::cluster::Cluster;
use crate::control_plane::free_ports;
use crate::http::get;
use crate::job::{Discovery, Job, NODE, config};
use crate::metrics::Metrics;
use crate::objects::node;
use crate::process::{Process, Usage};
use crate::proxy::Proxy;
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How an agent finds its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This sidecar, endpoints derived from Pods and Services.
    Pods,
    /// This sidecar, all slices watched.
    Slices,
    /// `kubernetes_sd_configs`, then `keep` on the own node.
    Kubernetes,
    /// The same with a Pod selector: what an agent can do today at best.
    OwnPods,
    /// [`Self::Kubernetes`] without compression: so it is with `api_server` in the configuration, and on
    /// servers before 1.37, which do not compress watches.
    KubernetesPlain,
    /// [`Self::OwnPods`], the same way.
    OwnPodsPlain,
}

/// An agent that runs, and the proxy between it and the API server.
pub(crate) struct Agent {
    processes: Vec<Process>,
    pub(crate) proxy: Proxy,
    /// Where its targets are shown.
    targets: String,
    /// Where it counts its requests.
    requests: (String, &'static str),
    _folder: TempDir,
}

/// A scrape interval with which nothing is scraped while it is measured.
pub(crate) const NO_SCRAPES: &str = "1h";

/// Between two looks at an agent that starts; a look costs the agent something.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const LOOKS: u32 = 600;

// === impl Kind ===

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pods => "nodelocal-sd, `pods`",
            Self::Slices => "nodelocal-sd, `slices`",
            Self::Kubernetes => "kubernetes_sd",
            Self::OwnPods => "kubernetes_sd, own Pods selected",
            Self::KubernetesPlain => "kubernetes_sd, not compressed",
            Self::OwnPodsPlain => "kubernetes_sd, own Pods selected, not compressed",
        })
    }
}

// === impl Agent ===

impl Agent {
    /// A sidecar alone, or a Prometheus that discovers by itself: what discovery costs.
    pub(crate) async fn discovery(cluster: &Cluster, kind: Kind) -> Self {
        match kind {
            Kind::Pods | Kind::Slices => Self::sidecar(cluster, kind).await,
            _ => Self::prometheus(cluster, kind, &[Job::Everything], NO_SCRAPES).await,
        }
    }

    /// All processes of an agent's Pod, with these jobs at that scrape interval.
    pub(crate) async fn whole_pod(
        cluster: &Cluster,
        kind: Kind,
        jobs: &[Job],
        interval: &str,
    ) -> Self {
        if !matches!(kind, Kind::Pods | Kind::Slices) {
            return Self::prometheus(cluster, kind, jobs, interval).await;
        }
        let mut agent = Self::sidecar(cluster, kind).await;
        let url = agent.targets.split_once("/sd/").expect("a query").0.to_owned();
        let config = config(jobs, Discovery::HttpSd(&url), interval);
        let (prometheus, url) = start_prometheus(agent._folder.path(), &config);
        agent.processes.push(prometheus);
        agent.targets = targets_of(&url);
        agent
    }

    async fn sidecar(cluster: &Cluster, kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::before(&cluster.plane.url).await;
        let kubeconfig = cluster.kubeconfig(folder.path(), &proxy.url);
        let from = if kind == Kind::Pods { "pods" } else { "slices" };
        let [sd, admin] = free_ports();
        let arguments = [
            "run".to_owned(),
            format!("--node-name={}", node(NODE)),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--listen=127.0.0.1:{sd}"),
            format!("--admin-listen=127.0.0.1:{admin}"),
            format!("--endpoints-from={from}"),
        ];
        let binary = std::env::var_os("SIDECAR").map(PathBuf::from);
        let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_nodelocal-sd").into());
        let process = Process::start(&binary, &arguments, folder.path().join("sidecar.log"));
        Self {
            processes: vec![process],
            proxy,
            targets: format!("http://127.0.0.1:{sd}/sd/endpointslice"),
            requests: (
                format!("http://127.0.0.1:{admin}/metrics"),
                "nodelocal_sd_api_requests_total",
            ),
            _folder: folder,
        }
    }

    async fn prometheus(cluster: &Cluster, kind: Kind, jobs: &[Job], interval: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::before(&cluster.plane.url).await;
        let access = match kind {
            Kind::KubernetesPlain | Kind::OwnPodsPlain => cluster.options(&proxy.url),
            _ => {
                let file = cluster.kubeconfig(folder.path(), &proxy.url);
                format!("kubeconfig_file: '{}'", file.display())
            }
        };
        let own_pods = matches!(kind, Kind::OwnPods | Kind::OwnPodsPlain);
        let discovery = Discovery::Kubernetes { access: &access, own_pods };
        let (process, url) = start_prometheus(folder.path(), &config(jobs, discovery, interval));
        Self {
            processes: vec![process],
            proxy,
            targets: targets_of(&url),
            requests: (format!("{url}/metrics"), "prometheus_sd_kubernetes_http_request_total"),
            _folder: folder,
        }
    }

    /// Waits until it has that many targets.
    pub(crate) async fn has(&mut self, targets: usize) {
        self.shows(targets, count).await;
    }

    /// Waits until it has scraped that many targets, with whatever result.
    pub(crate) async fn has_scraped(&mut self, targets: usize) {
        self.shows(targets, scraped).await;
    }

    /// Ends its processes in order, as the end of a Pod does.
    pub(crate) fn end(self) {
        self.processes.into_iter().rev().for_each(Process::end);
    }

    async fn shows(&mut self, targets: usize, count: fn(&str) -> usize) {
        let mut looks = 0;
        loop {
            let found = get(&self.targets).await.map(|body| count(&body));
            if found == Ok(targets) {
                return;
            }
            self.usage(); // or it has ended
            assert!(looks < LOOKS, "{targets} targets were expected, now {found:?}");
            looks += 1;
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// What its processes have used, together.
    pub(crate) fn usage(&mut self) -> Usage {
        self.processes.iter_mut().map(Process::usage).fold(Usage::default(), |sum, usage| Usage {
            cpu: sum.cpu + usage.cpu,
            resident: sum.resident + usage.resident,
            peak: sum.peak + usage.peak,
        })
    }

    /// Requests to the API server, by its own count.
    pub(crate) async fn requests(&self) -> f64 {
        let (url, name) = &self.requests;
        // A Prometheus that never listens would not have come so far.
        get(url).await.map(Metrics).expect("it shows metrics").sum(name, &[])
    }
}

fn start_prometheus(folder: &Path, config: &str) -> (Process, String) {
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let binaries = std::env::var_os("PROMETHEUS").expect("PROMETHEUS must name a prometheus");
    let newest = std::env::split_paths(&binaries).last().expect("one is named");
    let [port] = free_ports();
    let arguments = [
        "--agent".to_owned(),
        format!("--config.file={}", file.display()),
        format!("--storage.agent.path={}", folder.join("data").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let process = Process::start(&newest, &arguments, folder.join("prometheus.log"));
    (process, format!("http://127.0.0.1:{port}"))
}

fn targets_of(prometheus: &str) -> String {
    format!("{prometheus}/api/v1/targets?state=active")
}

/// The number of targets that a Prometheus has scraped.
fn scraped(body: &str) -> usize {
    let answer: Value = serde_json::from_str(body).expect("JSON");
    let targets = answer["data"]["activeTargets"].as_array().expect("targets");
    let is_scraped =
        |target: &&Value| !target["lastScrape"].as_str().unwrap_or("0001").starts_with("0001");
    targets.iter().filter(is_scraped).count()
}

/// The number of targets that a sidecar or a Prometheus shows.
fn count(body: &str) -> usize {
    let answer: Value = serde_json::from_str(body).expect("JSON");
    match &answer {
        Value::Array(groups) => {
            groups.iter().filter_map(|group| group["targets"].as_array()).map(Vec::len).sum()
        }
        prometheus => prometheus["data"]["activeTargets"].as_array().map_or(0, Vec::len),
    }
}
