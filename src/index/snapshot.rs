//! What readers see.

use super::change::OwnerKey;
use crate::objects::{
    EndpointSlice, Endpoints, Namespace, Node, Owner, Pod, Resource, ResourceSet, Service, Store,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The state of everything that is watched, at one moment. Never changes once published.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with each published change; equal versions mean equal content.
    pub version: u64,
    /// The node whose targets are served.
    pub node: Arc<str>,
    /// Which resources have had a complete list, and still are watched.
    pub synced: ResourceSet,
    /// Own Pods.
    pub pods: Store<Pod>,
    /// The own Node (at most one).
    pub nodes: Store<Node>,
    /// Services.
    pub services: Store<Service>,
    /// Slices with at least one endpoint that can matter here.
    pub slices: Store<EndpointSlice>,
    /// Endpoints with at least one address that can matter here.
    pub endpoints: Store<Endpoints>,
    /// Namespaces.
    pub namespaces: Store<Namespace>,
    /// The owners of own Pods' owners, as far as they were read.
    pub owners: Arc<BTreeMap<OwnerKey, Option<Owner>>>,
}

// === impl Snapshot ===

impl Snapshot {
    /// An empty one: nothing synced.
    pub fn of_node(node: &str) -> Self {
        Self { node: node.into(), ..Self::default() }
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

    /// How many objects of that resource are held.
    pub fn held(&self, resource: Resource) -> usize {
        match resource {
            Resource::Pods => self.pods.len(),
            Resource::Nodes => self.nodes.len(),
            Resource::Services => self.services.len(),
            Resource::EndpointSlices => self.slices.len(),
            Resource::Endpoints => self.endpoints.len(),
            Resource::Namespaces => self.namespaces.len(),
            Resource::ReplicaSets | Resource::Jobs => {
                self.owners.keys().filter(|key| key.resource() == resource).count()
            }
        }
    }
}
