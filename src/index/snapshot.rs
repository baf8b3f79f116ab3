//! What readers see.

use super::change::OwnerKey;
use super::derivation::{Derived, Seen};
use super::endpoints_from::{EndpointsFrom, ForeignSlices};
use super::excluded::Excluded;
use super::needs::Needs;
use super::share::Share;
use crate::objects::{
    EndpointSlice, Endpoints, Namespace, Node, Owner, Pod, Reach, Resource, ResourceSet, Service,
    Store, Stored,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The state of everything that is watched, at one moment. Never changes once published.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with each published change; equal versions mean equal content.
    pub version: u64,
    /// Whose targets are served.
    pub share: Share,
    /// What the nodes leave to the complement.
    pub excluded: Arc<Excluded>,
    /// Which nodes have an agent; for the complement.
    pub agents: Agents,
    /// Where endpoints come from.
    pub endpoints_from: EndpointsFrom,
    /// Which resources have had a complete list, and still are watched.
    pub synced: ResourceSet,
    /// Own Pods; the complement's are all.
    pub pods: Store<Pod>,
    /// The own Node; the complement's are all.
    pub nodes: Store<Node>,
    /// Services.
    pub services: Store<Service>,
    /// Of which parts of the cluster they were listed.
    pub services_listed: Arc<BTreeSet<Reach>>,
    /// Of which of these all is known that depends on their Services; questions wait for it.
    pub services_watched: Arc<BTreeSet<Reach>>,
    /// Slices that were read, with at least one endpoint that can matter here: all, or, where
    /// endpoints are derived, foreign ones.
    pub slices: Store<EndpointSlice>,
    /// Of which parts of the cluster they were listed.
    pub slices_listed: Arc<BTreeSet<Reach>>,
    /// Endpoints with at least one address that can matter here.
    pub endpoints: Store<Endpoints>,
    /// Derived slices and Endpoints.
    pub derived: Arc<Derived>,
    /// Namespaces.
    pub namespaces: Store<Namespace>,
    /// The owners of own Pods' owners, as far as they were read.
    pub owners: Arc<BTreeMap<OwnerKey, Option<Owner>>>,
}

/// The nodes that have an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Agents {
    /// All.
    #[default]
    Everywhere,
    /// These.
    On(Arc<BTreeSet<Arc<str>>>),
    /// That is not known yet.
    Unknown,
}

// === impl Agents ===

