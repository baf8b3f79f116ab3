//! EndpointSlices, cut down to one node while they are decoded.

use super::StringMap;
use super::located::{Located, TargetRef};
use super::meta::Metadata;
use super::store::{ObjectKey, Stored};
use super::wire::null_as_default;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The label that names the Service of a slice.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that says who writes a slice.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Its value where that is the controller that derives slices from Pods.
pub const ENDPOINTSLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";

/// An EndpointSlice with the endpoints that can matter to one node.
///
/// The ports are always whole: which container ports they cover depends on all of them. Kept are
/// the endpoints that belong to the node (`nodeName`, or a Node reference), those that belong to
/// none (no `nodeName`), and, of slices that the endpointslice controller does not manage, those
/// with a Pod reference whatever their `nodeName`: their extra targets follow the Pod. The
/// controller itself never lets the two disagree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Metadata.
    pub meta: Metadata,
    /// `addressType`: `IPv4`, `IPv6`, `FQDN`.
    pub address_type: Box<str>,
    /// All ports.
    pub ports: Box<[SlicePort]>,
    /// The kept endpoints, in their order.
    pub endpoints: Box<[Endpoint]>,
    /// How many endpoints were dropped because they belong to other nodes.
    pub dropped: usize,
}

/// A port of a slice. A missing field is not an empty one here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlicePort {
    /// `name`.
    pub name: Option<Box<str>>,
    /// `protocol`.
    pub protocol: Option<Box<str>>,
    /// `port`.
    #[serde(rename = "port")]
    pub number: Option<i32>,
    /// `appProtocol`.
    pub app_protocol: Option<Box<str>>,
}

/// An endpoint of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Endpoint {
    /// All addresses.
    #[serde(deserialize_with = "null_as_default")]
    pub addresses: Box<[Box<str>]>,
    /// Conditions; each may be missing.
    #[serde(deserialize_with = "null_as_default")]
    pub conditions: Conditions,
    /// `hostname`.
    pub hostname: Option<Box<str>>,
    /// `nodeName`.
    pub node_name: Option<Box<str>>,
    /// `zone`.
    pub zone: Option<Box<str>>,
    /// `targetRef`.
    pub target_ref: Option<TargetRef>,
    /// `deprecatedTopology`.
    pub deprecated_topology: StringMap,
}

/// Conditions of an endpoint; a null one gives no label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// `ready`.
    pub ready: Option<bool>,
    /// `serving`.
    pub serving: Option<bool>,
    /// `terminating`.
    pub terminating: Option<bool>,
}

/// Decodes an [`EndpointSlice`], keeping what matters to this node. An endpoint of another node
/// is gone before the next one is read.
#[derive(Clone, Debug)]
pub struct SliceOfNode<'a>(pub Option<&'a str>);

// === impl EndpointSlice ===

impl EndpointSlice {
    /// The name in the label `kubernetes.io/service-name`. Owner references are not asked, as in
    /// Prometheus.
    pub fn service_name(&self) -> Option<&str> {
        self.meta.labels.get(SERVICE_NAME)
    }
}

impl Stored for EndpointSlice {
    fn key(&self) -> &ObjectKey {
        &self.meta.key
    }
}

// === impl Endpoint ===

impl Located for Endpoint {
    fn node_name(&self) -> Option<&str> {
        self.node_name.as_deref()
    }

    fn target_ref(&self) -> Option<&TargetRef> {
        self.target_ref.as_ref()
    }
}

// === impl SliceOfNode ===

