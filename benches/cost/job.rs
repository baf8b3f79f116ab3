//! The jobs of an agent, as a ServiceMonitor gives them: one application in one namespace, own node.

use crate::objects::{APPS, NAMESPACES, Service, Size, app, namespace, node};
use std::fmt::Write as _;

/// What a job looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// All Services of the cluster.
    Everything,
    /// The Services of one application in one namespace.
    Application { app: usize, namespace: usize },
}

/// How an agent discovers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Discovery<'a> {
    /// Asks that sidecar.
    HttpSd(&'a str),
    /// By itself, reaching the API server with these options; all Pods, or only those of the own node.
    Kubernetes { access: &'a str, own_pods: bool },
}

/// The node whose agent is measured.
pub(crate) const NODE: usize = 0;

// === impl Job ===

impl Job {
    /// So many different ones; a single one looks at everything.
    pub(crate) fn several(count: usize) -> Vec<Self> {
        assert!(count <= NAMESPACES * APPS, "there are no more applications");
        if count == 1 {
            return vec![Self::Everything];
        }
        let application =
            |number| Self::Application { app: number / NAMESPACES, namespace: number % NAMESPACES };
        (0..count).map(application).collect()
    }

    fn has(self, service: Service) -> bool {
        match self {
            Self::Everything => true,
            Self::Application { app, namespace } => {
                (service.app(), service.namespace()) == (app, namespace)
            }
        }
    }

    fn write(self, number: usize, discovery: Discovery<'_>, to: &mut String) -> std::fmt::Result {
        writeln!(to, "- job_name: job-{number}\n  relabel_configs:")?;
        if let Self::Application { app: wanted, .. } = self {
            writeln!(
                to,
                "  - {{source_labels: [__meta_kubernetes_service_label_app_kubernetes_io_name], regex: {}, action: keep}}",
                app(wanted)
            )?;
        }
        match discovery {
            Discovery::HttpSd(sidecar) => {
                let narrowed = match self {
                    Self::Everything => String::new(),
                    Self::Application { app: wanted, namespace: within } => format!(
                        "?namespace={}&service=app.kubernetes.io/name%3D{}",
                        namespace(within),
                        app(wanted)
                    ),
                };
                // Everything that comes is of the own node; the rule for it is not needed.
                writeln!(to, "  - {{regex: __meta_url, action: labeldrop}}")?;
                writeln!(
                    to,
                    "  http_sd_configs: [{{url: '{sidecar}/sd/endpointslice{narrowed}', refresh_interval: 10s}}]"
                )
            }
            Discovery::Kubernetes { access, own_pods } => {
                writeln!(
                    to,
                    "  - {{source_labels: [__meta_kubernetes_endpointslice_endpoint_node_name], regex: {}, action: keep}}",
                    node(NODE)
                )?;
                let mut about = String::new();
                if let Self::Application { namespace: within, .. } = self {
                    write!(about, ", namespaces: {{names: [{}]}}", namespace(within))?;
                }
                if own_pods {
                    write!(
                        about,
                        ", selectors: [{{role: pod, field: spec.nodeName={}}}]",
                        node(NODE)
                    )?;
                }
                writeln!(to, "  kubernetes_sd_configs: [{{role: endpointslice, {access}{about}}}]")
            }
        }
    }
}

/// A configuration with these jobs. Nothing is scraped while it is measured (but for the few targets
/// whose turn comes within minutes of an hour): scraping costs the same however targets are found.
pub(crate) fn config(jobs: &[Job], discovery: Discovery<'_>, interval: &str) -> String {
    let mut text = format!("global: {{scrape_interval: {interval}}}\nscrape_configs:\n");
    for (number, job) in jobs.iter().enumerate() {
        job.write(number, discovery, &mut text).expect("a string takes all");
    }
    text
}

/// How many targets these jobs have on the node.
pub(crate) fn targets(jobs: &[Job], size: Size) -> usize {
    let own = size.services().filter(|service| service.nodes().contains(&NODE));
    own.map(|service| jobs.iter().filter(|job| job.has(service)).count()).sum()
}
