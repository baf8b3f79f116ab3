//! Parts of a cluster.

use std::sync::Arc;

/// How far a list or a watch reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The whole cluster.
    #[default]
    Cluster,
    /// One namespace.
    Namespace(Arc<str>),
}

// === impl Reach ===

impl Reach {
    /// Whether objects of that namespace are within it.
    pub fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::Cluster => true,
            Self::Namespace(name) => **name == *namespace,
        }
    }

    /// The namespace, if it is one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster => None,
            Self::Namespace(name) => Some(name),
        }
    }
}
