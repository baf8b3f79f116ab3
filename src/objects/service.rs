//! Services.

use super::StringMap;
use super::interned::interned;
use super::meta::Metadata;
use super::store::{ObjectKey, Stored};
use super::wire::null_as_default;
use serde::Deserialize;
use std::sync::Arc;

/// What prometheus-operator labels the Service with whose endpoints it writes, one for each Node (`pkg/kubelet/controller.go`).
/// It has no selector.
pub const KUBELET_SERVICE: [(&str, &str); 2] =
    [("app.kubernetes.io/managed-by", "prometheus-operator"), ("k8s-app", "kubelet")];

/// A Service, with the fields that its endpoints, and the targets of these, need. There are as many
/// as the cluster has, so text that other Services have too is shared with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "ServiceWire")]
pub struct Service {
    /// Metadata, without uid and controller: no label shows those of a Service.
    pub meta: Metadata,
    /// `spec.type`.
    pub kind: Arc<str>,
    /// `spec.clusterIP`: an address, `None`, or empty.
    pub cluster_ip: Box<str>,
    /// `spec.ipFamilyPolicy`: `SingleStack`, `PreferDualStack`, `RequireDualStack`.
    pub ip_family_policy: Arc<str>,
    /// `spec.ipFamilies`: `IPv4`, `IPv6`; the first is the primary one.
    pub ip_families: Box<[Arc<str>]>,
    /// `spec.selector`. The API server stores an empty one as none.
    pub selector: StringMap,
    /// `spec.ports`.
    pub ports: Box<[ServicePort]>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// `name`; empty for an only port without one.
    pub name: Arc<str>,
    /// `port`.
    pub number: i32,
    /// `protocol`: `TCP`, `UDP` or `SCTP`.
    pub protocol: Arc<str>,
    /// `appProtocol`.
    pub app_protocol: Option<Arc<str>>,
    /// `targetPort`.
    pub target: TargetPort,
}

/// Which port of a Pod a Service's port means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// The one of that number, whether or not a container declares it.
    Number(i32),
    /// The one that a container declares under that name.
    Name(Arc<str>),
}

/// A Service as it is sent, in JSON or as protobuf.
#[derive(Deserialize)]
pub(super) struct ServiceWire {
    pub(super) metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) spec: SpecWire,
}

// camelCase would look for `clusterIp`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SpecWire {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub(super) kind: Box<str>,
    #[serde(rename = "clusterIP", deserialize_with = "null_as_default")]
    pub(super) cluster_ip: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) ip_family_policy: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) ip_families: Vec<Box<str>>,
    pub(super) selector: StringMap,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) ports: Vec<PortWire>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) publish_not_ready_addresses: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PortWire {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) port: i32,
    pub(super) protocol: Option<Box<str>>,
    pub(super) app_protocol: Option<Box<str>>,
    pub(super) target_port: Option<NumberOrName>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrName {
    Number(i32),
    Name(Box<str>),
}

// === impl Service ===

impl Service {
    /// Whether it has no address of its own.
    pub fn is_headless(&self) -> bool {
        matches!(&*self.cluster_ip, "" | "None")
    }
}

impl Stored for Service {
    fn key(&self) -> &ObjectKey {
        &self.meta.key
    }
}

impl From<ServiceWire> for Service {
    fn from(ServiceWire { metadata, spec }: ServiceWire) -> Self {
        Self {
            meta: Metadata { uid: Box::default(), controller: None, ..metadata },
            kind: interned(&spec.kind),
            cluster_ip: spec.cluster_ip,
            ip_family_policy: interned(&spec.ip_family_policy),
            ip_families: spec.ip_families.iter().map(|family| interned(family)).collect(),
            selector: spec.selector,
            ports: spec.ports.into_iter().map(ServicePort::from).collect(),
            publish_not_ready: spec.publish_not_ready_addresses,
        }
    }
}

// === impl ServicePort ===

impl From<PortWire> for ServicePort {
    /// With the defaults that the API server fills in.
    fn from(port: PortWire) -> Self {
        Self {
            name: interned(&port.name),
            number: port.port,
            protocol: interned(port.protocol.as_deref().unwrap_or("TCP")),
            app_protocol: port.app_protocol.map(|protocol| interned(&protocol)),
            target: match port.target_port {
                None | Some(NumberOrName::Number(0)) => TargetPort::Number(port.port),
                Some(NumberOrName::Name(name)) if name.is_empty() => TargetPort::Number(port.port),
                Some(NumberOrName::Number(number)) => TargetPort::Number(number),
                Some(NumberOrName::Name(name)) => TargetPort::Name(interned(&name)),
            },
        }
    }
}

// === impl TargetPort ===

impl Default for TargetPort {
    fn default() -> Self {
        Self::Number(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_as_the_api_server_fills_them_in() {
        let service: Service = serde_json::from_str(
            r#"{"metadata":{"name":"s","namespace":"n"},"spec":{"selector":null,"ports":[
                {"port":80},
                {"name":"a","port":81,"protocol":"UDP","targetPort":0,"appProtocol":"x"},
                {"name":"b","port":82,"targetPort":8082},
                {"name":"c","port":83,"targetPort":"http"},
                {"name":"d","port":84,"targetPort":""}]}}"#,
        )
        .unwrap();
        let port = |name: &str, number, target| ServicePort {
            name: name.into(),
            number,
            protocol: "TCP".into(),
            app_protocol: None,
            target,
        };
        assert_eq!(
            *service.ports,
            [
                port("", 80, TargetPort::Number(80)),
                ServicePort {
                    protocol: "UDP".into(),
                    app_protocol: Some("x".into()),
                    ..port("a", 81, TargetPort::Number(81))
                },
                port("b", 82, TargetPort::Number(8082)),
                port("c", 83, TargetPort::Name("http".into())),
                port("d", 84, TargetPort::Number(84)),
            ]
        );
        assert!(service.selector.is_empty() && service.is_headless());
    }
}