impl Agents {
    /// Whether that node has one.
    pub fn are_on(&self, node: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::On(nodes) => nodes.contains(node),
            Self::Unknown => false,
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// An empty one: nothing synced.
    pub fn of(share: impl Into<Share>, endpoints_from: EndpointsFrom, excluded: Excluded) -> Self {
        let (share, excluded) = (share.into(), Arc::new(excluded));
        let agents = match &share {
            Share::Complement(nodes) if nodes.may_lack_agents => Agents::Unknown,
            _ => Agents::Everywhere,
        };
        Self { share, endpoints_from, excluded, agents, ..Self::default() }
    }

    /// How the sidecars of nodes see a slice that was read here.
    pub fn slice_seen(&self, slice: &EndpointSlice) -> Seen {
        Seen::of_slice(slice, &self.services, self.nodes_endpoints_from())
    }

    /// The same of Endpoints.
    pub fn endpoints_seen(&self, endpoints: &Endpoints) -> Seen {
        Seen::of_endpoints(endpoints, &self.services, self.nodes_endpoints_from())
    }

    /// Where the endpoints of nodes' sidecars come from.
    fn nodes_endpoints_from(&self) -> EndpointsFrom {
        match &self.share {
            Share::Node(_) => self.endpoints_from,
            Share::Complement(nodes) => nodes.endpoints_from,
        }
    }

    /// How many Nodes have no agent, where that is known.
    pub fn nodes_without_agent(&self) -> Option<usize> {
        let Agents::On(with) = &self.agents else { return None };
        Some(self.nodes.iter().filter(|node| !with.contains(&node.meta.key.name)).count())
    }

    /// Whether no node serves what is made from that Pod.
    pub fn is_for_complement(&self, pod: &Pod) -> bool {
        let Agents::On(nodes) = &self.agents else { return self.excluded.contains(pod) };
        !nodes.contains(&*pod.node_name) || self.excluded.contains(pod)
    }

    /// The controller of the Pod's controller, if it is a ReplicaSet or a Job and was read.
    pub fn owner_of_owner(&self, pod: &Pod) -> Option<&Owner> {
        self.owners.get(&OwnerKey::of_pod(pod)?)?.as_ref()
    }

    /// The owners of own Pods, of those resources. Not of all that the complement knows: each is a request.
    pub fn owner_keys(&self, of: ResourceSet) -> impl Iterator<Item = OwnerKey> {
        self.pods
            .iter()
            .filter(|pod| !self.share.is_complement() || self.is_for_complement(pod))
            .filter_map(|pod| OwnerKey::of_pod(pod))
            .filter(move |key| of.contains(key.resource()))
    }

    /// Of these, the ones that nobody has read yet.
    pub fn unread_owners(&self, of: ResourceSet) -> impl Iterator<Item = OwnerKey> {
        self.owner_keys(of).filter(|key| !self.owners.contains_key(key))
    }

    /// Whether that part of a resource, as its watch reaches, has had a complete list.
    pub fn has_listed(&self, resource: Resource, reach: &Reach) -> bool {
        match reach {
            Reach::Cluster => self.synced.contains(resource),
            Reach::Namespace(_) => match resource {
                Resource::EndpointSlices => self.slices_listed.contains(reach),
                Resource::Services => self.services_listed.contains(reach),
                _ => false,
            },
        }
    }

    /// What has not synced of that.
    pub fn lacks(&self, needs: &Needs) -> ResourceSet {
        let missing = needs.minus(self.synced, &self.services_watched);
        if self.agents == Agents::Unknown {
            // They are known a moment after these.
            return missing.with(Resource::Pods).with(Resource::Nodes);
        }
        let are_listed = Reach::cover(&self.services_listed, &needs.services);
        if missing.contains(Resource::Services) && are_listed && self.follows_services() {
            // What these Services ask for is not there yet.
            return missing.without(Resource::Services).with(Resource::EndpointSlices);
        }
        missing
    }

    /// Whether it depends on Services where foreign slices are watched.
    pub fn follows_services(&self) -> bool {
        match self.endpoints_from {
            EndpointsFrom::Pods(deriving) => deriving.foreign_slices == ForeignSlices::Auto,
            EndpointsFrom::Slices => false,
        }
    }

    /// Whether foreign slices are watched wherever the Services that are known ask for it.
    pub fn has_foreign_slices(&self) -> bool {
        let needing = &self.derived.needing_foreign_slices;
        needing.iter().all(|name| self.slices_listed.iter().any(|reach| reach.covers(name)))
    }

    /// How many objects of that resource are held, of those within `reach`.
    pub fn held(&self, resource: Resource, reach: &Reach) -> usize {
        match resource {
            Resource::Pods => held(&self.pods, reach),
            Resource::Nodes => held(&self.nodes, reach),
            Resource::Services => held(&self.services, reach),
            Resource::EndpointSlices => held(&self.slices, reach),
            Resource::Endpoints => held(&self.endpoints, reach),
            Resource::Namespaces => held(&self.namespaces, reach),
            Resource::ReplicaSets | Resource::Jobs => {
                self.owners.keys().filter(|key| key.resource() == resource).count()
            }
        }
    }
}

fn held<T: Stored>(store: &Store<T>, reach: &Reach) -> usize {
    match reach {
        Reach::Cluster => store.len(),
        Reach::Namespace(name) => store.in_namespace(name).count(),
    }
}
