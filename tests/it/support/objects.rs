//! Small builders of objects: `pod("web-1").on("n1").ip("10.0.0.1").container("app").port("http", 8080)`.
//!
//! They build the real types, in namespace `default` unless told otherwise. Ports go to the
//! container, slice or subset that they follow.

use nodelocal_sd::objects::{
    Container, ContainerPort, Endpoint, EndpointAddress, EndpointPort, EndpointSlice,
    EndpointSubset, Endpoints, Metadata, Namespace, Node, NodeAddress, NodeCondition, ObjectKey,
    Owner, Pod, SERVICE_NAME, Service, SlicePort, StringMap, TargetRef,
};

pub(crate) fn pod(name: &str) -> Pod {
    Pod { meta: namespaced(name), ..Pod::default() }
}

pub(crate) fn slice(name: &str) -> EndpointSlice {
    EndpointSlice {
        meta: namespaced(name),
        address_type: "IPv4".into(),
        ..EndpointSlice::default()
    }
}

pub(crate) fn endpoint(address: &str) -> Endpoint {
    Endpoint { addresses: [address.into()].into(), ..Endpoint::default() }
}

pub(crate) fn endpoints(name: &str) -> Endpoints {
    Endpoints { meta: namespaced(name), ..Endpoints::default() }
}

pub(crate) fn subset() -> EndpointSubset {
    EndpointSubset::default()
}

pub(crate) fn address(ip: &str) -> EndpointAddress {
    EndpointAddress { ip: ip.into(), ..EndpointAddress::default() }
}

pub(crate) fn service(name: &str) -> Service {
    Service { meta: namespaced(name), ..Service::default() }
}

pub(crate) fn node(name: &str) -> Node {
    Node { meta: cluster_scoped(name), ..Node::default() }
}

pub(crate) fn namespace(name: &str) -> Namespace {
    Namespace { meta: cluster_scoped(name) }
}

pub(crate) fn owner(kind: &str, name: &str) -> Owner {
    Owner { kind: kind.into(), name: name.into(), uid: format!("uid-{name}").into() }
}

fn namespaced(name: &str) -> Metadata {
    Metadata { key: ObjectKey::new("default", name), ..Metadata::default() }
}

fn cluster_scoped(name: &str) -> Metadata {
    Metadata { key: ObjectKey::new("", name), ..Metadata::default() }
}

/// What every kind has.
pub(crate) trait WithMetadata: Sized {
    fn meta_mut(&mut self) -> &mut Metadata;

    fn in_namespace(mut self, namespace: &str) -> Self {
        let name = self.meta_mut().key.name.clone();
        self.meta_mut().key = ObjectKey::new(namespace, &name);
        self
    }

    fn uid(mut self, uid: &str) -> Self {
        self.meta_mut().uid = uid.into();
        self
    }

    fn label(mut self, key: &str, value: &str) -> Self {
        let meta = self.meta_mut();
        meta.labels = with_pair(&meta.labels, key, value);
        self
    }

    fn annotation(mut self, key: &str, value: &str) -> Self {
        let meta = self.meta_mut();
        meta.annotations = with_pair(&meta.annotations, key, value);
        self
    }

    fn controlled_by(mut self, kind: &str, name: &str) -> Self {
        self.meta_mut().controller = Some(owner(kind, name));
        self
    }
}

fn with_pair(map: &StringMap, key: &str, value: &str) -> StringMap {
    map.iter().chain([(key, value)]).collect()
}

macro_rules! with_metadata {
    ($($kind:ident),*) => {$(
        impl WithMetadata for $kind {
            fn meta_mut(&mut self) -> &mut Metadata {
                &mut self.meta
            }
        }
    )*};
}

with_metadata!(Pod, EndpointSlice, Endpoints, Service, Node, Namespace);

/// Pods.
pub(crate) trait PodBuilder {
    fn on(self, node: &str) -> Self;
    fn ip(self, ip: &str) -> Self;
    fn phase(self, phase: &str) -> Self;
    fn ready(self, status: &str) -> Self;
    fn container(self, name: &str) -> Self;
    fn init_container(self, name: &str) -> Self;
    fn id(self, id: &str) -> Self;
    fn port(self, name: &str, number: i32) -> Self;
    fn udp_port(self, name: &str, number: i32) -> Self;
}

impl PodBuilder for Pod {
    fn on(mut self, node: &str) -> Self {
        self.node_name = node.into();
        self
    }

    fn ip(mut self, ip: &str) -> Self {
        self.ip = ip.into();
        self
    }

    fn phase(mut self, phase: &str) -> Self {
        self.phase = phase.into();
        self
    }

    fn ready(mut self, status: &str) -> Self {
        self.ready = Some(status.into());
        self
    }

    fn container(mut self, name: &str) -> Self {
        push(&mut self.containers, container(name));
        self
    }

    fn init_container(mut self, name: &str) -> Self {
        push(&mut self.init_containers, container(name));
        self
    }

