//! What readers see.

use super::change::OwnerKey;
use super::derivation::{Derived, is_kubelet};
use super::endpoints_from::EndpointsFrom;
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
    /// The node whose targets are served.
    pub node: Arc<str>,
    /// Where endpoints come from.
    pub endpoints_from: EndpointsFrom,
    /// Which resources have had a complete list, and still are watched.
    pub synced: ResourceSet,
    /// Own Pods.
    pub pods: Store<Pod>,
    /// The own Node (at most one).
    pub nodes: Store<Node>,
    /// Services.
    pub services: Store<Service>,
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

// === impl Snapshot ===

impl Snapshot {
    /// An empty one: nothing synced.
    pub fn of_node(node: &str, endpoints_from: EndpointsFrom) -> Self {
        Self { node: node.into(), endpoints_from, ..Self::default() }
    }

    /// Whether a slice that was read says what a derived one says: if prometheus-operator writes
    /// only Endpoints for its kubelet Service, Kubernetes mirrors them into slices.
    pub fn is_derived_too(&self, slice: &EndpointSlice) -> bool {
        let service = || self.services.get(&slice.meta.key.namespace, slice.service_name()?);
        self.endpoints_from.is_pods() && service().is_some_and(|service| is_kubelet(service))
    }

    /// The controller of the Pod's controller, if it is a ReplicaSet or a Job and was read.
    pub fn owner_of_owner(&self, pod: &Pod) -> Option<&Owner> {
        self.owners.get(&OwnerKey::of_pod(pod)?)?.as_ref()
    }

    /// The owners of own Pods, of those resources.
    pub fn owner_keys(&self, of: ResourceSet) -> impl Iterator<Item = OwnerKey> {
        self.pods
            .iter()
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
            Reach::Namespace(_) => {
                resource == Resource::EndpointSlices && self.slices_listed.contains(reach)
            }
        }
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
