//! How far the watches have come.

use super::derivation::Controller;
use crate::objects::{Reach, Resource, ResourceSet};
use std::collections::{BTreeMap, BTreeSet};

/// What the index was told beside objects, and no snapshot shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The version up to which the index was told everything, for each watch. A watch may resume there.
    pub versions: BTreeMap<(Resource, Reach), Box<str>>,
    /// Which endpointslice controller the cluster has.
    pub controller: Controller,
    /// Whether the deletion of the own Node was seen.
    pub node_deleted: bool,
}

/// What is known as a whole, beside the objects themselves: with them, all that makes an index what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complete {
    /// The resources that have synced.
    pub synced: ResourceSet,
    /// Of which parts of the cluster Services were listed.
    pub services_listed: BTreeSet<Reach>,
    /// Of which of these all is known that depends on them.
    pub services_watched: BTreeSet<Reach>,
    /// Of which parts of the cluster EndpointSlices were listed.
    pub slices_listed: BTreeSet<Reach>,
    /// How far the watches had come.
    pub progress: Progress,
}

// === impl Progress ===

impl Progress {
    /// Nothing of that resource is watched any more, but for what `still` names.
    pub(super) fn forget(&mut self, resource: Resource, still: &BTreeSet<Reach>) {
        self.versions.retain(|(of, reach), _| *of != resource || still.contains(reach));
    }
}
