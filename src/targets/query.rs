//! What a caller asks for: a `kubernetes_sd_config` as a value.

use super::profile::Profile;
use crate::index::{EndpointsFrom, Needs};
use crate::objects::{Reach, Resource, ResourceSet};
use crate::selector::{FieldSelector, LabelSelector};
use std::collections::BTreeSet;

/// The roles that can be local to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Pods.
    Pod,
    /// EndpointSlices.
    EndpointSlice,
    /// Endpoints.
    Endpoints,
    /// The own Node.
    Node,
}

/// One question. Equal questions are equal values, however their URLs were written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The role.
    pub role: Role,
    /// Only these namespaces; empty: all. With names, each is a world of its own: references do
    /// not cross from one to another.
    pub namespaces: BTreeSet<String>,
    /// Which objects are seen.
    pub selectors: Selectors,
    /// Which metadata is attached.
    pub attach: Attach,
    /// Beyond Prometheus: only targets whose Service matches.
    pub service: Option<LabelSelector>,
    /// Beyond Prometheus: only targets of these service ports (endpoints roles) or container ports
    /// (role pod); empty: all.
    pub ports: BTreeSet<String>,
    /// Overrides the profile.
    pub compat: Option<Profile>,
    /// False: never hold an unchanged answer.
    pub hold: bool,
}

/// `selectors` of a `kubernetes_sd_config`, by the role that each names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selectors {
    /// Pods.
    pub pod: Selector,
    /// Services.
    pub service: Selector,
    /// EndpointSlices.
    pub endpointslice: Selector,
    /// Endpoints.
    pub endpoints: Selector,
    /// Nodes.
    pub node: Selector,
}

/// A label and a field selector, both of which an object must match to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// On labels.
    pub label: LabelSelector,
    /// On fields.
    pub field: FieldSelector,
}

/// `attach_metadata` of a `kubernetes_sd_config`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attach {
    /// Labels and annotations of the Node.
    pub node: bool,
    /// Labels and annotations of the Namespace.
    pub namespace: bool,
    /// The name of the Deployment.
    pub deployment: bool,
    /// The name of the Job.
    pub job: bool,
    /// The name of the CronJob.
    pub cronjob: bool,
}

// === impl Role ===

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pod, Self::EndpointSlice, Self::Endpoints, Self::Node];

    /// The name, as in URLs and in `kubernetes_sd_configs`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::EndpointSlice => "endpointslice",
            Self::Endpoints => "endpoints",
            Self::Node => "node",
        }
    }

    /// Whether Pods can be targets.
    pub fn finds_pods(self) -> bool {
        self != Self::Node
    }
}

// === impl Query ===

impl Query {
    /// Everything of that role, without attached metadata.
    pub fn all(role: Role) -> Self {
        Self {
            role,
            namespaces: BTreeSet::new(),
            selectors: Selectors::default(),
            attach: Attach::default(),
            service: None,
            ports: BTreeSet::new(),
            compat: None,
            hold: true,
        }
    }

    /// The same as far as Services are watched now, so that to look on costs nothing. In other namespaces nobody
    /// has asked for endpoints.
    pub fn as_watched(mut self, services_watched: &BTreeSet<Reach>) -> Self {
        let is_of_endpoints = matches!(self.role, Role::EndpointSlice | Role::Endpoints);
        if is_of_endpoints && self.namespaces.is_empty() {
            let names = services_watched.iter().filter_map(Reach::namespace);
            self.namespaces = names.map(str::to_owned).collect();
        }
        self
    }

    /// What must be watched for an answer. Selectors change nothing: what they select is watched anyway, and
    /// they are evaluated here.
    pub fn needs(&self, endpoints_from: EndpointsFrom) -> Needs {
        let namespace = |name: &String| Reach::Namespace(name.as_str().into());
        let services = if self.namespaces.is_empty() {
            [Reach::Cluster].into()
        } else {
            self.namespaces.iter().map(namespace).collect()
        };
        Needs { resources: self.resources(endpoints_from), services }
    }

    /// Which resources an answer is made of.
    fn resources(&self, endpoints_from: EndpointsFrom) -> ResourceSet {
        let Attach {
            node,
            namespace,
            deployment,
            job: _, // the Pod itself names it
            cronjob,
        } = self.attach;
        let mut needed = match self.role {
            Role::Pod => ResourceSet::EMPTY.with(Resource::Pods),
            Role::EndpointSlice | Role::Endpoints => {
                // Where Endpoints are derived, those of others are read off the slices that mirror them.
                let read = if self.role == Role::Endpoints && !endpoints_from.is_pods() {
                    Resource::Endpoints
                } else {
                    Resource::EndpointSlices
                };
                [Resource::Pods, Resource::Services, read].into_iter().collect()
            }
            Role::Node => ResourceSet::EMPTY.with(Resource::Nodes),
        };
        let is_of_endpoints = matches!(self.role, Role::EndpointSlice | Role::Endpoints);
        let derives = is_of_endpoints && endpoints_from.is_pods();
        for (asked, resource) in [
            (node || derives, Resource::Nodes), // for its zone, and for the kubelet's address
            (namespace, Resource::Namespaces),
            (deployment, Resource::ReplicaSets),
            (cronjob, Resource::Jobs),
        ] {
            if asked {
                needed = needed.with(resource);
            }
        }
        needed
    }
}
