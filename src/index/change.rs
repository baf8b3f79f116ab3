//! What a watch can tell the index.

use super::derivation::Controller;
use crate::objects::{
    EndpointSlice, Endpoints, Namespace, Node, ObjectKey, Owner, Pod, Reach, Resource, Service,
    is_dns_subdomain,
};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// One message from a watch, or from the reader of owners.
#[derive(Debug)]
pub enum Change {
    /// About the own node's Pods.
    Pods(Update<Pod>),
    /// About the own Node.
    Nodes(Update<Node>),
    /// About Services.
    Services(Update<Service>),
    /// About EndpointSlices.
    EndpointSlices(Update<EndpointSlice>),
    /// About Endpoints.
    Endpoints(Update<Endpoints>),
    /// About Namespaces.
    Namespaces(Update<Namespace>),
    /// An owner of an own Pod was read; `None`: it does not exist, or has no controller.
    Owner(OwnerKey, Option<Owner>),
    /// These nodes have an agent.
    Agents(BTreeSet<Arc<str>>),
    /// Which endpointslice controller the cluster has.
    Controller(Controller),
    /// Services are watched there and nowhere else, and what depends on them is known: what came from
    /// elsewhere is forgotten.
    ServicesWatched(BTreeSet<Reach>),
    /// EndpointSlices are watched there and nowhere else: what came from elsewhere is forgotten.
    SlicesWatched(BTreeSet<Reach>),
    /// The watch of a resource that reaches so far has told everything up to this version.
    Reached(Resource, Reach, Box<str>),
    /// All that was to be read of this resource was read: its first sync. For resources that have
    /// no list of their own (owners), or several (foreign slices).
    Synced(Resource),
    /// The watch was closed, because nobody asks any more: what it brought is forgotten, and the
    /// next question waits for a new sync.
    Closed(Resource),
}

/// What happened to the objects of one kind.
#[derive(Debug)]
pub enum Update<T> {
    /// A complete list came to its end.
    Replace(ListOutcome<T>),
    /// An object was added or changed.
    Apply(T),
    /// An object was deleted.
    Delete(ObjectKey),
}

/// A list that was read to its end.
#[derive(Debug)]
pub struct ListOutcome<T> {
    /// The objects that could be decoded.
    pub objects: Vec<T>,
    /// Objects that are there but could not be decoded: their last good state stays.
    pub undecodable: Vec<ObjectKey>,
    /// Whether there were also objects whose very name could not be read. Then nothing that is
    /// missing from the list is known to be deleted, and nothing is removed.
    pub unnamed: bool,
    /// What was listed: objects outside are not missing from it.
    pub reach: Reach,
}

/// Which owner of a Pod was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerKey {
    resource: Resource,
    namespace: Box<str>,
    name: Box<str>,
    uid: Box<str>, // a later object of the same name may have another owner
}

// === impl ListOutcome ===

impl<T> ListOutcome<T> {
    /// A list of the whole cluster in which everything could be decoded.
    pub fn of(objects: Vec<T>) -> Self {
        Self { objects, undecodable: Vec::new(), unnamed: false, reach: Reach::Cluster }
    }
}

// === impl OwnerKey ===

impl OwnerKey {
    /// The owner that must be read to know the labels of a Pod's workload: a ReplicaSet or a Job.
    /// Other kinds give no labels.
    pub fn of_pod(pod: &Pod) -> Option<Self> {
        let owner = pod.meta.controller.as_ref()?;
        let resource = match &*owner.kind {
            "ReplicaSet" => Resource::ReplicaSets,
            "Job" => Resource::Jobs,
            _ => return None,
        };
        // Whoever writes the Pod chooses the name. An owner of another name cannot exist.
        if !is_dns_subdomain(&owner.name) {
            return None;
        }
        Some(Self {
            resource,
            namespace: (*pod.meta.key.namespace).into(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    }

    /// An owner that was read in an earlier run: a ReplicaSet or a Job.
    pub fn of_owner(resource: Resource, namespace: &str, name: &str, uid: &str) -> Self {
        Self { resource, namespace: namespace.into(), name: name.into(), uid: uid.into() }
    }

    /// [`Resource::ReplicaSets`] or [`Resource::Jobs`].
    pub fn resource(&self) -> Resource {
        self.resource
    }

    /// Namespace of the Pod, and so of the owner.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The owner's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The owner's uid, as its Pod has it.
    pub fn uid(&self) -> &str {
        &self.uid
    }
}

/// `replicasets namespace/name`
impl fmt::Display for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.resource, self.namespace, self.name)
    }
}
