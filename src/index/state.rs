//! Applying changes.

use super::change::{Change, ListOutcome, OwnerKey, Update};
use super::derivation::{Around, Derivation};
use super::endpoints_from::EndpointsFrom;
use super::excluded::Excluded;
use super::progress::{Complete, Progress};
use super::share::Share;
use super::snapshot::{Agents, Snapshot};
use crate::objects::{
    EndpointSlice, Endpoints, Namespace, Node, ObjectKey, Owner, Pod, Reach, Resource, Service,
    Store, Stored,
};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// The index. See the module documentation.
#[derive(Debug)]
pub struct Index {
    state: Snapshot,
    changed: bool,
    derivation: Derivation,
    progress: Progress,
    /// Whether owners may be there that no Pod has any more.
    pods_changed: bool,
}

/// What the index asks of a kind.
trait Indexed: Stored {
    /// Whether the object can matter to the targets of this node. One that cannot is not kept;
    /// one that no longer can is removed.
    fn matters(&self, _share: &Share) -> bool {
        true
    }
}

// === impl Index ===

impl Index {
    /// An empty index for that node.
    pub fn new(node: &str, endpoints_from: EndpointsFrom) -> Self {
        Self::after(Snapshot::of(node, endpoints_from, Excluded::default()))
    }

    /// An index that begins with an empty snapshot.
    pub fn after(state: Snapshot) -> Self {
        Self {
            state,
            changed: false,
            derivation: Derivation::default(),
            progress: Progress::default(),
            pods_changed: false,
        }
    }

    /// Applies one change.
    pub fn apply(&mut self, change: Change) {
        if let Change::Nodes(Update::Apply(node)) = &change {
            self.cover_new(node);
        }
        let Snapshot { share, pods, nodes, services, slices, endpoints, namespaces, .. } =
            &mut self.state;
        let (resource, effect) = match change {
            Change::Pods(told) => (Resource::Pods, update(pods, told, share)),
            Change::Nodes(told) => (Resource::Nodes, update(nodes, told, share)),
            Change::Services(told) => (Resource::Services, update(services, told, share)),
            Change::EndpointSlices(told) => (Resource::EndpointSlices, update(slices, told, share)),
            Change::Endpoints(told) => (Resource::Endpoints, update(endpoints, told, share)),
            Change::Namespaces(told) => (Resource::Namespaces, update(namespaces, told, share)),
            Change::Owner(key, owner) => return self.owner_was_read(key, owner),
            Change::Agents(nodes) => {
                let agents = Agents::On(Arc::new(nodes));
                self.changed |= self.state.agents != agents;
                self.state.agents = agents;
                return;
            }
            Change::Controller(controller) => {
                self.changed |= self.progress.controller != controller;
                self.progress.controller = controller;
                return;
            }
            Change::ServicesWatched(reaches) => return self.services_are_watched(reaches),
            Change::SlicesWatched(reaches) => return self.forget_slices_outside(&reaches),
            Change::Reached(resource, reach, version) => {
                self.progress.versions.insert((resource, reach), version);
                return;
            }
            Change::Synced(resource) => return self.mark_synced(resource),
            Change::Closed(resource) => return self.close(resource),
        };
        self.changed |= effect.changed;
        match (resource, effect.listed) {
            (_, None) => {}
            // One list of several. Who opens them knows when all have come.
            (Resource::Services, Some(reach)) => {
                self.changed |= Arc::make_mut(&mut self.state.services_listed).insert(reach);
            }
            (Resource::EndpointSlices, Some(reach)) if self.state.endpoints_from.is_pods() => {
                self.changed |= Arc::make_mut(&mut self.state.slices_listed).insert(reach);
            }
            (_, Some(_)) => self.mark_synced(resource),
        }
        match resource {
            Resource::Pods => self.pods_changed |= effect.changed,
            // One that was never seen has not been deleted.
            Resource::Nodes if effect.changed => {
                self.progress.node_deleted = self.state.nodes.is_empty();
            }
            _ => {}
        }
    }

