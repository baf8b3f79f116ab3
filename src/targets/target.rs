//! What comes out.

use crate::objects::ObjectKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels of a target, without `__address__` and without empty values. Shared text, because the
/// targets of a Pod or a slice have most of it in common.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// A target as Prometheus would discover it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// `__address__`.
    pub address: String,
    /// All other labels.
    pub labels: Labels,
    /// The objects that it was made from, for debugging; no part of the answer.
    pub sources: Vec<ObjectRef>,
}

/// An object, as people name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// `Pod`, `Service`, …
    pub kind: &'static str,
    /// Namespace and name.
    pub key: ObjectKey,
}

/// The result of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The targets that are served, in ascending order of address, then labels.
    pub own: Vec<Target>,
    /// Targets that this sidecar sees and that belong to no node, as far as it can tell.
    pub unassigned: Vec<Unassigned>,
}

/// A target that no node serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unassigned {
    /// The target.
    pub target: Target,
    /// Why.
    pub reason: Reason,
}

/// Why a target is not assigned to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Neither a node name, nor a reference to a Node or to a Pod.
    NoNode,
    /// It refers to a Pod, which is not (or not visibly) on this node, and names no node: it may
    /// belong to another node, or to none. From here the two cannot be told apart.
    PodNotHere,
    /// It is in an object that no node's sidecar reads or derives.
    NotSeen,
    /// Its Pod is one that the nodes leave to the complement.
    Excluded,
}

// === impl Reason ===

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NoNode, Self::PodNotHere, Self::NotSeen, Self::Excluded];

    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoNode => "no_node",
            Self::PodNotHere => "pod_not_here",
            Self::NotSeen => "not_seen",
            Self::Excluded => "excluded",
        }
    }
}
