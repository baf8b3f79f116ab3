//! What the loops need to know of each kind: where it is, how it is selected, how it is decoded.

use crate::index::{Change, Update};
use crate::objects::{
    EndpointSlice, Endpoints, Namespace, Node, ObjectKey, Pod, ProtobufError, Reach, Resource,
    Service, SliceOfNode, Stored,
};
use form_urlencoded::Serializer;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use serde::de::DeserializeSeed;
use std::mem::take;

/// A kind that is listed and watched.
pub(super) trait Kind: Stored + Sized + Send + 'static {
    /// Its resource.
    const RESOURCE: Resource;

    /// What to ask for: of that node, or of the whole cluster.
    fn scope(node: Option<&str>) -> Scope;

    /// Decodes one object, for that node.
    fn decode(object: &[u8], node: Option<&str>) -> serde_json::Result<Self>;

    /// How an object of a list is decoded that comes as protobuf; without it, lists are asked for as JSON. Only
    /// Services have it: on a node theirs is the one list that grows with the cluster.
    const PROTOBUF: Option<Protobuf<Self>> = None;

    /// Endpoints of other nodes that decoding dropped, to be counted once. Taken, because an object that is kept
    /// must not differ from another one by what neither has.
    fn take_dropped_endpoints(&mut self) -> usize {
        0
    }

    /// The message to the index.
    fn change(update: Update<Self>) -> Change;
}

/// From protobuf to an object.
pub(super) struct Protobuf<K> {
    /// Decodes one object.
    pub(super) decode: fn(&[u8]) -> Result<K, ProtobufError>,
    /// Reads who an object is that cannot be decoded.
    pub(super) key: fn(&[u8]) -> Option<ObjectKey>,
}

/// What a loop asks the API server for.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Path of the list.
    pub(super) path: String,
    /// What is listed there.
    pub(super) reach: Reach,
    /// Selects the objects of this node at the server; without it the type is listed in pages.
    pub(super) field_selector: Option<String>,
    /// Leaves out objects that are of no use. The server still looks at each of them.
    pub(super) label_selector: Option<&'static str>,
    /// Whether metadata is enough.
    pub(super) metadata_only: bool,
    /// The API group, for messages about RBAC.
    pub(super) group: &'static str,
}

impl Scope {
    fn of<K: k8s_openapi::Resource>() -> Self {
        Self::within::<K>(Reach::Cluster)
    }

    fn within<K: k8s_openapi::Resource>(reach: Reach) -> Self {
        let base = match K::GROUP {
            "" => format!("/api/{}", K::VERSION),
            group => format!("/apis/{group}/{}", K::VERSION),
        };
        let plural = K::URL_PATH_SEGMENT;
        Self {
            path: match reach.namespace() {
                None => format!("{base}/{plural}"),
                Some(namespace) => format!("{base}/namespaces/{namespace}/{plural}"),
            },
            reach,
            field_selector: None,
            label_selector: None,
            metadata_only: false,
            group: K::GROUP,
        }
    }

    /// The slices that neither the endpointslice controller nor prometheus-operator writes: theirs
    /// are derived. Slices without the label are selected too.
    pub(super) fn foreign_slices(reach: Reach) -> Self {
        let derived = "endpointslice.kubernetes.io/managed-by notin \
                       (endpointslice-controller.k8s.io,prometheus-operator)";
        Self { label_selector: Some(derived), ..Self::within::<discovery::EndpointSlice>(reach) }
    }

    /// Services.
    pub(super) fn services(reach: Reach) -> Self {
        Self::within::<core::Service>(reach)
    }

    fn selected_by(self, field: &str, value: Option<&str>) -> Self {
        Self { field_selector: value.map(|value| format!("{field}={value}")), ..self }
    }

    /// The parameters of a request that say what is selected.
    pub(super) fn query(&self) -> Serializer<'static, String> {
        let mut query = Serializer::new(String::new());
        if let Some(selector) = &self.field_selector {
            query.append_pair("fieldSelector", selector);
        }
        if let Some(selector) = self.label_selector {
            query.append_pair("labelSelector", selector);
        }
        query
    }

    /// Whether the server hands out this node's objects only.
    pub(super) fn is_of_node(&self) -> bool {
        self.field_selector.is_some()
    }
}

impl Kind for Pod {
    const RESOURCE: Resource = Resource::Pods;

