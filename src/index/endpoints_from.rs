//! Where endpoints come from: the settings.

/// Where the endpoints of Services come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointsFrom {
    /// Derived from this node's Pods and the Services' selectors; only what cannot be derived is
    /// watched.
    Pods(Deriving),
    /// All EndpointSlices are watched, and filtered to this node.
    Slices,
}

/// How endpoints are derived, and what is done about those that cannot be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deriving {
    /// Which slices that the endpointslice controller does not write are watched.
    pub foreign_slices: ForeignSlices,
    /// Which address of the own Node is the kubelet's.
    pub kubelet_address: KubeletAddress,
}

/// Which slices of others than the endpointslice controller are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForeignSlices {
    /// Those in namespaces with a Service that has no selector.
    #[default]
    Auto,
    /// All.
    All,
    /// None.
    Off,
}

/// `--kubelet-node-address-priority` of prometheus-operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KubeletAddress {
    /// An `InternalIP`, else an `ExternalIP`.
    #[default]
    InternalFirst,
    /// The other way round.
    ExternalFirst,
}

// === impl EndpointsFrom ===

impl EndpointsFrom {
    /// Whether endpoints are derived.
    pub fn is_pods(self) -> bool {
        matches!(self, Self::Pods(_))
    }
}

impl Default for EndpointsFrom {
    fn default() -> Self {
        Self::Pods(Deriving::default())
    }
}
