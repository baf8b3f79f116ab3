//! Object metadata: what every kind has in common.

use super::StringMap;
use super::interned::{self, interned};
use super::store::ObjectKey;
use super::wire::null_as_default;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::SystemTime;

/// `metadata` without what no target needs (managed fields, above all).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Namespace and name; the namespace of a cluster-scoped object is empty.
    pub key: ObjectKey,
    /// `uid`; tells an object from a later one of the same name.
    pub uid: Box<str>,
    /// Labels.
    pub labels: StringMap,
    /// Annotations.
    pub annotations: StringMap,
    /// The first owner reference whose `controller` is true.
    pub controller: Option<Owner>,
}

/// An owner reference. `apiVersion` is left out, because Prometheus never looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// `ReplicaSet`, `Job`, …
    pub kind: Box<str>,
    /// Its name, in the namespace of the owned object.
    pub name: Box<str>,
    /// Its uid.
    pub uid: Box<str>,
}

/// Metadata as it stands in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetadataJson {
    /// The one field that every stored object has; without it the object is undecodable.
    name: Box<str>,
    #[serde(default = "no_text", deserialize_with = "interned::deserialize")]
    namespace: Arc<str>,
    #[serde(default, deserialize_with = "null_as_default")]
    uid: Box<str>,
    #[serde(default)]
    labels: StringMap,
    #[serde(default)]
    annotations: StringMap,
    #[serde(default, deserialize_with = "null_as_default")]
    owner_references: Vec<OwnerJson>,
    #[serde(default)]
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(default)]
    creation_timestamp: Option<Box<str>>,
}

fn no_text() -> Arc<str> {
    interned("")
}

// Not `flatten`ed from `Owner`: serde's flatten buffers every field.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnerJson {
    #[serde(deserialize_with = "null_as_default")]
    controller: bool,
    #[serde(deserialize_with = "null_as_default")]
    kind: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    uid: Box<str>,
}

/// Whether a text is a DNS subdomain (RFC 1123), as the names of most objects must be: lower-case
/// letters, digits, `-` and `.`, each part beginning and ending with a letter or digit, 253 bytes at
/// most. Asked before a name that somebody else chose becomes a part of a request.
pub fn is_dns_subdomain(text: &str) -> bool {
    let part_is_good = |part: &str| {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && part.chars().all(|c| alphanumeric(c) || c == '-')
    };
    text.len() <= 253 && text.split('.').all(part_is_good)
}

// === impl MetadataJson ===

impl MetadataJson {
    /// Whether the object is being deleted. Only a Pod's targets depend on it, so [`Metadata`] has
    /// no room for it.
    pub(super) fn is_deleted(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// When the object was created, if that can be read. Only the ages of Pods and Nodes matter.
    pub(super) fn created(&self) -> Option<SystemTime> {
        let time: jiff::Timestamp = self.creation_timestamp.as_deref()?.parse().ok()?;
        Some(time.into())
    }
}

// === impl Metadata ===

impl From<MetadataJson> for Metadata {
    fn from(json: MetadataJson) -> Self {
        Self {
            key: ObjectKey { namespace: json.namespace, name: json.name.into() },
            uid: json.uid,
            labels: json.labels,
            annotations: json.annotations,
            controller: json
                .owner_references
                .into_iter()
                .find(|reference| reference.controller)
                .map(|OwnerJson { kind, name, uid, .. }| Owner { kind, name, uid }),
        }
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        MetadataJson::deserialize(input).map(Self::from)
    }
}
