//! What the sidecars of nodes see of an object that they might read.
//!
//! Decided by the object and the Services of its namespace, and not by what a sidecar happens to watch at the
//! moment: so all nodes decide alike, and the complement knows what they miss.

use super::foreign::needs_foreign_slices;
use super::kubelet::is_kubelet;
use super::labels::OPERATOR;
use super::pairs::is_handled;
use crate::index::{EndpointsFrom, ForeignSlices};
use crate::objects::{
    ENDPOINTSLICE_CONTROLLER, EndpointSlice, Endpoints, MANAGED_BY, ObjectKey, Service, Store,
};
use std::sync::Arc;

/// How a node's sidecar gets what an object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It reads the object.
    Read,
    /// It derives the same from the Service and its own Pods or Node.
    Derived,
    /// Not at all.
    Not,
}

/// The label with which the owner of Endpoints forbids to mirror them into slices.
const SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Endpoints that are a lock of leader election are not mirrored either.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

// === impl Seen ===

impl Seen {
    /// Of a slice in a namespace with these Services, by sidecars whose endpoints come from there.
    pub fn of_slice(slice: &EndpointSlice, services: &Store<Service>, from: EndpointsFrom) -> Self {
        let EndpointsFrom::Pods(deriving) = from else { return Self::Read };
        let namespace = &slice.meta.key.namespace;
        let service = slice.service_name().and_then(|name| services.get(namespace, name));
        let service = service.map(Arc::as_ref);
        match slice.meta.labels.get(MANAGED_BY) {
            _ if service.is_some_and(is_kubelet) => Self::Derived,
            // Those of a Service that has lost its selector stay as they were.
            Some(ENDPOINTSLICE_CONTROLLER) if service.is_some_and(is_handled) => Self::Derived,
            Some(ENDPOINTSLICE_CONTROLLER | OPERATOR) => Self::Not,
            _ => Self::of_foreign(namespace, services, deriving.foreign_slices),
        }
    }

    /// Of Endpoints, likewise. Nodes read none, but the slices that mirror them.
    pub fn of_endpoints(
        endpoints: &Endpoints,
        services: &Store<Service>,
        from: EndpointsFrom,
    ) -> Self {
        let EndpointsFrom::Pods(deriving) = from else { return Self::Read };
        let meta = &endpoints.meta;
        let ObjectKey { namespace, name } = &meta.key;
        let skipped =
            meta.labels.get(SKIP_MIRROR) == Some("true") || meta.annotations.get(LEADER).is_some();
        match services.get(namespace, name) {
            Some(service) if is_handled(service) || is_kubelet(service) => Self::Derived,
            Some(_) if !skipped => Self::of_foreign(namespace, services, deriving.foreign_slices),
            _ => Self::Not,
        }
    }

    fn of_foreign(namespace: &str, services: &Store<Service>, which: ForeignSlices) -> Self {
        let mut services = services.in_namespace(namespace);
        let read = match which {
            ForeignSlices::All => true,
            ForeignSlices::Auto => services.any(|service| needs_foreign_slices(service)),
            ForeignSlices::Off => false,
        };
        if read { Self::Read } else { Self::Not }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Deriving;
    use crate::index::derivation::endpoints::MIRRORING;
    use crate::index::derivation::testing::service;
    use crate::objects::{Metadata, SERVICE_NAME};

    fn pods(foreign_slices: ForeignSlices) -> EndpointsFrom {
        EndpointsFrom::Pods(Deriving { foreign_slices, ..Deriving::default() })
    }

    /// Metadata of an object of that name in a namespace, with these labels.
    fn meta(namespace: &str, name: &str, labels: &[(&str, &str)]) -> Metadata {
        let key = ObjectKey::new(namespace, name);
        Metadata { key, labels: labels.iter().copied().collect(), ..Metadata::default() }
    }

    /// `n` has a Service of each sort; `m` has one with a selector only.
    fn services() -> Store<Service> {
        let kubelet = [("k8s-app", "kubelet"), ("app.kubernetes.io/managed-by", OPERATOR)];
        let mut services = Store::default();
        for service in [
            service("with").selecting(&[("a", "b")]),
            service("without"),
            service("kubelet").labelled(&kubelet),
            service("with").in_namespace("m").selecting(&[("a", "b")]),
            service("kubernetes").in_namespace("default"),
        ] {
            services.insert(service.0);
        }
        services
    }

    const AUTO: ForeignSlices = ForeignSlices::Auto;
    const ALL: ForeignSlices = ForeignSlices::All;
    const OFF: ForeignSlices = ForeignSlices::Off;

    #[test]
    fn slices_by_who_writes_them_and_by_the_services() {
        let controller = Some(ENDPOINTSLICE_CONTROLLER);
        let mirroring = Some(MIRRORING);
        for (writer, namespace, service, mode, expected) in [
            (controller, "n", "with", OFF, Seen::Derived),
            (controller, "n", "without", ALL, Seen::Not),
            (controller, "n", "gone", ALL, Seen::Not),
            (Some(OPERATOR), "n", "kubelet", OFF, Seen::Derived),
            (Some(OPERATOR), "n", "without", ALL, Seen::Not),
            (mirroring, "n", "kubelet", ALL, Seen::Derived),
            (mirroring, "n", "without", AUTO, Seen::Read),
            (mirroring, "n", "without", OFF, Seen::Not),
            (None, "n", "with", AUTO, Seen::Read),
            (None, "n", "gone", AUTO, Seen::Read),
            (None, "m", "with", AUTO, Seen::Not),
            (None, "m", "gone", AUTO, Seen::Not),
            (None, "m", "with", ALL, Seen::Read),
            (None, "default", "kubernetes", AUTO, Seen::Not),
            (None, "default", "kubernetes", ALL, Seen::Read),
        ] {
            let mut labels = vec![(SERVICE_NAME, service)];
            labels.extend(writer.map(|writer| (MANAGED_BY, writer)));
            let meta = meta(namespace, "slice", &labels);
            let slice = EndpointSlice { meta, ..EndpointSlice::default() };
            let seen = Seen::of_slice(&slice, &services(), pods(mode));
            assert_eq!(seen, expected, "{writer:?} {namespace}/{service} {mode:?}");
            assert_eq!(Seen::of_slice(&slice, &services(), EndpointsFrom::Slices), Seen::Read);
        }
    }

    #[test]
    fn endpoints_by_their_service_and_whether_they_are_mirrored() {
        let skip = [(SKIP_MIRROR, "true")];
        let cases: [(&[(&str, &str)], _, _, _, _); 8] = [
            (&[], "n", "with", OFF, Seen::Derived),
            (&[], "n", "kubelet", OFF, Seen::Derived),
            (&[], "n", "without", AUTO, Seen::Read),
            (&[], "n", "without", OFF, Seen::Not),
            (&[], "n", "gone", ALL, Seen::Not),
            (&[], "default", "kubernetes", AUTO, Seen::Not),
            (&skip, "n", "without", ALL, Seen::Not),
            (&skip, "n", "with", ALL, Seen::Derived),
        ];
        for (labels, namespace, service, mode, expected) in cases {
            let meta = meta(namespace, service, labels);
            let endpoints = Endpoints { meta, ..Endpoints::default() };
            let seen = Seen::of_endpoints(&endpoints, &services(), pods(mode));
            assert_eq!(seen, expected, "{labels:?} {namespace}/{service} {mode:?}");
        }
    }
}
