//! Endpoints: the older form of EndpointSlices, one object per Service.

use super::located::{Located, TargetRef};
use super::meta::Metadata;
use super::store::{ObjectKey, Stored};
use super::wire::null_as_default;
use serde::Deserialize;

/// The label that says who writes Endpoints. Set since Kubernetes 1.33; an older controller does not sign
/// what it writes.
pub const ENDPOINTS_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";

/// Who writes the Endpoints of Services with a selector.
pub const ENDPOINTS_CONTROLLER: &str = "endpoint-controller";

/// Endpoints; once [cut down](Self::of_node), with the addresses that can matter to one node.
///
/// There is no seed that drops the others one by one, as for EndpointSlices: the controller
/// writes 1,000 addresses at most, and they are gone before the next object is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Endpoints {
    /// Metadata. The Service has the same name.
    #[serde(rename = "metadata")]
    pub meta: Metadata,
    /// Addresses that have the same ports.
    #[serde(default, deserialize_with = "null_as_default")]
    pub subsets: Box<[EndpointSubset]>,
    /// How many addresses were dropped because they belong to other nodes.
    #[serde(skip)]
    pub dropped: usize,
}

/// Addresses, each with all of the ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointSubset {
    /// Of Pods that are ready.
    #[serde(deserialize_with = "null_as_default")]
    pub addresses: Box<[EndpointAddress]>,
    /// Of Pods that are not.
    #[serde(deserialize_with = "null_as_default")]
    pub not_ready_addresses: Box<[EndpointAddress]>,
    /// Always whole: which container ports they cover depends on all of them.
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Box<[EndpointPort]>,
}

/// An address of a subset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointAddress {
    /// `ip`.
    #[serde(deserialize_with = "null_as_default")]
    pub ip: Box<str>,
    /// `hostname`; empty if missing.
    #[serde(deserialize_with = "null_as_default")]
    pub hostname: Box<str>,
    /// `nodeName`. A missing one is not an empty one: only then an attached Node may be that of
    /// the reference.
    pub node_name: Option<Box<str>>,
    /// `targetRef`.
    pub target_ref: Option<TargetRef>,
}

/// A port of a subset. `appProtocol` is left out: role endpoints does not show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EndpointPort {
    /// `name`; empty if missing.
    #[serde(deserialize_with = "null_as_default")]
    pub name: Box<str>,
    /// `port`.
    #[serde(rename = "port")]
    pub number: i32,
    /// `protocol`.
    #[serde(deserialize_with = "null_as_default")]
    pub protocol: Box<str>,
}

// === impl Endpoints ===

impl Endpoints {
    /// Without what cannot matter to that node; a subset of which nothing is left goes with its
    /// ports. Of Endpoints that the controller did not sign, all addresses with a Pod reference
    /// are kept, whatever their `nodeName` (see [`Located::matters`]).
    #[must_use]
    pub fn of_node(mut self, node: Option<&str>) -> Self {
        let managed = self.meta.labels.get(ENDPOINTS_MANAGED_BY) == Some(ENDPOINTS_CONTROLLER);
        let mut dropped = 0;
        let mut cut = |addresses: &mut Box<[EndpointAddress]>| {
            let mut kept = std::mem::take(addresses).into_vec();
            let before = kept.len();
            kept.retain(|address| address.matters(node, managed));
            dropped += before - kept.len();
            *addresses = kept.into();
        };
        for subset in &mut self.subsets {
            cut(&mut subset.addresses);
            cut(&mut subset.not_ready_addresses);
        }
        self.dropped += dropped;
        let mut subsets = self.subsets.into_vec();
        subsets.retain(|subset| subset.all_addresses().next().is_some());
        Self { subsets: subsets.into(), ..self }
    }
}

impl Stored for Endpoints {
    fn key(&self) -> &ObjectKey {
        &self.meta.key
    }
}

// === impl EndpointSubset ===

impl EndpointSubset {
    /// All addresses, each with whether it is ready: first those that are.
    pub fn all_addresses(&self) -> impl Iterator<Item = (&EndpointAddress, bool)> {
        let ready = self.addresses.iter().map(|address| (address, true));
        ready.chain(self.not_ready_addresses.iter().map(|address| (address, false)))
    }
}

// === impl EndpointAddress ===

impl Located for EndpointAddress {
    fn node_name(&self) -> Option<&str> {
        self.node_name.as_deref()
    }

    fn target_ref(&self) -> Option<&TargetRef> {
        self.target_ref.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(json: &str) -> Endpoints {
        serde_json::from_str::<Endpoints>(json).unwrap().of_node(Some("a"))
    }

    fn shown(endpoints: &Endpoints) -> Vec<(&str, bool)> {
        let subsets = endpoints.subsets.iter();
        subsets
            .flat_map(EndpointSubset::all_addresses)
            .map(|(address, ready)| (&*address.ip, ready))
            .collect()
    }

    const SUBSETS: &str = r#""subsets":[
        {"addresses":[
            {"ip":"own","nodeName":"a"},
            {"ip":"other","nodeName":"b"},
            {"ip":"none"},
            {"ip":"pod-elsewhere","nodeName":"b","targetRef":{"kind":"Pod","name":"p","namespace":"n"}}],
         "notReadyAddresses":[
            {"ip":"own-node-ref","targetRef":{"kind":"Node","name":"a"}},
            {"ip":"other-node-ref","targetRef":{"kind":"Node","name":"b"}}],
         "ports":[{"name":"http","port":80,"protocol":"TCP"}]},
        {"addresses":[{"ip":"other","nodeName":"b"}],"ports":[{"port":81}]}]"#;

    #[test]
    fn keeps_what_can_matter_to_the_node() {
        let foreign = decode(&format!(r#"{{"metadata":{{"name":"s"}},{SUBSETS}}}"#));
        let kept =
            [("own", true), ("none", true), ("pod-elsewhere", true), ("own-node-ref", false)];
        assert_eq!(shown(&foreign), kept);
        assert_eq!((foreign.dropped, foreign.subsets.len()), (3, 1));

        let labels = format!(r#""labels":{{"{ENDPOINTS_MANAGED_BY}":"{ENDPOINTS_CONTROLLER}"}}"#);
        let managed = decode(&format!(r#"{{"metadata":{{"name":"s",{labels}}},{SUBSETS}}}"#));
        assert_eq!(shown(&managed), [("own", true), ("none", true), ("own-node-ref", false)]);
        assert_eq!(managed.dropped, 4);
    }

    #[test]
    fn null_is_no_list() {
        for subsets in ["null", r#"[{"addresses":null,"notReadyAddresses":null,"ports":null}]"#] {
            let json = format!(r#"{{"metadata":{{"name":"s"}},"subsets":{subsets}}}"#);
            assert!(decode(&json).subsets.is_empty(), "{subsets}");
        }
        assert!(decode(r#"{"metadata":{"name":"s"}}"#).subsets.is_empty());
    }
}