    /// The state as it is now, with a version that differs from the last one if anything does.
    /// `None` if nothing changed since the last call.
    pub fn take_snapshot(&mut self) -> Option<Snapshot> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        if std::mem::take(&mut self.pods_changed) {
            self.forget_unused_owners();
        }
        self.derive();
        self.state.version += 1;
        Some(self.state.clone())
    }

    /// How far the watches have come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Knows as complete what an earlier run knew, whose objects it has been told.
    pub fn resume(&mut self, complete: Complete) {
        self.state.synced = complete.synced;
        self.state.services_listed = Arc::new(complete.services_listed);
        self.state.services_watched = Arc::new(complete.services_watched);
        self.state.slices_listed = Arc::new(complete.slices_listed);
        self.progress = complete.progress;
        self.changed = true;
    }

    /// Before each snapshot, so that none has Pods or Services without their endpoints.
    fn derive(&mut self) {
        let EndpointsFrom::Pods(deriving) = self.state.endpoints_from else { return };
        let Snapshot { share, nodes, pods, services, slices, .. } = &self.state;
        let around = Around {
            controller: self.progress.controller,
            node: share.node().and_then(|node| nodes.get("", node)).cloned(),
            node_deleted: self.progress.node_deleted,
            kubelet_address: deriving.kubelet_address,
            foreign_slices: deriving.foreign_slices,
        };
        if let Some(derived) = self.derivation.follow((services, pods, slices), &around) {
            self.state.derived = Arc::new(derived);
        }
    }

    /// A Node that comes is taken to have an agent until somebody has looked: its first targets must not be the
    /// complement's for a moment.
    fn cover_new(&mut self, node: &Node) {
        let name = &node.meta.key.name;
        if self.state.nodes.get("", name).is_none()
            && let Agents::On(nodes) = &mut self.state.agents
        {
            Arc::make_mut(nodes).insert(Arc::clone(name));
        }
    }

    fn mark_synced(&mut self, resource: Resource) {
        self.changed |= !self.state.synced.contains(resource);
        self.state.synced = self.state.synced.with(resource);
    }

    fn owner_was_read(&mut self, key: OwnerKey, owner: Option<Owner>) {
        // The Pod may be gone while its owner was being read.
        if self.state.pods.iter().any(|pod| OwnerKey::of_pod(pod).as_ref() == Some(&key))
            && self.state.owners.get(&key) != Some(&owner)
        {
            Arc::make_mut(&mut self.state.owners).insert(key, owner);
            self.changed = true;
        }
    }

    fn forget_unused_owners(&mut self) {
        if self.state.owners.is_empty() {
            return;
        }
        let used: HashSet<OwnerKey> =
            self.state.pods.iter().filter_map(|pod| OwnerKey::of_pod(pod)).collect();
        if self.state.owners.keys().any(|key| !used.contains(key)) {
            Arc::make_mut(&mut self.state.owners).retain(|key, _| used.contains(key));
        }
    }

    fn services_are_watched(&mut self, reaches: BTreeSet<Reach>) {
        let covered = |service: &Service| {
            reaches.iter().any(|reach| reach.covers(&service.meta.key.namespace))
        };
        self.state.services.retain(covered);
        Arc::make_mut(&mut self.state.services_listed).retain(|reach| reaches.contains(reach));
        self.progress.forget(Resource::Services, &reaches);
        self.state.services_watched = Arc::new(reaches);
        self.changed = true;
        self.mark_synced(Resource::Services);
    }

    fn forget_slices_outside(&mut self, reaches: &BTreeSet<Reach>) {
        let covered = |slice: &EndpointSlice| {
            reaches.iter().any(|reach| reach.covers(&slice.meta.key.namespace))
        };
        self.progress.forget(Resource::EndpointSlices, reaches);
        self.changed |= self.state.slices.retain(covered);
        if !self.state.slices_listed.is_subset(reaches) {
            Arc::make_mut(&mut self.state.slices_listed).retain(|reach| reaches.contains(reach));
            self.changed = true;
        }
    }

    fn close(&mut self, resource: Resource) {
        self.progress.forget(resource, &BTreeSet::new());
        match resource {
            Resource::Pods => self.state.pods = Store::default(),
            Resource::Nodes => {
                self.state.nodes = Store::default();
                self.progress.node_deleted = false;
            }
            Resource::Services => {
                self.state.services = Store::default();
                self.state.services_listed = Arc::default();
                self.state.services_watched = Arc::default();
            }
            Resource::EndpointSlices => self.forget_slices_outside(&BTreeSet::new()),
            Resource::Endpoints => self.state.endpoints = Store::default(),
            Resource::Namespaces => self.state.namespaces = Store::default(),
            Resource::ReplicaSets | Resource::Jobs => {
                Arc::make_mut(&mut self.state.owners).retain(|key, _| key.resource() != resource);
            }
        }
        self.state.synced = self.state.synced.without(resource);
        self.changed = true;
    }
}

