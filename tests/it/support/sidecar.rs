//! The pure part of a sidecar: an index that is told of changes, and the targets it gives.

use nodelocal_sd::index::{
    Change, EndpointsFrom, Excluded, Index, ListOutcome, OwnerKey, Snapshot, Update,
};
use nodelocal_sd::objects::{
    EndpointSlice, Endpoints, Namespace, Node, ObjectKey, Owner, Pod, Resource, Service, Stored,
};
use nodelocal_sd::targets::{self, Profile, Query, Reason, Target, Targets};

/// The sidecar of one node.
pub(crate) struct Sidecar {
    index: Index,
    snapshot: Snapshot,
}

/// A kind that the index can be told of.
pub(crate) trait Told: Stored {
    fn told(update: Update<Self>) -> Change
    where
        Self: Sized;
}

/// The sidecars of several nodes, all told the same.
pub(crate) struct Cluster(Vec<Sidecar>);

impl Cluster {
    pub(crate) fn of_nodes(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Sidecar::of_node(name)).collect())
    }

    /// An object was added or changed.
    #[expect(clippy::needless_pass_by_value, reason = "reads like `Sidecar::apply`")]
    pub(crate) fn apply<T: Told + Clone>(&mut self, object: T) {
        for sidecar in &mut self.0 {
            sidecar.apply(object.clone());
        }
    }

    /// The same, for setting up in one expression.
    pub(crate) fn with<T: Told + Clone>(mut self, object: T) -> Self {
        self.apply(object);
        self
    }

    /// An object was deleted.
    pub(crate) fn delete<T: Told>(&mut self, namespace: &str, name: &str) {
        for sidecar in &mut self.0 {
            sidecar.delete::<T>(namespace, name);
        }
    }

    /// What Prometheus would discover: what the nodes serve, and what belongs to none.
    pub(crate) fn targets(&self, query: &Query) -> Vec<Target> {
        let of_each: Vec<Targets> = self.0.iter().map(|s| s.targets(query)).collect();
        let of_none = of_each[0]
            .unassigned
            .iter()
            .filter(|unassigned| unassigned.reason == Reason::NoNode)
            .map(|unassigned| unassigned.target.clone());
        let mut all: Vec<Target> = of_none.collect();
        all.extend(of_each.iter().flat_map(|targets| targets.own.clone()));
        all.sort();
        all
    }
}

impl Sidecar {
    pub(crate) fn of_node(node: &str) -> Self {
        let from = EndpointsFrom::Slices;
        Self::of(Snapshot::of(node, from, Excluded::default()))
    }

    /// One that begins with that snapshot.
    pub(crate) fn of(first: Snapshot) -> Self {
        Self { index: Index::after(first.clone()), snapshot: first }
    }

    /// An object was added or changed.
    pub(crate) fn apply<T: Told>(&mut self, object: T) {
        self.change(T::told(Update::Apply(object)));
    }

    /// The same, for setting up in one expression.
    pub(crate) fn with<T: Told>(mut self, object: T) -> Self {
        self.apply(object);
        self
    }

    /// A complete list was read.
    pub(crate) fn list<T: Told>(&mut self, objects: Vec<T>) {
        self.change(T::told(Update::Replace(ListOutcome::of(objects))));
    }

    /// An object was deleted.
    pub(crate) fn delete<T: Told>(&mut self, namespace: &str, name: &str) {
        self.change(T::told(Update::Delete(ObjectKey::new(namespace, name))));
    }

    /// The owners of own Pods were read, as often as there are unread ones.
    pub(crate) fn read_owners(&mut self, controller_of: impl Fn(&OwnerKey) -> Option<Owner>) {
        let owners = [Resource::ReplicaSets, Resource::Jobs].into_iter().collect();
        for key in self.snapshot.unread_owners(owners).collect::<Vec<_>>() {
            let controller = controller_of(&key);
            self.change(Change::Owner(key, controller));
        }
    }

    /// What it serves to the newest Prometheus.
    pub(crate) fn targets(&self, query: &Query) -> Targets {
        self.targets_for(query, Profile::Latest)
    }

    /// What it serves under that profile.
    pub(crate) fn targets_for(&self, query: &Query, profile: Profile) -> Targets {
        targets::build(&self.snapshot, query, profile)
    }

    fn change(&mut self, change: Change) {
        self.index.apply(change);
        if let Some(snapshot) = self.index.take_snapshot() {
            self.snapshot = snapshot;
        }
    }
}

macro_rules! told {
    ($($kind:ident as $change:ident),*) => {$(
        impl Told for $kind {
            fn told(update: Update<Self>) -> Change {
                Change::$change(update)
            }
        }
    )*};
}

told!(
    Pod as Pods,
    Node as Nodes,
    Service as Services,
    EndpointSlice as EndpointSlices,
    Endpoints as Endpoints,
    Namespace as Namespaces
);
