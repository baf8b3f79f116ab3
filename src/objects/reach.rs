//! Parts of a cluster.

use std::collections::BTreeSet;
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

/// More namespaces are watched as the cluster: each watch is a connection's stream, and a list after each
/// restart of the API server.
const MOST_NAMESPACES: usize = 3;

// === impl Reach ===

impl Reach {
    /// The least that can be watched in order to see all of these parts.
    pub fn joined(parts: BTreeSet<Self>) -> BTreeSet<Self> {
        if parts.contains(&Self::Cluster) || parts.len() > MOST_NAMESPACES {
            [Self::Cluster].into()
        } else {
            parts
        }
    }

    /// Whether all that is within `wanted` is within `parts`.
    pub fn cover(parts: &BTreeSet<Self>, wanted: &BTreeSet<Self>) -> bool {
        parts.contains(&Self::Cluster) || wanted.is_subset(parts)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_namespaces_are_watched_one_by_one() {
        let namespaces = |count: usize| -> BTreeSet<Reach> {
            (0..count).map(|i| Reach::Namespace(i.to_string().into())).collect()
        };
        let cluster = BTreeSet::from([Reach::Cluster]);
        let with_cluster = || namespaces(1).into_iter().chain([Reach::Cluster]).collect();
        for (parts, expected) in [
            (namespaces(0), namespaces(0)),
            (namespaces(3), namespaces(3)),
            (namespaces(4), cluster.clone()),
            (with_cluster(), cluster),
        ] {
            assert_eq!(Reach::joined(parts), expected);
        }
    }
}
