//! Services.

use super::meta::Metadata;
use super::store::{ObjectKey, Stored};
use super::wire::null_as_default;
use serde::Deserialize;

/// A Service, with the fields that targets of its endpoints need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "ServiceJson")]
pub struct Service {
    /// Metadata.
    pub meta: Metadata,
    /// `spec.type`, for field selectors.
    pub kind: Box<str>,
    /// `spec.clusterIP`, for field selectors.
    pub cluster_ip: Box<str>,
    /// `spec.ipFamilyPolicy`: `SingleStack`, `PreferDualStack`, `RequireDualStack`.
    pub ip_family_policy: Box<str>,
    /// `spec.ipFamilies`: `IPv4`, `IPv6`; the first is the primary one.
    pub ip_families: Box<[Box<str>]>,
}

#[derive(Deserialize)]
struct ServiceJson {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: SpecJson,
}

// camelCase would look for `clusterIp`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SpecJson {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: Box<str>,
    #[serde(rename = "clusterIP", deserialize_with = "null_as_default")]
    cluster_ip: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    ip_family_policy: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    ip_families: Box<[Box<str>]>,
}

// === impl Service ===

impl Stored for Service {
    fn key(&self) -> &ObjectKey {
        &self.meta.key
    }
}

impl From<ServiceJson> for Service {
    fn from(ServiceJson { metadata, spec }: ServiceJson) -> Self {
        Self {
            meta: metadata,
            kind: spec.kind,
            cluster_ip: spec.cluster_ip,
            ip_family_policy: spec.ip_family_policy,
            ip_families: spec.ip_families,
        }
    }
}
