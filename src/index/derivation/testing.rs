//! Small builders for the tests of the rules.

use crate::objects::{
    Container, ContainerPort, Metadata, Node, NodeAddress, ObjectKey, Pod, Service, ServicePort,
    StringMap, TargetPort,
};

/// An object in the making.
pub(super) struct Builder<T>(pub(super) T);

/// A Pod of node `a`, labelled `app=web`, at 10.0.0.1, in namespace `n`.
pub(super) fn pod(name: &str) -> Builder<Pod> {
    let pod = Pod {
        meta: metadata(name),
        node_name: "a".into(),
        phase: "Running".into(),
        ..Pod::default()
    };
    Builder(pod).labelled(&[("app", "web")]).at(&["10.0.0.1"])
}

/// A Service with an IPv4 address, without a selector or ports, in namespace `n`.
pub(super) fn service(name: &str) -> Builder<Service> {
    Builder(Service {
        meta: metadata(name),
        kind: "ClusterIP".into(),
        cluster_ip: "10.96.0.1".into(),
        ip_families: ["IPv4".into()].into(),
        ..Service::default()
    })
}

/// The node `a` with these addresses: type, address.
pub(super) fn node(addresses: &[(&str, &str)]) -> Node {
    let meta = Metadata { key: ObjectKey::new("", "a"), ..Metadata::default() };
    let address = |(kind, address): &(&str, &str)| NodeAddress {
        kind: (*kind).into(),
        address: (*address).into(),
    };
    Node { meta, addresses: addresses.iter().map(address).collect(), ..Node::default() }
}

/// A container with these ports: name, protocol, number.
pub(super) fn container(ports: &[(&str, &str, i32)]) -> Container {
    let port = |(name, protocol, number): &(&str, &str, i32)| ContainerPort {
        name: (*name).into(),
        number: *number,
        protocol: (*protocol).into(),
    };
    Container { ports: ports.iter().map(port).collect(), ..Container::default() }
}

/// Port 80 of a Service.
pub(super) fn service_port(name: &str, protocol: &str, target: TargetPort) -> ServicePort {
    ServicePort {
        name: name.into(),
        number: 80,
        protocol: protocol.into(),
        app_protocol: None,
        target,
    }
}

fn metadata(name: &str) -> Metadata {
    Metadata { key: ObjectKey::new("n", name), ..Metadata::default() }
}

// === impl Builder ===

impl Builder<Pod> {
    pub(super) fn labelled(mut self, labels: &[(&str, &str)]) -> Self {
        self.0.meta.labels = labels.iter().copied().collect();
        self
    }

    pub(super) fn at(mut self, ips: &[&str]) -> Self {
        self.0.ips = ips.iter().map(|ip| (*ip).into()).collect();
        self.0.ip = ips.first().copied().unwrap_or_default().into();
        self
    }
}

impl Builder<Service> {
    pub(super) fn labelled(mut self, labels: &[(&str, &str)]) -> Self {
        self.0.meta.labels = labels.iter().copied().collect();
        self
    }

    pub(super) fn selecting(mut self, selector: &[(&str, &str)]) -> Self {
        self.0.selector = selector.iter().copied().collect::<StringMap>();
        self
    }

    pub(super) fn of_kind(mut self, kind: &str) -> Self {
        self.0.kind = kind.into();
        self
    }

    pub(super) fn in_namespace(mut self, namespace: &str) -> Self {
        self.0.meta.key = ObjectKey::new(namespace, &self.0.meta.key.name);
        self
    }
}
