//! Services as protobuf, which is half of what they are in JSON, and a tenth less when both are compressed.
//!
//! Only the fields that [`Service`] has; all others are skipped. Numbers are those of `generated.proto` in
//! `k8s.io/api/core/v1` and `k8s.io/apimachinery` (1.37), where a number never changes its meaning.

use super::interned::interned;
use super::meta::Metadata;
use super::service::{NumberOrName, PortWire, Service, ServiceWire, SpecWire};
use super::store::ObjectKey;
use prost::Message;
use std::collections::BTreeMap;

/// Why a message is no Service.
#[derive(Debug, thiserror::Error)]
pub enum ProtobufError {
    /// It cannot be decoded.
    #[error(transparent)]
    Malformed(#[from] prost::DecodeError),
    /// Every stored object has one.
    #[error("it has no name")]
    NoName,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceMessage {
    #[prost(message, tag = "1")]
    metadata: Option<MetadataMessage>,
    #[prost(message, tag = "2")]
    spec: Option<SpecMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct MetadataMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    annotations: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct SpecMessage {
    #[prost(message, repeated, tag = "1")]
    ports: Vec<PortMessage>,
    #[prost(btree_map = "string, string", tag = "2")]
    selector: BTreeMap<String, String>,
    #[prost(string, tag = "3")]
    cluster_ip: String,
    #[prost(string, tag = "4")]
    kind: String,
    #[prost(bool, tag = "13")]
    publish_not_ready_addresses: bool,
    #[prost(string, tag = "17")]
    ip_family_policy: String,
    #[prost(string, repeated, tag = "19")]
    ip_families: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct PortMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, optional, tag = "2")]
    protocol: Option<String>,
    #[prost(int32, tag = "3")]
    port: i32,
    #[prost(message, tag = "4")]
    target_port: Option<IntOrString>,
    #[prost(string, optional, tag = "6")]
    app_protocol: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct IntOrString {
    /// 0 for a number, 1 for a text.
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int32, tag = "2")]
    number: i32,
    #[prost(string, tag = "3")]
    text: String,
}

/// Of a Service that cannot be decoded, what names it.
#[derive(Clone, PartialEq, Message)]
struct HeadMessage {
    #[prost(message, tag = "1")]
    metadata: Option<NameMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct NameMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

impl Service {
    /// Decodes a `k8s.io.api.core.v1.Service`.
    ///
    /// # Errors
    /// If it is none, or has no name.
    pub fn from_protobuf(message: &[u8]) -> Result<Self, ProtobufError> {
        let ServiceMessage { metadata, spec } = ServiceMessage::decode(message)?;
        let metadata = metadata.unwrap_or_default();
        if metadata.name.is_empty() {
            return Err(ProtobufError::NoName);
        }
        let metadata = Metadata::from(metadata);
        Ok(ServiceWire { metadata, spec: spec.unwrap_or_default().into() }.into())
    }

    /// Who it is, if that much can be read.
    pub fn key_from_protobuf(message: &[u8]) -> Option<ObjectKey> {
        let NameMessage { name, namespace } = HeadMessage::decode(message).ok()?.metadata?;
        (!name.is_empty()).then(|| ObjectKey::new(&namespace, &name))
    }
}

impl From<MetadataMessage> for Metadata {
    fn from(message: MetadataMessage) -> Self {
        Self {
            key: ObjectKey { namespace: interned(&message.namespace), name: message.name.into() },
            labels: message.labels.into_iter().collect(),
            annotations: message.annotations.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl From<SpecMessage> for SpecWire {
    fn from(message: SpecMessage) -> Self {
        Self {
            kind: message.kind.into(),
            cluster_ip: message.cluster_ip.into(),
            ip_family_policy: message.ip_family_policy.into(),
            ip_families: message.ip_families.into_iter().map(Into::into).collect(),
            selector: message.selector.into_iter().collect(),
            ports: message.ports.into_iter().map(PortWire::from).collect(),
            publish_not_ready_addresses: message.publish_not_ready_addresses,
        }
    }
}

impl From<PortMessage> for PortWire {
    fn from(message: PortMessage) -> Self {
        Self {
            name: message.name.into(),
            port: message.port,
            protocol: message.protocol.map(Into::into),
            app_protocol: message.app_protocol.map(Into::into),
            target_port: message.target_port.map(|target| match target.kind {
                0 => NumberOrName::Number(target.number),
                _ => NumberOrName::Name(target.text.into()),
            }),
        }
    }
}
