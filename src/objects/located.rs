//! Where an endpoint is: what those of EndpointSlices and the addresses of Endpoints have in
//! common, and which of them can matter to one node.

use super::wire::null_as_default;
use serde::Deserialize;

/// What an endpoint stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    /// `Pod`, `Node`, …
    #[serde(deserialize_with = "null_as_default")]
    pub kind: Box<str>,
    /// Its namespace; a missing one never matches a Pod.
    #[serde(deserialize_with = "null_as_default")]
    pub namespace: Box<str>,
    /// Its name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: Box<str>,
}

/// An endpoint of whatever kind.
pub trait Located {
    /// `nodeName`.
    fn node_name(&self) -> Option<&str>;

    /// `targetRef`.
    fn target_ref(&self) -> Option<&TargetRef>;

    /// The node that the endpoint itself names: `nodeName`, else a Node reference. Empty counts
    /// as missing.
    fn own_node(&self) -> Option<&str> {
        self.node_name().filter(|name| !name.is_empty()).or_else(|| {
            let target = self.target_ref().filter(|target| *target.kind == *"Node")?;
            Some(&*target.name).filter(|name| !name.is_empty())
        })
    }

    /// Whether the endpoint can matter to that node, or to the complement, if it is none: all do. It is the node's own, or nobody's (that must
    /// be reported), or it refers to a Pod, whose extra targets follow it wherever the endpoint
    /// says that it is. The last cannot differ in `managed` objects, those of Kubernetes' own
    /// controllers.
    fn matters(&self, node: Option<&str>, managed: bool) -> bool {
        let Some(node) = node else { return true };
        match self.own_node() {
            Some(name) => name == node || !managed && self.refers_to_pod(),
            None => true,
        }
    }

    /// Whether it stands for a Pod.
    fn refers_to_pod(&self) -> bool {
        self.target_ref().is_some_and(|target| *target.kind == *"Pod")
    }
}
