//! The derived slices and Endpoints, kept as long as what they were derived from stays.

use super::controller::Controller;
use super::endpoints::{endpoints_of, kubelets, mirrored_by};
use super::foreign::needs_foreign_slices;
use super::slices::{Around, slices_of};
use crate::index::ForeignSlices;
use crate::objects::{
    EndpointSlice, Endpoints, InNamespace, Pod, Service, Store, differing, is_same_in,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What follows from Pods, Services and the own Node. Never changes once published.
#[derive(Debug, Default)]
pub struct Derived {
    namespaces: BTreeMap<Arc<str>, Arc<OfNamespace>>,
    /// The namespaces with a Service whose slices somebody else writes.
    pub needing_foreign_slices: BTreeSet<Arc<str>>,
}

/// Derives, one namespace at a time. Stores share what does not change, so whether the Pods, the
/// Services or the slices of a namespace have changed is told by comparing pointers: then all of the namespace
/// is derived anew. There is nothing that could drift, and an update costs its namespace.
#[derive(Debug, Default)]
pub(in crate::index) struct Derivation {
    around: Around,
    namespaces: BTreeMap<Arc<str>, Arc<OfNamespace>>,
}

/// What was derived for a namespace, and from what.
#[derive(Debug)]
struct OfNamespace {
    services: Arc<InNamespace<Service>>,
    pods: Option<Arc<InNamespace<Pod>>>,
    /// Slices that were read.
    foreign: Option<Arc<InNamespace<EndpointSlice>>>,
    controller: Controller,
    slices: Box<[EndpointSlice]>,
    /// Made when somebody asks for them: the role is an older one.
    endpoints: OnceLock<Box<[Endpoints]>>,
    needs_foreign_slices: bool,
    /// Whether slices of others count here, by the rules of `seen`.
    sees_foreign_slices: bool,
}

// === impl Derived ===

impl Derived {
    /// All slices, in ascending order of namespace, then Service.
    pub fn slices(&self) -> impl Iterator<Item = &EndpointSlice> {
        self.namespaces.values().flat_map(|derived| &derived.slices)
    }

    /// Whether the same was derived in these namespaces (empty: all).
    pub fn is_same_in(&self, other: &Self, namespaces: &BTreeSet<String>) -> bool {
        is_same_in(&self.namespaces, &other.namespaces, namespaces)
    }

    /// All Endpoints, ordered by namespace.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoints> {
        self.namespaces.values().flat_map(|derived| derived.endpoints())
    }

    /// The namespaces of which not the same follows, in ascending order.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Arc<str>> {
        differing(&self.namespaces, &other.namespaces)
    }
}

// === impl Derivation ===

impl Derivation {
    /// What follows now; `None` if that is what followed before.
    pub(in crate::index) fn follow(
        &mut self,
        (services, pods, foreign): (&Store<Service>, &Store<Pod>, &Store<EndpointSlice>),
        around: &Around,
    ) -> Option<Derived> {
        let mut changed = false;
        if !self.around.is_same(around) {
            self.around = around.clone();
            self.namespaces.clear();
            changed = true;
        }
        let before = self.namespaces.len();
        self.namespaces.retain(|name, _| services.namespace(name).is_some());
        changed |= self.namespaces.len() < before;
        for (name, services) in services.namespaces() {
            let (pods, foreign) = (pods.namespace(name), foreign.namespace(name));
            let follows = |known: &Arc<OfNamespace>| known.follows_from(services, pods, foreign);
            if self.namespaces.get(name).is_some_and(follows) {
                continue;
            }
            let derived = OfNamespace::derive(services, pods, foreign, around);
            self.namespaces.insert(Arc::clone(name), Arc::new(derived));
            changed = true;
        }
        changed.then(|| self.derived())
    }

    fn derived(&self) -> Derived {
        let needing = self.namespaces.iter().filter(|(_, derived)| derived.needs_foreign_slices);
        Derived {
            namespaces: self.namespaces.clone(),
            needing_foreign_slices: needing.map(|(name, _)| Arc::clone(name)).collect(),
        }
    }
}

// === impl OfNamespace ===

impl OfNamespace {
    fn derive(
        services: &Arc<InNamespace<Service>>,
        pods: Option<&Arc<InNamespace<Pod>>>,
        foreign: Option<&Arc<InNamespace<EndpointSlice>>>,
        around: &Around,
    ) -> Self {
        let needs = services.values().any(|service| needs_foreign_slices(service));
        let own_pods = pods.into_iter().flat_map(|pods| pods.values()).map(|pod| &**pod);
        Self {
            services: Arc::clone(services),
            pods: pods.map(Arc::clone),
            foreign: foreign.map(Arc::clone),
            controller: around.controller,
            slices: slices_of(services.values().map(|service| &**service), own_pods, around),
            endpoints: OnceLock::new(),
            needs_foreign_slices: needs,
            sees_foreign_slices: match around.foreign_slices {
                ForeignSlices::All => true,
                ForeignSlices::Auto => needs,
                ForeignSlices::Off => false,
            },
        }
    }