    fn id(mut self, id: &str) -> Self {
        last_container(&mut self).id = id.into();
        self
    }

    fn port(self, name: &str, number: i32) -> Self {
        with_port(self, name, number, "TCP")
    }

    fn udp_port(self, name: &str, number: i32) -> Self {
        with_port(self, name, number, "UDP")
    }
}

fn container(name: &str) -> Container {
    Container { name: name.into(), image: format!("{name}:latest").into(), ..Container::default() }
}

fn with_port(mut pod: Pod, name: &str, number: i32, protocol: &str) -> Pod {
    let port = ContainerPort { name: name.into(), number, protocol: protocol.into() };
    push(&mut last_container(&mut pod).ports, port);
    pod
}

/// Init containers are to be added after the regular ones.
fn last_container(pod: &mut Pod) -> &mut Container {
    let last = pod.init_containers.last_mut();
    last.or(pod.containers.last_mut()).expect("a container comes before its ports")
}

/// EndpointSlices.
pub(crate) trait SliceBuilder {
    fn of_service(self, name: &str) -> Self;
    fn family(self, address_type: &str) -> Self;
    fn port(self, name: &str, number: i32) -> Self;
    fn endpoint(self, endpoint: Endpoint) -> Self;
}

impl SliceBuilder for EndpointSlice {
    fn of_service(self, name: &str) -> Self {
        self.label(SERVICE_NAME, name)
    }

    fn family(mut self, address_type: &str) -> Self {
        self.address_type = address_type.into();
        self
    }

    fn port(mut self, name: &str, number: i32) -> Self {
        let port = SlicePort {
            name: Some(name.into()),
            protocol: Some("TCP".into()),
            number: Some(number),
            app_protocol: None,
        };
        push(&mut self.ports, port);
        self
    }

    fn endpoint(mut self, endpoint: Endpoint) -> Self {
        push(&mut self.endpoints, endpoint);
        self
    }
}

/// Endpoints, of subsets.
pub(crate) trait EndpointsBuilder {
    fn subset(self, subset: EndpointSubset) -> Self;
}

impl EndpointsBuilder for Endpoints {
    fn subset(mut self, subset: EndpointSubset) -> Self {
        push(&mut self.subsets, subset);
        self
    }
}

/// Subsets.
pub(crate) trait SubsetBuilder {
    fn port(self, name: &str, number: i32) -> Self;
    fn ready(self, address: EndpointAddress) -> Self;
    fn not_ready(self, address: EndpointAddress) -> Self;
}

impl SubsetBuilder for EndpointSubset {
    fn port(mut self, name: &str, number: i32) -> Self {
        push(&mut self.ports, EndpointPort { name: name.into(), number, protocol: "TCP".into() });
        self
    }

    fn ready(mut self, address: EndpointAddress) -> Self {
        push(&mut self.addresses, address);
        self
    }

    fn not_ready(mut self, address: EndpointAddress) -> Self {
        push(&mut self.not_ready_addresses, address);
        self
    }
}

/// Endpoints of slices, and addresses of subsets.
pub(crate) trait EndpointBuilder {
    fn on(self, node: &str) -> Self;
    fn refers_to(self, kind: &str, namespace: &str, name: &str) -> Self;
}

macro_rules! endpoint_builder {
    ($($kind:ident),*) => {$(
        impl EndpointBuilder for $kind {
            fn on(mut self, node: &str) -> Self {
                self.node_name = Some(node.into());
                self
            }

            fn refers_to(mut self, kind: &str, namespace: &str, name: &str) -> Self {
                let (kind, namespace, name) = (kind.into(), namespace.into(), name.into());
                self.target_ref = Some(TargetRef { kind, namespace, name });
                self
            }
        }
    )*};
}

endpoint_builder!(Endpoint, EndpointAddress);

/// Services.
pub(crate) trait ServiceBuilder {
    fn families(self, policy: &str, families: &[&str]) -> Self;
}

impl ServiceBuilder for Service {
    fn families(mut self, policy: &str, families: &[&str]) -> Self {
        self.ip_family_policy = policy.into();
        self.ip_families = families.iter().map(|family| (*family).into()).collect();
        self
    }
}

/// Nodes.
pub(crate) trait NodeBuilder {
    fn address(self, kind: &str, address: &str) -> Self;
    fn condition(self, kind: &str, status: &str) -> Self;
}

impl NodeBuilder for Node {
    fn address(mut self, kind: &str, address: &str) -> Self {
        let address = NodeAddress { kind: kind.into(), address: address.into() };
        push(&mut self.addresses, address);
        self
    }

    fn condition(mut self, kind: &str, status: &str) -> Self {
        let condition = NodeCondition { kind: kind.into(), status: status.into() };
        push(&mut self.conditions, condition);
        self
    }
}

fn push<T>(list: &mut Box<[T]>, item: T) {
    let mut longer = std::mem::take(list).into_vec();
    longer.push(item);
    *list = longer.into();
}
