//! Whose targets are served.

use super::endpoints_from::EndpointsFrom;
use std::fmt;
use std::sync::Arc;

/// The share of a cluster's targets that a sidecar serves. Those of all nodes that have an agent and that of
/// the complement are everything, and no two have a target in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// What belongs to the node of that name.
    Node(Arc<str>),
    /// What no node's sidecar serves.
    Complement(Nodes),
}

/// What the complement has to know of the nodes' sidecars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Where their endpoints come from: it decides what they do not see.
    pub endpoints_from: EndpointsFrom,
    /// Whether there may be nodes without one. If so, [`Snapshot::agents`](super::Snapshot) is waited for.
    pub may_lack_agents: bool,
}

// === impl Share ===

impl Share {
    /// The node, if it is one's.
    pub fn node(&self) -> Option<&Arc<str>> {
        match self {
            Self::Node(name) => Some(name),
            Self::Complement(_) => None,
        }
    }

    /// Whether it is the complement.
    pub fn is_complement(&self) -> bool {
        matches!(self, Self::Complement(_))
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::Node("".into())
    }
}

impl From<&str> for Share {
    fn from(node: &str) -> Self {
        Self::Node(node.into())
    }
}

/// `node a`, or `the complement`
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node {name}"),
            Self::Complement(_) => f.write_str("the complement"),
        }
    }
}
