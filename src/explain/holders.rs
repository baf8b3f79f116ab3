//! Slices and Endpoints that have a Pod, whatever a query says of them.

use super::known::Known;
use crate::index::Seen;
use crate::objects::{EndpointSlice, EndpointSubset, Endpoints, Located, Pod, Service};
use crate::targets::{Query, Role};

/// An object with an endpoint that refers to the Pod.
pub(super) struct Holder<'a> {
    object: Object<'a>,
    pod: &'a Pod,
}

#[derive(Clone, Copy)]
enum Object<'a> {
    Slice(&'a EndpointSlice),
    Endpoints(&'a Endpoints),
}

/// All of them, for that role.
pub(super) fn holders<'a>(known: &Known<'a>, role: Role, pod: &'a Pod) -> Vec<Holder<'a>> {
    let snapshot = known.snapshot;
    let objects: Vec<Object<'a>> = if role == Role::Endpoints {
        let derived = snapshot.endpoints_from.is_pods().then(|| snapshot.derived.endpoints());
        let read = snapshot.endpoints.iter().map(AsRef::as_ref);
        read.chain(derived.into_iter().flatten()).map(Object::Endpoints).collect()
    } else {
        let counts = |slice: &&EndpointSlice| {
            snapshot.share.is_complement() || snapshot.slice_seen(slice) != Seen::Derived
        };
        let read = snapshot.slices.iter().map(AsRef::as_ref).filter(counts);
        read.chain(snapshot.derived.slices()).map(Object::Slice).collect()
    };
    let holders = objects.into_iter().map(|object| Holder { object, pod });
    holders.filter(|holder| holder.endpoints().next().is_some()).collect()
}

// === impl Holder ===

impl<'a> Holder<'a> {
    /// As people name it.
    pub(super) fn name(&self) -> String {
        match self.object {
            Object::Slice(slice) if !slice.meta.key.name.is_empty() => {
                format!("EndpointSlice {}", slice.meta.key)
            }
            Object::Slice(slice) => format!(
                "the slice of Service {}/{}",
                slice.meta.key.namespace,
                slice.service_name().unwrap_or_default()
            ),
            Object::Endpoints(endpoints) => format!("Endpoints {}", endpoints.meta.key),
        }
    }

    /// The Service that it is of, if it is known.
    pub(super) fn service(&self, known: &Known<'a>) -> Option<&'a Service> {
        let (namespace, name) = match self.object {
            Object::Slice(slice) => (&slice.meta.key.namespace, slice.service_name()?),
            Object::Endpoints(endpoints) => {
                (&endpoints.meta.key.namespace, &*endpoints.meta.key.name)
            }
        };
        known.snapshot.services.get(namespace, name).map(AsRef::as_ref)
    }

    /// What it does not meet of the query's selector for objects of its kind.
    pub(super) fn unmet(&self, query: &Query) -> Vec<String> {
        match self.object {
            Object::Slice(slice) => query.selectors.endpointslice.unmet(slice),
            Object::Endpoints(endpoints) => query.selectors.endpoints.unmet(endpoints),
        }
    }

    /// Why it gives no target of the Pod, as far as that can be seen.
    pub(super) fn why_nothing(&self) -> String {
        let name = self.name();
        let node = &self.pod.node_name;
        let elsewhere = self.endpoints().find_map(|endpoint| {
            endpoint.own_node().filter(|own| *own != &**node).map(str::to_owned)
        });
        if let Some(other) = elsewhere {
            return format!("{name} says that the Pod is on node {other}");
        }
        if !self.has_ports() {
            return format!("{name} has no ports");
        }
        format!("{name} gives no target of the Pod")
    }

    fn has_ports(&self) -> bool {
        match self.object {
            Object::Slice(slice) => !slice.ports.is_empty(),
            Object::Endpoints(endpoints) => {
                endpoints.subsets.iter().any(|subset| !subset.ports.is_empty())
            }
        }
    }

    fn endpoints(&self) -> impl Iterator<Item = &'a dyn Located> + use<'_, 'a> {
        let of_slice = match self.object {
            Object::Slice(slice) => &*slice.endpoints,
            Object::Endpoints(_) => &[],
        };
        let subsets = match self.object {
            Object::Slice(_) => &[],
            Object::Endpoints(endpoints) => &*endpoints.subsets,
        };
        let of_slice = of_slice.iter().map(|endpoint| endpoint as &dyn Located);
        let of_endpoints = subsets.iter().flat_map(EndpointSubset::all_addresses);
        let of_endpoints = of_endpoints.map(|(address, _)| address as &dyn Located);
        of_slice.chain(of_endpoints).filter(|endpoint| self.is_of_pod(*endpoint))
    }

    fn is_of_pod(&self, endpoint: &dyn Located) -> bool {
        let key = &self.pod.meta.key;
        let reference = endpoint.target_ref().filter(|reference| *reference.kind == *"Pod");
        reference.is_some_and(|reference| {
            *reference.namespace == *key.namespace && *reference.name == *key.name
        })
    }
}
