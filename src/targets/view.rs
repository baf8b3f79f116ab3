//! What one query sees of a snapshot.
//!
//! A lookup sees only what the discovery of a `kubernetes_sd_config` would watch: objects in its
//! namespaces that match the selector of their kind. A selector of another kind than the role's
//! hides objects from lookups and never filters targets.

use super::fields::{self, Selectable};
use super::profile::Profile;
use super::query::{Query, Selector};
use crate::index::Snapshot;
use crate::objects::{Endpoint, EndpointSlice, Namespace, Node, Pod, Service, Store, Stored};
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

    /// The slices, for role endpointslice: those that were read and those that were derived.
    pub(super) fn slices(&self) -> impl Iterator<Item = &'a EndpointSlice> {
        let Self { snapshot, query, .. } = *self;
        let selector = &query.selectors.endpointslice;
        let read = seen(&snapshot.slices, &query.namespaces, selector)
            .filter(|slice| !snapshot.is_derived_too(slice));
        let derived = snapshot.derived.slices().filter(|slice| {
            let namespace = &*slice.meta.key.namespace;
            (query.namespaces.is_empty() || query.namespaces.contains(namespace))
                && selector.selects(*slice)
        });
        read.chain(derived)
    }

    /// The Nodes, for role node.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &'a Node> {
        let selector = &self.query.selectors.node;
        self.snapshot.nodes.iter().map(|node| &**node).filter(|node| selector.selects(*node))
    }

    /// The Pod that the endpoint refers to. It may be in another namespace than the slice, but
    /// with namespaces listed in the query, each is a world of its own.
    pub(super) fn pod_of(&self, endpoint: &Endpoint, slice: &EndpointSlice) -> Option<&'a Pod> {
        let target = endpoint.target_ref.as_ref()?;
        let separate_worlds = !self.query.namespaces.is_empty();
        if *target.kind != *"Pod"
            || separate_worlds && *target.namespace != *slice.meta.key.namespace
        {
            return None;
        }
        let pod = self.snapshot.pods.get(&target.namespace, &target.name)?;
        Some(&**pod).filter(|pod| self.query.selectors.pod.selects(*pod))
    }

    /// The Service that the slice's label names.
    pub(super) fn service_of(&self, slice: &EndpointSlice) -> Option<&'a Service> {
        let service =
            self.snapshot.services.get(&slice.meta.key.namespace, slice.service_name()?)?;
        Some(&**service).filter(|service| self.query.selectors.service.selects(*service))
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
