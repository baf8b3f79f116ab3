//! What one query sees of a snapshot.
//!
//! A lookup sees only what the discovery of a `kubernetes_sd_config` would watch: objects in its
//! namespaces that match the selector of their kind. A selector of another kind than the role's
//! hides objects from lookups and never filters targets.

use super::fields::{self, Selectable};
use super::locality::Place;
use super::profile::Profile;
use super::query::{Query, Selector};
use super::target::Reason;
use crate::index::{Seen, Snapshot};
use crate::objects::{
    EndpointSlice, Endpoints, Located, Namespace, Node, ObjectKey, Pod, Service, Store, Stored,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A snapshot, seen through a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) query: &'a Query,
    pub(super) profile: Profile,
}

// === impl View ===

impl<'a> View<'a> {
    /// The Pods, for role pod.
    pub(super) fn pods(&self) -> impl Iterator<Item = &'a Pod> {
        let query = self.query;
        seen(&self.snapshot.pods, &query.namespaces, &query.selectors.pod)
    }

    /// The slices, for role endpointslice, and how nodes see them: those that were read and those that were
    /// derived. Of what is read and derived, nodes have the latter.
    pub(super) fn slices(&self) -> impl Iterator<Item = (&'a EndpointSlice, Seen)> {
        let Self { snapshot, query, .. } = *self;
        let selector = &query.selectors.endpointslice;
        let read = seen(&snapshot.slices, &query.namespaces, selector)
            .map(|slice| (slice, snapshot.slice_seen(slice)))
            .filter(|(_, seen)| snapshot.share.is_complement() || *seen != Seen::Derived);
        let derived = seen_of(snapshot.derived.slices(), &query.namespaces, selector);
        read.chain(derived.map(|slice| (slice, Seen::Derived)))
    }

    /// The Endpoints, for role endpoints, likewise: those that were read, or those that were derived.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (&'a Endpoints, Seen)> {
        let Self { snapshot, query, .. } = *self;
        let selector = &query.selectors.endpoints;
        let read = seen(&snapshot.endpoints, &query.namespaces, selector)
            .map(|endpoints| (endpoints, snapshot.endpoints_seen(endpoints)));
        let derived = snapshot.endpoints_from.is_pods().then(|| snapshot.derived.endpoints());
        let derived = seen_of(derived.into_iter().flatten(), &query.namespaces, selector);
        read.chain(derived.map(|endpoints| (endpoints, Seen::Derived)))
    }

    /// The Nodes, for role node.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &'a Node> {
        let selector = &self.query.selectors.node;
        self.snapshot.nodes.iter().map(|node| &**node).filter(|node| selector.selects(*node))
    }

    /// The place of a Pod and of what is made from a Pod alone.
    pub(super) fn place_of_pod<'p>(&self, pod: &'p Pod) -> Place<'p> {
        if self.snapshot.excluded.contains(pod) {
            return Place::Unassigned(Reason::Excluded);
        }
        Place::of_pod(pod)
    }

    /// The place of a Pod's extra targets, in an object that nodes see so.
    pub(super) fn place_of_others<'p>(&self, seen: Seen, pod: &'p Pod) -> Place<'p> {
        match seen {
            Seen::Not => Place::Unassigned(Reason::NotSeen),
            Seen::Read | Seen::Derived => self.place_of_pod(pod),
        }
    }

    /// The place of an endpoint that refers to that Pod, if it does, in an object that nodes see so.
    pub(super) fn place_of_endpoint<'e>(
        &self,
        seen: Seen,
        endpoint: &'e impl Located,
        pod: Option<&'e Pod>,
    ) -> Place<'e> {
        if seen == Seen::Not {
            return Place::Unassigned(Reason::NotSeen);
        }
        let place = Place::of_endpoint(endpoint, pod);
        // Whatever the query hides; and a Pod of another node is one that the endpoint's node does not know.
        let referenced = || {
            let target = endpoint.target_ref().filter(|_| endpoint.refers_to_pod())?;
            self.snapshot.pods.get(&target.namespace, &target.name)
        };
        match place {
            Place::Node(node)
                if referenced().is_some_and(|pod| {
                    *pod.node_name == *node && self.snapshot.excluded.contains(pod)
                }) =>
            {
                Place::Unassigned(Reason::Excluded)
            }
            place => place,
        }
    }

    /// The Pod that an endpoint of that object refers to. It may be in another namespace than the
    /// object, but with namespaces listed in the query, each is a world of its own.
    pub(super) fn pod_of(&self, endpoint: &impl Located, object: &ObjectKey) -> Option<&'a Pod> {
        let target = endpoint.target_ref().filter(|_| endpoint.refers_to_pod())?;
        let separate_worlds = !self.query.namespaces.is_empty();
        if separate_worlds && *target.namespace != *object.namespace {
            return None;
        }
        let pod = self.snapshot.pods.get(&target.namespace, &target.name)?;
        Some(&**pod).filter(|pod| self.query.selectors.pod.selects(*pod))
    }

    /// The Service of that namespace and name.
    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        let service = self.snapshot.services.get(namespace, name)?;
        Some(&**service).filter(|service| self.query.selectors.service.selects(*service))
    }

    /// Whether the Service of an endpoint passes the filter `service=`.
    pub(super) fn wants_service(&self, service: Option<&Service>) -> bool {
        let filter = self.query.service.as_ref();
        filter.is_none_or(|filter| {
            service.is_some_and(|service| filter.matches(&service.meta.labels))
        })
    }

    /// Whether a port of that name passes the filter `port=`.
    pub(super) fn wants_port(&self, name: &str) -> bool {
        let wanted = &self.query.ports;
        wanted.is_empty() || wanted.contains(name)
    }

    /// The Node of that name.
    pub(super) fn node(&self, name: &str) -> Option<&'a Node> {
        let node = self.snapshot.nodes.get("", name)?;
        Some(&**node).filter(|node| self.query.selectors.node.selects(*node))
    }

    /// The Namespace of that name.
    pub(super) fn namespace(&self, name: &str) -> Option<&'a Namespace> {
        self.snapshot.namespaces.get("", name).map(|n| &**n)
    }
}

fn seen_of<'a, T: Selectable + 'a>(
    derived: impl Iterator<Item = &'a T>,
    namespaces: &'a BTreeSet<String>,
    selector: &'a Selector,
) -> impl Iterator<Item = &'a T> {
    derived.filter(|object| {
        let namespace = &*object.meta().key.namespace;
        (namespaces.is_empty() || namespaces.contains(namespace)) && selector.selects(*object)
    })
}

fn seen<'a, T: Stored + Selectable>(
    store: &'a Store<T>,
    namespaces: &'a BTreeSet<String>,
    selector: &'a Selector,
) -> impl Iterator<Item = &'a T> {
    let everywhere = namespaces.is_empty().then(|| store.iter());
    let named = namespaces.iter().flat_map(|namespace| store.in_namespace(namespace));
    everywhere
        .into_iter()
        .flatten()
        .chain(named)
        .map(Arc::as_ref)
        .filter(|object| selector.selects(*object))
}

// === impl Selector ===

impl Selector {
    fn selects<T: Selectable>(&self, object: &T) -> bool {
        self.label.matches(&object.meta().labels)
            && self.field.matches(|name| fields::value(object, name))
    }
}