    /// The one field selector for which the API server keeps an index.
    fn scope(node: Option<&str>) -> Scope {
        Scope::of::<core::Pod>().selected_by("spec.nodeName", node)
    }

    fn decode(object: &[u8], _node: Option<&str>) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Pods(update)
    }
}

impl Kind for Node {
    const RESOURCE: Resource = Resource::Nodes;

    fn scope(node: Option<&str>) -> Scope {
        Scope::of::<core::Node>().selected_by("metadata.name", node)
    }

    fn decode(object: &[u8], _node: Option<&str>) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Nodes(update)
    }
}

impl Kind for Service {
    const RESOURCE: Resource = Resource::Services;

    fn scope(_node: Option<&str>) -> Scope {
        Scope::services(Reach::Cluster)
    }

    fn decode(object: &[u8], _node: Option<&str>) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    const PROTOBUF: Option<Protobuf<Self>> =
        Some(Protobuf { decode: Self::from_protobuf, key: Self::key_from_protobuf });

    fn change(update: Update<Self>) -> Change {
        Change::Services(update)
    }
}

impl Kind for EndpointSlice {
    const RESOURCE: Resource = Resource::EndpointSlices;

    fn scope(_node: Option<&str>) -> Scope {
        Scope::of::<discovery::EndpointSlice>()
    }

    fn decode(object: &[u8], node: Option<&str>) -> serde_json::Result<Self> {
        SliceOfNode(node).deserialize(&mut serde_json::Deserializer::from_slice(object))
    }

    fn take_dropped_endpoints(&mut self) -> usize {
        take(&mut self.dropped)
    }

    fn change(update: Update<Self>) -> Change {
        Change::EndpointSlices(update)
    }
}

impl Kind for Endpoints {
    const RESOURCE: Resource = Resource::Endpoints;

    fn scope(_node: Option<&str>) -> Scope {
        Scope::of::<core::Endpoints>()
    }

    fn decode(object: &[u8], node: Option<&str>) -> serde_json::Result<Self> {
        Ok(serde_json::from_slice::<Self>(object)?.of_node(node))
    }

    fn take_dropped_endpoints(&mut self) -> usize {
        take(&mut self.dropped)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Endpoints(update)
    }
}

impl Kind for Namespace {
    const RESOURCE: Resource = Resource::Namespaces;

    fn scope(_node: Option<&str>) -> Scope {
        Scope { metadata_only: true, ..Scope::of::<core::Namespace>() }
    }

    fn decode(object: &[u8], _node: Option<&str>) -> serde_json::Result<Self> {
        serde_json::from_slice(object)
    }

    fn change(update: Update<Self>) -> Change {
        Change::Namespaces(update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fmt::Debug;

    /// What decoding keeps of this, and how many endpoints it drops.
    fn kept<K: Kind>(sent: &Value) -> (K, usize) {
        let mut object = K::decode(sent.to_string().as_bytes(), Some("node-a")).unwrap();
        let dropped = object.take_dropped_endpoints();
        (object, dropped)
    }

    fn differs_in_the_count_only<K: Kind + PartialEq + Debug>(few: &Value, many: &Value) {
        let ((few, one), (many, two)) = (kept::<K>(few), kept::<K>(many));
        assert_eq!((one, two), (1, 2));
        assert_eq!(few, many); // so nothing is published, and what is restored is the same
    }

    #[test]
    fn endpoints_of_other_nodes_make_no_object_another() {
        let metadata = json!({"name": "web", "namespace": "shop",
            "labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}});
        let slice = |nodes: &[&str]| {
            let endpoints: Vec<Value> = nodes
                .iter()
                .map(|node| json!({"addresses": ["10.0.0.1"], "nodeName": node}))
                .collect();
            json!({"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints})
        };
        let [few, many] = [slice(&["node-a", "node-b"]), slice(&["node-a", "node-b", "node-c"])];
        differs_in_the_count_only::<EndpointSlice>(&few, &many);

        let endpoints = |nodes: &[&str]| {
            let addresses: Vec<Value> =
                nodes.iter().map(|node| json!({"ip": "10.0.0.1", "nodeName": node})).collect();
            json!({"metadata": metadata, "subsets": [{"addresses": addresses}]})
        };
        let [few, many] =
            [endpoints(&["node-a", "node-b"]), endpoints(&["node-a", "node-b", "node-c"])];
        differs_in_the_count_only::<Endpoints>(&few, &many);
    }
}
