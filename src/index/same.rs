//! Whether two snapshots have the same to say, without a look at any object.
//!
//! Stores share what does not change, so comparing pointers is enough, and costs what there are of namespaces.

use super::snapshot::Snapshot;
use crate::objects::{Resource, ResourceSet};
use std::collections::BTreeSet;
use std::sync::Arc;

// === impl Snapshot ===

impl Snapshot {
    /// Whether what is made of those resources in those namespaces (empty: all) is the same in `other`, a snapshot of
    /// the same index. False if that is not certain.
    pub fn is_same_in(
        &self,
        other: &Self,
        resources: ResourceSet,
        namespaces: &BTreeSet<String>,
    ) -> bool {
        let counts = |resource| resources.contains(resource);
        let everywhere = BTreeSet::new(); // Nodes and Namespaces are in no namespace
        self.agents == other.agents
            && (!counts(Resource::Pods) || self.pods.is_same_in(&other.pods, namespaces))
            && (!counts(Resource::Services)
                || self.services.is_same_in(&other.services, namespaces)
                    && self.slices.is_same_in(&other.slices, namespaces)
                    && self.endpoints.is_same_in(&other.endpoints, namespaces)
                    && self.derived.is_same_in(&other.derived, namespaces))
            && (!counts(Resource::Nodes) || self.nodes.is_same_in(&other.nodes, &everywhere))
            && (!counts(Resource::Namespaces)
                || self.namespaces.is_same_in(&other.namespaces, &everywhere))
            && (!counts(Resource::ReplicaSets) && !counts(Resource::Jobs)
                || Arc::ptr_eq(&self.owners, &other.owners))
    }
}

#[cfg(test)]
mod tests {
    use crate::index::{Change, Index, Snapshot, Update};
    use crate::objects::{Namespace, Node, Pod, Resource, ResourceSet, Service, Stored};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn object<T: Stored + serde::de::DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).unwrap()
    }

    fn meta(namespace: &str, round: u32) -> Value {
        json!({"name": "web", "namespace": namespace, "labels": {"round": round.to_string()}})
    }

    fn pod(namespace: &str, round: u32) -> Change {
        Change::Pods(Update::Apply(object::<Pod>(json!({"metadata": meta(namespace, round),
            "spec": {"nodeName": "node-a"}, "status": {}}))))
    }

    fn service(namespace: &str, round: u32) -> Change {
        let json = json!({"metadata": meta(namespace, round), "spec": {}});
        Change::Services(Update::Apply(object::<Service>(json)))
    }

    fn node(round: u32) -> Change {
        let json = json!({"metadata": {"name": "node-a", "labels": {"round": round.to_string()}}});
        Change::Nodes(Update::Apply(object::<Node>(json)))
    }

    fn namespace(round: u32) -> Change {
        Change::Namespaces(Update::Apply(object::<Namespace>(json!({"metadata": meta("", round)}))))
    }

    #[test]
    fn what_has_changed_for_whom() {
        let first =
            Snapshot::of("node-a", crate::index::EndpointsFrom::default(), Default::default());
        let mut index = Index::after(first);
        for change in
            [pod("a", 0), pod("b", 0), service("a", 0), service("b", 0), node(0), namespace(0)]
        {
            index.apply(change);
        }
        let mut before = index.take_snapshot().unwrap();
        let pods = ResourceSet::EMPTY.with(Resource::Pods);
        let endpoints = pods.with(Resource::Services).with(Resource::EndpointSlices);
        let questions = [
            (pods, &[][..]),
            (pods, &["a"]),
            (pods, &["b"]),
            (endpoints, &[]),
            (endpoints, &["b"]),
            (endpoints, &["c"]),
            (pods.with(Resource::Nodes), &["c"]),
            (pods.with(Resource::Namespaces), &["c"]),
        ];
        for (name, change, expected) in [
            ("a Pod", pod("a", 1), [false, false, true, false, true, true, true, true]),
            ("a Service", service("b", 1), [true, true, true, false, false, true, true, true]),
            ("a new namespace", pod("c", 1), [false, true, true, false, true, false, false, false]),
            // Endpoints have its zone, so they are derived anew.
            ("the Node", node(1), [true, true, true, false, false, true, false, true]),
            ("a Namespace", namespace(1), [true, true, true, true, true, true, true, false]),
        ] {
            index.apply(change);
            let after = index.take_snapshot().expect(name);
            let same = questions.map(|(resources, namespaces)| {
                let namespaces: BTreeSet<_> = namespaces.iter().map(|n| (*n).to_owned()).collect();
                after.is_same_in(&before, resources, &namespaces)
            });
            assert_eq!(same, expected, "{name}");
            before = after;
        }
    }
}
