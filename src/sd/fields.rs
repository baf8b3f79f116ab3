//! Which fields the API server can select objects by.
//!
//! A selector is evaluated here, but a field that the API server would refuse is refused here
//! too: otherwise a query would work with this sidecar and with no Prometheus.

use crate::objects::{EndpointSlice, Endpoints, Node, Pod, Service};
use crate::targets::Selectable;

/// What a selector parameter selects, named as in the parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pod,
    Service,
    EndpointSlice,
    Endpoints,
    Node,
}

// === impl Kind ===

impl Kind {
    /// The kind of that name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "pod" => Self::Pod,
            "service" => Self::Service,
            "endpointslice" => Self::EndpointSlice,
            "endpoints" => Self::Endpoints,
            "node" => Self::Node,
            _ => return None,
        })
    }

    /// The fields that a selector may name.
    pub(super) fn fields(self) -> Vec<&'static str> {
        match self {
            Self::Pod => names::<Pod>(),
            Self::Service => names::<Service>(),
            Self::EndpointSlice => names::<EndpointSlice>(),
            Self::Endpoints => names::<Endpoints>(),
            Self::Node => names::<Node>(),
        }
    }
}

fn names<T: Selectable>() -> Vec<&'static str> {
    T::FIELDS.iter().map(|(name, _)| *name).collect()
}
