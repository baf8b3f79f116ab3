//! The kinds of objects that are watched or read, and sets of them.

use std::fmt;

/// What is watched, or (owners) read by name, at the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Pods of the own node; the only watch that is always open.
    Pods,
    /// The own Node.
    Nodes,
    /// Services of the cluster.
    Services,
    /// EndpointSlices of the cluster, filtered to the own node while decoding.
    EndpointSlices,
    /// Endpoints of the cluster, filtered to the own node while decoding.
    Endpoints,
    /// Namespaces, as metadata.
    Namespaces,
    /// ReplicaSets that own Pods of this node: read by name, never watched.
    ReplicaSets,
    /// Jobs that own Pods of this node: read by name, never watched.
    Jobs,
}

/// A set of [`Resource`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceSet(u8);

// === impl Resource ===

impl Resource {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Pods,
        Self::Nodes,
        Self::Services,
        Self::EndpointSlices,
        Self::Endpoints,
        Self::Namespaces,
        Self::ReplicaSets,
        Self::Jobs,
    ];

    /// The plural, lower-case name, as in URLs, RBAC rules and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Nodes => "nodes",
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices",
            Self::Endpoints => "endpoints",
            Self::Namespaces => "namespaces",
            Self::ReplicaSets => "replicasets",
            Self::Jobs => "jobs",
        }
    }

    /// The one of that [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.name() == name)
    }

    /// A small number for tables with one row per resource; below `ALL.len()`.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl ResourceSet ===

impl ResourceSet {
    /// The set without members.
    pub const EMPTY: Self = Self(0);

    /// This set and one more member.
    #[must_use]
    pub const fn with(self, resource: Resource) -> Self {
        Self(self.0 | 1 << resource.index())
    }

    /// This set without that member.
    #[must_use]
    pub fn without(self, resource: Resource) -> Self {
        Self(self.0 & !(1 << resource.index()))
    }

    /// The members of `self` that `other` lacks.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the set has this member.
    pub fn contains(self, resource: Resource) -> bool {
        self.0 & 1 << resource.index() != 0
    }

    /// Whether the set has no members.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Resource::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Resource> {
        Resource::ALL.into_iter().filter(move |r| self.contains(*r))
    }
}

impl FromIterator<Resource> for ResourceSet {
    fn from_iter<I: IntoIterator<Item = Resource>>(members: I) -> Self {
        members.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// The names, joined with commas.
impl fmt::Display for ResourceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, resource) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            f.write_str(resource.name())?;
        }
        Ok(())
    }
}
