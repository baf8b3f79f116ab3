//! The ways in which targets come to a Prometheus.

use std::fmt;

/// How a Prometheus gets its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It does not: they are in its configuration. What is beyond it is the cost of discovery.
    Static,
    /// It watches the API server, with its own Pods selected: what an agent can do today at best.
    Kubernetes,
    /// It asks the sidecar that often, in seconds; an unchanged answer is held, or never is.
    Http { interval: u32, hold: bool },
    /// It reads the files of the sidecar.
    File,
}

// === impl Way ===

impl Way {
    /// The discovery of a job that asks this, as lines of a scrape configuration.
    pub(crate) fn discovery(self, job: &Job<'_>) -> String {
        match self {
            Self::Static => {
                let targets = job.static_targets.join(", ");
                format!("  static_configs: [{{targets: [{targets}]}}]\n")
            }
            Self::Kubernetes => format!(
                "  kubernetes_sd_configs:\n  - {{role: endpointslice, kubeconfig_file: '{}', namespaces: {{names: [{}]}}, \
                 selectors: [{{role: pod, field: spec.nodeName={}}}]}}\n",
                job.kubeconfig,
                job.namespace,
                crate::world::NODE
            ),
            Self::Http { interval, hold } => {
                let hold = if hold { "" } else { "&hold=off" };
                format!(
                    "  http_sd_configs: [{{url: '{}{}{hold}', refresh_interval: {interval}s}}]\n",
                    job.sidecar, job.path
                )
            }
            Self::File => {
                format!("  file_sd_configs: [{{files: ['{}/{}.json']}}]\n", job.files, job.name)
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("static_configs"),
            Self::Kubernetes => f.write_str("kubernetes_sd"),
            Self::Http { interval, hold: false } => write!(f, "http_sd, {interval} s, plain"),
            Self::Http { interval, hold: true } => write!(f, "http_sd, {interval} s, long poll"),
            Self::File => f.write_str("file_sd"),
        }
    }
}

/// What a job asks, in each way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job<'a> {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) kubeconfig: &'a str,
    pub(crate) sidecar: &'a str,
    /// `/sd/ROLE?QUERY`.
    pub(crate) path: String,
    pub(crate) files: &'a str,
    pub(crate) static_targets: Vec<String>,
}