impl<'de> DeserializeSeed<'de> for SliceOfNode<'_> {
    type Value = EndpointSlice;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<EndpointSlice, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for SliceOfNode<'_> {
    type Value = EndpointSlice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an EndpointSlice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EndpointSlice, A::Error> {
        let node = self.0;
        let mut meta: Option<Metadata> = None;
        let (mut address_type, mut ports) = (Box::default(), Box::default());
        let mut kept = Kept::default();
        while let Some(field) = map.next_key::<Box<str>>()? {
            match &*field {
                "metadata" => meta = Some(map.next_value()?),
                "addressType" => address_type = map.next_value()?,
                "ports" => ports = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "endpoints" => {
                    // The API server writes metadata first; should somebody not, the Pod
                    // references are kept until it is known.
                    let managed = meta.as_ref().is_some_and(is_managed);
                    kept = map.next_value_seed(KeptEndpoints { node, managed })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let meta = meta.ok_or_else(|| serde::de::Error::missing_field("metadata"))?;
        let Kept { mut endpoints, mut dropped } = kept;
        if is_managed(&meta) {
            let before = endpoints.len();
            endpoints.retain(|endpoint| endpoint.matters(node, true));
            dropped += before - endpoints.len();
        }
        Ok(EndpointSlice { meta, address_type, ports, endpoints: endpoints.into(), dropped })
    }
}

#[derive(Default)]
struct Kept {
    endpoints: Vec<Endpoint>,
    dropped: usize,
}

struct KeptEndpoints<'a> {
    node: Option<&'a str>,
    managed: bool,
}

impl<'de> DeserializeSeed<'de> for KeptEndpoints<'_> {
    type Value = Kept;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Kept, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeptEndpoints<'_> {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of endpoints")
    }

    fn visit_unit<E>(self) -> Result<Kept, E> {
        Ok(Kept::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kept, A::Error> {
        let mut kept = Kept::default();
        while let Some(endpoint) = seq.next_element::<Endpoint>()? {
            if endpoint.matters(self.node, self.managed) {
                kept.endpoints.push(endpoint);
            } else {
                kept.dropped += 1;
            }
        }
        Ok(kept)
    }
}

fn is_managed(meta: &Metadata) -> bool {
    meta.labels.get(MANAGED_BY) == Some(ENDPOINTSLICE_CONTROLLER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(json: &str) -> EndpointSlice {
        SliceOfNode(Some("a")).deserialize(&mut serde_json::Deserializer::from_str(json)).unwrap()
    }

    fn names(slice: &EndpointSlice) -> Vec<&str> {
        slice.endpoints.iter().map(|endpoint| &*endpoint.addresses[0]).collect()
    }

    const ENDPOINTS: &str = r#""endpoints":[
        {"addresses":["own"],"nodeName":"a"},
        {"addresses":["other"],"nodeName":"b"},
        {"addresses":["none"],"nodeName":""},
        {"addresses":["own-node-ref"],"targetRef":{"kind":"Node","name":"a"}},
        {"addresses":["other-node-ref"],"targetRef":{"kind":"Node","name":"b"}},
        {"addresses":["pod-no-node"],"targetRef":{"kind":"Pod","name":"p","namespace":"n"}},
        {"addresses":["pod-elsewhere"],"nodeName":"b","targetRef":{"kind":"Pod","name":"p","namespace":"n"}}]"#;

    #[test]
    fn keeps_what_can_matter_to_the_node() {
        let foreign = decode(&format!(r#"{{"metadata":{{"name":"s"}},{ENDPOINTS}}}"#));
        assert_eq!(
            names(&foreign),
            ["own", "none", "own-node-ref", "pod-no-node", "pod-elsewhere"]
        );
        assert_eq!(foreign.dropped, 2);

        let labels = format!(r#""labels":{{"{MANAGED_BY}":"{ENDPOINTSLICE_CONTROLLER}"}}"#);
        for json in [
            format!(r#"{{"metadata":{{"name":"s",{labels}}},{ENDPOINTS}}}"#),
            format!(r#"{{{ENDPOINTS},"metadata":{{"name":"s",{labels}}}}}"#),
        ] {
            let managed = decode(&json);
            assert_eq!(names(&managed), ["own", "none", "own-node-ref", "pod-no-node"], "{json}");
            assert_eq!(managed.dropped, 3, "{json}");
        }
    }

    #[test]
    fn null_is_no_list() {
        let slice = decode(r#"{"metadata":{"name":"s"},"endpoints":null,"ports":null}"#);
        assert!(slice.endpoints.is_empty() && slice.ports.is_empty());
    }
}
