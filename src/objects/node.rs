//! Nodes and Namespaces: what is attached to targets, and role node.

use super::meta::{Metadata, MetadataJson};
use super::store::{ObjectKey, Stored};
use super::wire::null_as_default;
use serde::Deserialize;
use std::time::SystemTime;

/// A Node, with the fields that role node and `attach=node` read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "NodeJson")]
pub struct Node {
    /// Metadata.
    pub meta: Metadata,
    /// `spec.providerID`.
    pub provider_id: Box<str>,
    /// `spec.unschedulable`, for field selectors.
    pub unschedulable: bool,
    /// `status.addresses`.
    pub addresses: Box<[NodeAddress]>,
    /// `status.daemonEndpoints.kubeletEndpoint.Port`; 0 if missing.
    pub kubelet_port: i32,
    /// `status.conditions`.
    pub conditions: Box<[NodeCondition]>,
    /// `metadata.creationTimestamp`.
    pub created: Option<SystemTime>,
}

/// An address of a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeAddress {
    /// `InternalIP`, `Hostname`, …
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: Box<str>,
    /// The address.
    #[serde(deserialize_with = "null_as_default")]
    pub address: Box<str>,
}

/// A condition of a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeCondition {
    /// `Ready`, `MemoryPressure`, …
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: Box<str>,
    /// `True`, `False`, `Unknown`.
    #[serde(deserialize_with = "null_as_default")]
    pub status: Box<str>,
}

/// A Namespace; its metadata is all that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Namespace {
    /// Metadata.
    #[serde(rename = "metadata")]
    pub meta: Metadata,
}

#[derive(Deserialize)]
struct NodeJson {
    metadata: MetadataJson,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "null_as_default")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecJson {
    #[serde(rename = "providerID", deserialize_with = "null_as_default")]
    provider_id: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatusJson {
    #[serde(deserialize_with = "null_as_default")]
    addresses: Box<[NodeAddress]>,
    #[serde(deserialize_with = "null_as_default")]
    conditions: Box<[NodeCondition]>,
    #[serde(deserialize_with = "null_as_default")]
    daemon_endpoints: DaemonEndpointsJson,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DaemonEndpointsJson {
    #[serde(deserialize_with = "null_as_default")]
    kubelet_endpoint: DaemonEndpointJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DaemonEndpointJson {
    #[serde(rename = "Port", deserialize_with = "null_as_default")]
    port: i32, // the one capitalised field name of the core API
}

// === impl Node ===

impl Stored for Node {
    fn key(&self) -> &ObjectKey {
        &self.meta.key
    }
}

impl From<NodeJson> for Node {
    fn from(NodeJson { metadata, spec, status }: NodeJson) -> Self {
        Self {
            created: metadata.created(),
            meta: metadata.into(),
            provider_id: spec.provider_id,
            unschedulable: spec.unschedulable,
            addresses: status.addresses,
            kubelet_port: status.daemon_endpoints.kubelet_endpoint.port,
            conditions: status.conditions,
        }
    }
}

// === impl Namespace ===

impl Stored for Namespace {
    fn key(&self) -> &ObjectKey {
        &self.meta.key
    }
}
