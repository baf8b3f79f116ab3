//! What an API server has of what agents are made of.

use crate::check::Finding;
use crate::kube::{Listed, NotListed, get, list};
use crate::operator::Manifest;

/// What was read.
pub(super) struct Live {
    pub(super) objects: Vec<Manifest>,
    /// What could not be read.
    pub(super) gaps: Vec<Finding>,
}

/// Where the kinds are listed.
const KINDS: [&str; 14] = [
    "/apis/monitoring.coreos.com/v1alpha1/prometheusagents",
    "/apis/monitoring.coreos.com/v1/prometheuses",
    "/apis/monitoring.coreos.com/v1/servicemonitors",
    "/apis/monitoring.coreos.com/v1/podmonitors",
    "/apis/monitoring.coreos.com/v1/probes",
    "/apis/monitoring.coreos.com/v1alpha1/scrapeconfigs",
    "/apis/monitoring.coreos.com/v1/prometheusrules",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/api/v1/services",
    "/api/v1/namespaces",
];

/// The CRD that says the operator's version.
const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/prometheusagents.monitoring.coreos.com";

/// Reads all of it, one kind after the other. A kind that cannot be read costs no other one; a server that does not
/// answer is not asked again.
pub(super) async fn read(client: &kube::Client) -> Live {
    let mut live = Live { objects: Vec::new(), gaps: Vec::new() };
    for path in KINDS {
        let pages = list(client, path).await.map(|Listed(pages)| pages);
        let is_away = matches!(pages, Err(NotListed::Unreachable { .. }));
        live.take(path, pages);
        if is_away {
            return live;
        }
    }
    live.take(CRD, get(client, CRD).await.map(|text| vec![text]));
    live
}

// === impl Live ===

impl Live {
    fn take(&mut self, path: &str, pages: Result<Vec<String>, NotListed>) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let instead = match &pages {
            Err(NotListed::Absent(_)) if path == CRD => {
                "say it with --operator-version, or install the operator's CRDs"
            }
            Err(NotListed::Absent(_)) if path.contains("/apis/monitoring.coreos.com/") => {
                "install the CRDs of prometheus-operator, if it is meant to be there"
            }
            Err(NotListed::Absent(_)) => "install the kind, if it is meant to be there",
            Err(NotListed::Forbidden { .. }) => "ask with an account that may",
            Err(NotListed::Unreachable { .. }) => "nothing else was asked for; try again",
            _ => "try again",
        };
        let read = pages.map_err(|error| match error {
            NotListed::Absent(_) if path == CRD => {
                format!("there is no CRD {name}, which says which version the operator has")
            }
            NotListed::Absent(_) => {
                format!("the kind {name} is not installed: no object of it is judged")
            }
            error => error.to_string(),
        });
        let read = read.and_then(|pages| {
            let objects = |page: &String| Manifest::read(&format!("live {name}"), page);
            let objects: Result<Vec<_>, _> = pages.iter().map(objects).collect();
            objects.map_err(|error| error.to_string())
        });
        match read {
            // A page is one line; the number in it says nothing either.
            Ok(pages) => self.objects.extend(pages.into_iter().flatten().map(|mut object| {
                (object.source.line, object.source.item) = (None, None);
                object
            })),
            Err(why) => self.gaps.push(Finding::unknown(why, instead)),
        }
    }
}
