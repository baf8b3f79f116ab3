//! Which node a target belongs to.
//!
//! Prometheus has no such notion; this is the definition on which the sidecars of all nodes
//! agree, so that together they serve every target exactly once. Targets are built first and
//! placed afterwards: which ports are covered or whether a slice is dropped depends on the whole
//! object. Nothing is guessed from an address.

use super::target::Reason;
use crate::objects::{Located, Pod};

/// The place of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The node of that name.
    Node(&'a str),
    /// No node, as far as can be told here.
    Unassigned(Reason),
}

// === impl Place ===

impl<'a> Place<'a> {
    /// Of a Pod and of what is made from a Pod alone: `spec.nodeName`.
    pub(super) fn of_pod(pod: &'a Pod) -> Self {
        match &*pod.node_name {
            "" => Self::Unassigned(Reason::NoNode),
            node => Self::Node(node),
        }
    }

    /// Of the targets at an endpoint's addresses: `nodeName`, else a Node reference, else the
    /// Pod's node.
    pub(super) fn of_endpoint(endpoint: &'a impl Located, pod: Option<&'a Pod>) -> Self {
        if let Some(node) = endpoint.own_node() {
            return Self::Node(node);
        }
        match pod {
            Some(pod) => Self::of_pod(pod),
            None if endpoint.refers_to_pod() => Self::Unassigned(Reason::PodNotHere),
            None => Self::Unassigned(Reason::NoNode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Endpoint, TargetRef};

    #[test]
    fn the_first_rule_that_applies() {
        let pod = |node: &str| Pod { node_name: node.into(), ..Pod::default() };
        let (on_p, nowhere) = (pod("p"), pod(""));
        let no_node = Place::Unassigned(Reason::NoNode);
        for (node_name, reference, pod, expected) in [
            (Some("n"), Some(("Node", "r")), None, Place::Node("n")),
            (Some("n"), Some(("Pod", "x")), Some(&on_p), Place::Node("n")),
            (Some(""), Some(("Node", "r")), None, Place::Node("r")),
            (None, Some(("Node", "")), None, no_node),
            (None, Some(("Pod", "x")), Some(&on_p), Place::Node("p")),
            (None, Some(("Pod", "x")), Some(&nowhere), no_node),
            (None, Some(("Pod", "x")), None, Place::Unassigned(Reason::PodNotHere)),
            (None, Some(("Foo", "x")), None, no_node),
            (None, None, None, no_node),
        ] {
            let endpoint = Endpoint {
                node_name: node_name.map(Into::into),
                target_ref: reference.map(|(kind, name)| TargetRef {
                    kind: kind.into(),
                    name: name.into(),
                    ..TargetRef::default()
                }),
                ..Endpoint::default()
            };
            assert_eq!(Place::of_endpoint(&endpoint, pod), expected, "{endpoint:?} {pod:?}");
        }
    }
}
