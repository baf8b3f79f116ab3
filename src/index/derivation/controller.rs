//! Versions of the endpointslice controller.

/// The rules of the endpointslice controller of a Kubernetes version, as far as they changed
/// between 1.28 and 1.37.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Before 1.33.
    V1_32,
    /// 1.33 and later.
    #[default]
    V1_33,
}

// === impl Controller ===

impl Controller {
    /// That of Kubernetes `1.minor`.
    pub fn of_minor(minor: u32) -> Self {
        if minor < 33 { Self::V1_32 } else { Self::V1_33 }
    }

    /// Whether named ports of sidecars (init containers that always restart) are found.
    pub fn finds_sidecar_ports(self) -> bool {
        self >= Self::V1_33
    }

    /// Whether addresses are parsed, and printed again in their canonical form.
    pub fn prints_addresses(self) -> bool {
        self >= Self::V1_33
    }

    /// Whether the controller of Endpoints signs what it writes.
    pub fn signs_endpoints(self) -> bool {
        self >= Self::V1_33
    }
}