    fn endpoints(&self) -> &[Endpoints] {
        self.endpoints.get_or_init(|| {
            let services = || self.services.values().map(|service| &**service);
            let pods = self.pods.iter().flat_map(|pods| pods.values()).map(|pod| &**pod);
            let foreign = self.foreign.iter().flat_map(|all| all.values()).map(|slice| &**slice);
            let service = |name: &str| self.services.get(name).map(|service| &**service);
            let mut all = endpoints_of(services(), pods, self.controller);
            all.extend(kubelets(&self.slices));
            if self.sees_foreign_slices {
                all.extend(mirrored_by(foreign, service));
            }
            all.into()
        })
    }

    fn follows_from(
        &self,
        services: &Arc<InNamespace<Service>>,
        pods: Option<&Arc<InNamespace<Pod>>>,
        foreign: Option<&Arc<InNamespace<EndpointSlice>>>,
    ) -> bool {
        Arc::ptr_eq(&self.services, services)
            && is_same(self.pods.as_ref(), pods)
            && is_same(self.foreign.as_ref(), foreign)
    }
}

/// Whether two parts of stores are the same, untouched.
fn is_same<T>(ours: Option<&Arc<T>>, theirs: Option<&Arc<T>>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
        (ours, theirs) => ours.is_none() && theirs.is_none(),
    }
}

// === impl Around ===

impl Around {
    fn is_same(&self, other: &Self) -> bool {
        self.controller == other.controller
            && self.node_deleted == other.node_deleted
            && self.kubelet_address == other.kubelet_address
            && self.foreign_slices == other.foreign_slices
            && is_same(self.node.as_ref(), other.node.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::{node, pod, service, service_port};
    use crate::objects::TargetPort;

    fn web() -> Service {
        let port = service_port("http", "TCP", TargetPort::Number(80));
        Service { ports: [port].into(), ..service("web").selecting(&[("app", "web")]).0 }
    }

    fn in_namespace(service: Service, namespace: &str) -> Service {
        let mut service = service;
        service.meta.key.namespace = namespace.into();
        service
    }

    #[test]
    fn only_what_changed_is_derived_anew() {
        let mut services: Store<Service> =
            [web(), in_namespace(web(), "other")].into_iter().collect();
        let mut pods: Store<Pod> = [pod("p").0].into_iter().collect();
        let around = Around::default();
        let mut derivation = Derivation::default();
        let first =
            derivation.follow((&services, &pods, &Store::default()), &around).expect("slices");
        assert_eq!(first.slices().count(), 1);
        assert!(derivation.follow((&services, &pods, &Store::default()), &around).is_none());

        services.insert(in_namespace(web(), "third"));
        let second = derivation
            .follow((&services, &pods, &Store::default()), &around)
            .expect("a new namespace");
        assert!(Arc::ptr_eq(&first.namespaces["n"], &second.namespaces["n"]));

        pods.insert(pod("q").0);
        let third =
            derivation.follow((&services, &pods, &Store::default()), &around).expect("a new Pod");
        let endpoints = |derived: &Derived| derived.namespaces["n"].slices[0].endpoints.len();
        assert_eq!([endpoints(&second), endpoints(&third)], [1, 2]);
    }

    #[test]
    fn what_is_gone_is_gone() {
        let services: Store<Service> = [web()].into_iter().collect();
        let pods: Store<Pod> = [pod("p").0].into_iter().collect();
        for (services_left, pods_left) in
            [(Store::default(), pods.clone()), (services.clone(), Store::default())]
        {
            let mut derivation = Derivation::default();
            derivation.follow((&services, &pods, &Store::default()), &Around::default());
            let left = derivation
                .follow((&services_left, &pods_left, &Store::default()), &Around::default());
            assert_eq!(left.expect("a change").slices().count(), 0);
        }
    }

    #[test]
    fn a_changed_node_changes_all() {
        let services: Store<Service> = [web()].into_iter().collect();
        let pods: Store<Pod> = [pod("p").0].into_iter().collect();
        let mut derivation = Derivation::default();
        derivation.follow((&services, &pods, &Store::default()), &Around::default());
        let around = Around { node: Some(Arc::new(node(&[]))), ..Around::default() };
        assert!(derivation.follow((&services, &pods, &Store::default()), &around).is_some());
        assert!(
            derivation.follow((&services, &pods, &Store::default()), &around).is_none(),
            "the same Node"
        );
        let gone = Around { node_deleted: true, ..Around::default() };
        let derived =
            derivation.follow((&services, &pods, &Store::default()), &gone).expect("a change");
        assert_eq!(derived.slices().count(), 0);
    }

    #[test]
    fn namespaces_that_need_foreign_slices() {
        let lone = service("lone").in_namespace("b").0;
        let services: Store<Service> = [web(), lone].into_iter().collect();
        let derived = Derivation::default()
            .follow((&services, &Store::default(), &Store::default()), &Around::default())
            .expect("a change");
        assert_eq!(derived.needing_foreign_slices, ["b".into()].into());
    }
}