struct Effect {
    changed: bool,
    /// What was listed, if it was a list.
    listed: Option<Reach>,
}

fn update<T: Indexed>(store: &mut Store<T>, told: Update<T>, share: &Share) -> Effect {
    match told {
        Update::Replace(list) => {
            let reach = list.reach.clone();
            Effect { changed: replace(store, list, share), listed: Some(reach) }
        }
        Update::Apply(object) => Effect { changed: apply(store, object, share), listed: None },
        Update::Delete(key) => Effect { changed: store.remove(&key), listed: None },
    }
}

fn apply<T: Indexed>(store: &mut Store<T>, object: T, share: &Share) -> bool {
    if object.matters(share) { store.insert(object) } else { store.remove(object.key()) }
}

/// Makes the store equal to the list as far as that reaches, but for objects whose content is not
/// known.
fn replace<T: Indexed>(store: &mut Store<T>, list: ListOutcome<T>, share: &Share) -> bool {
    let mut present: HashSet<ObjectKey> = list.undecodable.into_iter().collect();
    let mut changed = false;
    for object in list.objects {
        present.insert(object.key().clone());
        changed |= apply(store, object, share);
    }
    if !list.unnamed {
        changed |= store.retain(|object| {
            !list.reach.covers(&object.key().namespace) || present.contains(object.key())
        });
    }
    changed
}

// === impl Indexed ===

impl Indexed for Pod {
    /// A Pod of another node is no Pod of ours, whoever sent it.
    fn matters(&self, share: &Share) -> bool {
        share.node().is_none_or(|node| *self.node_name == **node)
    }
}

impl Indexed for Node {
    fn matters(&self, share: &Share) -> bool {
        share.node().is_none_or(|node| self.meta.key.name == *node)
    }
}

impl Indexed for Service {}

impl Indexed for EndpointSlice {
    /// Slices of which no endpoint was kept would make memory follow the cluster.
    fn matters(&self, _share: &Share) -> bool {
        !self.endpoints.is_empty()
    }
}

impl Indexed for Endpoints {
    /// As for slices.
    fn matters(&self, _share: &Share) -> bool {
        !self.subsets.is_empty()
    }
}

