//! What the loops need to know of each kind: where it is, how it is selected, how it is decoded.

use crate::index::{Change, Update};
use crate::objects::{
    EndpointSlice, Endpoints, Namespace, Node, Pod, Resource, Service, SliceOfNode, Stored,
};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use serde::de::DeserializeSeed;

/// A kind that is listed and watched.
pub(super) trait Kind: Stored + Sized + Send + 'static {
    /// Its resource.
    const RESOURCE: Resource;

    /// What to ask for.
    fn scope(node: &str) -> Scope;

    /// Decodes one object, for that node.
    fn decode(object: &[u8], node: &str) -> serde_json::Result<Self>;

    /// Endpoints of other nodes that decoding dropped.
    fn dropped_endpoints(&self) -> usize {
        0
    }

    /// The message to the index.
    fn change(update: Update<Self>) -> Change;
}

/// What a loop asks the API server for.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Path of the list, cluster-wide.
    pub(super) path: String,
    /// Selects the objects of this node at the server; without it the type is listed in pages.
    pub(super) field_selector: Option<String>,
    /// Whether metadata is enough.
    pub(super) metadata_only: bool,
    /// The API group, for messages about RBAC.
    pub(super) group: &'static str,
}

impl Scope {
    fn of<K: k8s_openapi::Resource>() -> Self {
        Self {
            path: match K::GROUP {
                "" => format!("/api/{}/{}", K::VERSION, K::URL_PATH_SEGMENT),
                group => format!("/apis/{group}/{}/{}", K::VERSION, K::URL_PATH_SEGMENT),
            },
            field_selector: None,
            metadata_only: false,
            group: K::GROUP,
        }
    }

    fn selected_by(self, field: &str, value: &str) -> Self {
        Self { field_selector: Some(format!("{field}={value}")), ..self }
    }

    /// Whether the server hands out this node's objects only.
    pub(super) fn is_of_node(&self) -> bool {
        self.field_selector.is_some()
    }
}

impl Kind for Pod {
    const RESOURCE: Resource = Resource::Pods;

    /// The one field selector for which the API server keeps an index.
    fn scope(node: &str) -> Scope {
        Scope::of::<core::Pod>().selected_by("spec.nodeName", node)
    }

    fn decode(object: &[u8], _node: &str) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Pods(update)
    }
}

impl Kind for Node {
    const RESOURCE: Resource = Resource::Nodes;

    fn scope(node: &str) -> Scope {
        Scope::of::<core::Node>().selected_by("metadata.name", node)
    }

    fn decode(object: &[u8], _node: &str) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Nodes(update)
    }
}

impl Kind for Service {
    const RESOURCE: Resource = Resource::Services;

    fn scope(_node: &str) -> Scope {
        Scope::of::<core::Service>()
    }

    fn decode(object: &[u8], _node: &str) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Services(update)
    }
}

impl Kind for EndpointSlice {
    const RESOURCE: Resource = Resource::EndpointSlices;

    fn scope(_node: &str) -> Scope {
        Scope::of::<discovery::EndpointSlice>()
    }

    fn decode(object: &[u8], node: &str) -> serde_json::Result<Self> {
        SliceOfNode(node).deserialize(&mut serde_json::Deserializer::from_slice(object))
    }

    fn dropped_endpoints(&self) -> usize {
        self.dropped
    }

    fn change(update: Update<Self>) -> Change {
        Change::EndpointSlices(update)
    }
}

impl Kind for Endpoints {
    const RESOURCE: Resource = Resource::Endpoints;

    fn scope(_node: &str) -> Scope {
        Scope::of::<core::Endpoints>()
    }

    fn decode(object: &[u8], node: &str) -> serde_json::Result<Self> {
        Ok(serde_json::from_slice::<Self>(object)?.of_node(node))
    }

    fn dropped_endpoints(&self) -> usize {
        self.dropped
    }

    fn change(update: Update<Self>) -> Change {
        Change::Endpoints(update)
    }
}

impl Kind for Namespace {
    const RESOURCE: Resource = Resource::Namespaces;

    fn scope(_node: &str) -> Scope {
        Scope { metadata_only: true, ..Scope::of::<core::Namespace>() }
    }

    fn decode(object: &[u8], _node: &str) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Namespaces(update)
    }
}
