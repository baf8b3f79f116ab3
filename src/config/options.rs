//! What a rewritten configuration says, and what its reader can rely on.

use crate::index::EndpointsFrom;

/// How configurations are rewritten.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where this sidecar is, as Prometheus reaches it, without a `/` at its end.
    pub sd_url: String,
    /// How often Prometheus asks, in its own notation.
    pub refresh_interval: String,
    /// The `api_server` that means this cluster.
    pub own_api_server: Option<String>,
    /// The namespace that `own_namespace` means.
    pub namespace: Option<String>,
    /// Whether discovery in other clusters stays.
    pub keep_other_clusters: bool,
    /// Whether discovery of what belongs to no node stays.
    pub keep_cluster_roles: bool,
    /// Whether jobs go that every node would scrape alike, because a complement has them.
    pub leave_to_complement: bool,
    /// Where the files lie that are named below `/etc/prometheus/certs`.
    pub certs_dir: Option<String>,
    /// Whether there are more files, also while these cannot be read. It is their certificates that lie there
    /// then.
    pub has_more_files: bool,
    /// The variables that config-reloader fills.
    pub variables: Vec<String>,
    /// Where this sidecar's endpoints come from, which decides what it can be asked.
    pub endpoints_from: EndpointsFrom,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sd_url: "http://127.0.0.1:9911".to_owned(),
            refresh_interval: "10s".to_owned(),
            own_api_server: None,
            namespace: None,
            keep_other_clusters: false,
            keep_cluster_roles: false,
            leave_to_complement: false,
            certs_dir: None,
            has_more_files: false,
            variables: ["NODE_NAME", "POD_NAME"].map(str::to_owned).to_vec(),
            endpoints_from: EndpointsFrom::default(),
        }
    }
}