impl Indexed for Namespace {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Endpoint, EndpointSubset, Metadata, ResourceSet, ServicePort};

    fn pod(name: &str, ip: &str) -> Pod {
        let key = ObjectKey::new("n", name);
        let meta = Metadata { key, ..Metadata::default() };
        Pod { meta, node_name: "a".into(), ip: ip.into(), ..Pod::default() }
    }

    fn owned(name: &str, replica_set: &str) -> Pod {
        let mut pod = pod(name, "10.0.0.1");
        pod.meta.controller = Some(owner("ReplicaSet", replica_set));
        pod
    }

    fn owner(kind: &str, name: &str) -> Owner {
        Owner { kind: kind.into(), name: name.into(), uid: "u".into() }
    }

    const REPLICA_SETS: ResourceSet = ResourceSet::EMPTY.with(Resource::ReplicaSets);

    fn names(index: &Index) -> Vec<&str> {
        index.state.pods.iter().map(|pod| &*pod.meta.key.name).collect()
    }

    #[test]
    fn a_list_replaces_but_keeps_what_it_could_not_read() {
        let mut index = Index::new("a", EndpointsFrom::Slices);
        index.apply(Change::Pods(Update::Replace(ListOutcome::of(vec![
            pod("gone", "1"),
            pod("bad", "2"),
            pod("good", "3"),
        ]))));
        let bad = ObjectKey::new("n", "bad");
        index.apply(Change::Pods(Update::Replace(ListOutcome {
            objects: vec![pod("good", "4")],
            undecodable: vec![bad],
            unnamed: false,
            ..ListOutcome::of(Vec::new())
        })));
        assert_eq!(names(&index), ["bad", "good"]);
        index.apply(Change::Pods(Update::Replace(ListOutcome {
            objects: vec![pod("new", "5")],
            undecodable: vec![],
            unnamed: true,
            ..ListOutcome::of(Vec::new())
        })));
        assert_eq!(names(&index), ["bad", "good", "new"]);
    }

    #[test]
    fn a_snapshot_comes_only_with_a_change() {
        let mut index = Index::new("a", EndpointsFrom::Slices);
        assert!(index.take_snapshot().is_none());
        index.apply(Change::Pods(Update::Replace(ListOutcome::of(vec![pod("p", "1")]))));
        let first = index.take_snapshot().expect("the first list");
        assert!(first.synced.contains(Resource::Pods));
        index.apply(Change::Pods(Update::Apply(pod("p", "1"))));
        assert!(index.take_snapshot().is_none(), "an equal object is no change");
        index.apply(Change::Pods(Update::Apply(pod("p", "2"))));
        assert!(index.take_snapshot().is_some_and(|next| next.version > first.version));
        assert_eq!(&*first.pods.get("n", "p").expect("still there").ip, "1");
    }

    #[test]
    fn an_empty_list_is_a_sync() {
        let mut index = Index::new("a", EndpointsFrom::Slices);
        index.apply(Change::Nodes(Update::Replace(ListOutcome::of(vec![]))));
        assert!(index.take_snapshot().is_some_and(|s| s.synced.contains(Resource::Nodes)));
    }

    #[test]
    fn a_pod_that_moved_to_another_node_is_gone() {
        let mut index = Index::new("a", EndpointsFrom::Slices);
        index.apply(Change::Pods(Update::Apply(pod("p", "1"))));
        index.apply(Change::Pods(Update::Apply(Pod { node_name: "b".into(), ..pod("p", "1") })));
        assert!(names(&index).is_empty());
    }

    #[test]
    fn objects_of_which_nothing_matters_here_are_not_held() {
        let mut index = Index::new("a", EndpointsFrom::Slices);
        index.apply(Change::EndpointSlices(Update::Apply(EndpointSlice {
            endpoints: [Endpoint::default()].into(),
            ..EndpointSlice::default()
        })));
        index.apply(Change::Endpoints(Update::Apply(Endpoints {
            subsets: [EndpointSubset::default()].into(),
            ..Endpoints::default()
        })));
        let held = |index: &Index| {
            [Resource::EndpointSlices, Resource::Endpoints]
                .map(|kind| index.state.held(kind, &Reach::Cluster))
        };
        assert_eq!(held(&index), [1, 1]);
        index.apply(Change::EndpointSlices(Update::Apply(EndpointSlice::default())));
        index.apply(Change::Endpoints(Update::Apply(Endpoints::default())));
        assert_eq!(held(&index), [0, 0]);
    }

    #[test]
    fn owners_live_as_long_as_their_pods() {
        let mut index = Index::new("a", EndpointsFrom::Slices);
        index.apply(Change::Pods(Update::Apply(owned("p", "rs"))));
        let snapshot = index.take_snapshot().expect("a new pod");
        let keys: Vec<_> = snapshot.unread_owners(REPLICA_SETS).collect();
        assert_eq!(keys.len(), 1);
        index.apply(Change::Owner(keys[0].clone(), Some(owner("Deployment", "d"))));
        let snapshot = index.take_snapshot().expect("a new owner");
        assert_eq!(snapshot.unread_owners(REPLICA_SETS).count(), 0);
        let pod = snapshot.pods.get("n", "p").expect("still there");
        assert_eq!(snapshot.owner_of_owner(pod), Some(&owner("Deployment", "d")));

        index.apply(Change::Pods(Update::Delete(ObjectKey::new("n", "p"))));
        index.apply(Change::Owner(keys[0].clone(), None));
        let snapshot = index.take_snapshot().expect("a Pod is gone");
        assert!(snapshot.owners.is_empty(), "nobody asks for it any more");
    }

    // --- derived and foreign slices ---

    fn service(name: &str, selector: &[(&str, &str)]) -> Service {
        let key = ObjectKey::new("n", name);
        Service {
            meta: Metadata { key, ..Metadata::default() },
            selector: selector.iter().copied().collect(),
            ports: [ServicePort { number: 80, ..ServicePort::default() }].into(),
            ..Service::default()
        }
    }

    fn slice(namespace: &str, name: &str) -> EndpointSlice {
        let key = ObjectKey::new(namespace, name);
        EndpointSlice {
            meta: Metadata { key, ..Metadata::default() },
            endpoints: [Endpoint::default()].into(),
            ..EndpointSlice::default()
        }
    }

    fn derived_endpoints(snapshot: &Snapshot) -> usize {
        snapshot.derived.slices().map(|slice| slice.endpoints.len()).sum()
    }

    #[test]
    fn pods_and_their_endpoints_come_in_one_snapshot() {
        let mut index = Index::new("a", EndpointsFrom::default());
        index.apply(Change::Services(Update::Apply(service("s", &[("app", "web")]))));
        let mut pod = pod("p", "10.0.0.1");
        pod.ips = [pod.ip.clone()].into();
        pod.meta.labels = [("app", "web")].into_iter().collect();
        index.apply(Change::Pods(Update::Apply(pod)));
        let snapshot = index.take_snapshot().expect("changed");
        assert_eq!(derived_endpoints(&snapshot), 1);

        index.apply(Change::Pods(Update::Delete(ObjectKey::new("n", "p"))));
        let snapshot = index.take_snapshot().expect("changed");
        assert_eq!(derived_endpoints(&snapshot), 0);
    }

    #[test]
    fn only_a_deleted_node_is_missing() {
        let mut index = Index::new("a", EndpointsFrom::default());
        let mut pod = pod("p", "10.0.0.1");
        pod.ips = [pod.ip.clone()].into();
        pod.meta.labels = [("app", "web")].into_iter().collect();
        index.apply(Change::Pods(Update::Apply(pod)));
        index.apply(Change::Services(Update::Apply(service("s", &[("app", "web")]))));
        let node = || {
            let meta = Metadata { key: ObjectKey::new("", "a"), ..Metadata::default() };
            Node { meta, ..Node::default() }
        };
        let key = || ObjectKey::new("", "a");
        let steps = [
            (Update::Replace(ListOutcome::of(vec![])), 1, "never seen"),
            (Update::Apply(node()), 1, "there"),
            (Update::Delete(key()), 0, "deleted"),
            (Update::Apply(node()), 1, "there again"),
            (Update::Replace(ListOutcome::of(vec![])), 0, "missing from a list"),
        ];
        for (update, expected, what) in steps {
            index.apply(Change::Nodes(update));
            let snapshot = index.take_snapshot().expect("changed");
            assert_eq!(derived_endpoints(&snapshot), expected, "{what}");
        }
    }

    #[test]
    fn a_list_says_nothing_about_what_it_does_not_reach() {
        let mut index = Index::new("a", EndpointsFrom::default());
        let list = |reach: Reach, slices: Vec<EndpointSlice>| {
            let list = ListOutcome { reach, ..ListOutcome::of(slices) };
            Change::EndpointSlices(Update::Replace(list))
        };
        let names = |index: &mut Index| {
            let snapshot = index.take_snapshot().expect("changed");
            let names = snapshot.slices.iter().map(|slice| slice.meta.key.to_string());
            (names.collect::<Vec<_>>(), snapshot.slices_listed.len())
        };
        let one = || Reach::Namespace("one".into());
        index.apply(list(one(), vec![slice("one", "x")]));
        index.apply(list(Reach::Namespace("two".into()), vec![slice("two", "x")]));
        assert_eq!(names(&mut index), (vec!["one/x".to_owned(), "two/x".to_owned()], 2));
        index.apply(list(one(), vec![slice("one", "y")]));
        assert_eq!(names(&mut index), (vec!["one/y".to_owned(), "two/x".to_owned()], 2));
        let synced = index.state.synced;
        assert!(!synced.contains(Resource::EndpointSlices), "one list of several is no sync");

        index.apply(Change::SlicesWatched([one()].into()));
        assert_eq!(names(&mut index), (vec!["one/y".to_owned()], 1));
    }
}
