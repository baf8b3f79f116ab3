//! The derived slices of one namespace.

use super::controller::Controller;
use super::endpoint::endpoint_of;
use super::families::{Family, addresses_of, families_of};
use super::kubelet::{is_kubelet, kubelet_slice};
use super::labels::labels_of_slices;
use super::pairs::{Candidates, is_handled};
use super::ports::ports_of;
use crate::index::{ForeignSlices, KubeletAddress};
use crate::objects::{
    Endpoint, EndpointSlice, Metadata, Node, ObjectKey, Pod, Service, SlicePort, StringMap,
};
use std::sync::Arc;

/// What endpoints depend on beside Services and Pods.
#[derive(Clone, Debug, Default)]
pub(in crate::index) struct Around {
    /// Whose rules.
    pub(in crate::index) controller: Controller,
    /// The own Node, as far as it is known.
    pub(in crate::index) node: Option<Arc<Node>>,
    /// Whether the own Node was deleted. One that is merely not known is there: Pods run on it.
    pub(in crate::index) node_deleted: bool,
    /// Which of the Node's addresses is the kubelet's.
    pub(in crate::index) kubelet_address: KubeletAddress,
    /// Which slices of others count (see `seen`).
    pub(in crate::index) foreign_slices: ForeignSlices,
}

/// The slices of these Services, as far as they follow from these Pods of the same namespace, in
/// the order of the Services. Those of a Service have one address family and one list of ports each.
pub(super) fn slices_of<'a>(
    services: impl Iterator<Item = &'a Service>,
    pods: impl Iterator<Item = &'a Pod>,
    around: &Around,
) -> Box<[EndpointSlice]> {
    let candidates = Candidates::among(pods);
    let mut slices = Vec::new();
    for service in services {
        if is_handled(service) {
            add_slices_of(service, &candidates, around, &mut slices);
        } else if is_kubelet(service)
            && let Some(node) = &around.node
        {
            slices.extend(kubelet_slice(service, node, around.kubelet_address));
        }
    }
    slices.into()
}

fn add_slices_of(
    service: &Service,
    candidates: &Candidates<'_>,
    around: &Around,
    slices: &mut Vec<EndpointSlice>,
) {
    // The controller leaves Pods of Nodes that it does not know for later.
    if around.node_deleted && !service.publish_not_ready {
        return;
    }
    let pods = candidates.selected_by(&service.selector);
    if pods.is_empty() {
        return;
    }
    let labels = labels_of_slices(service);
    for family in families_of(service) {
        for (ports, endpoints) in by_ports(service, family, &pods, around) {
            slices.push(slice(service, &labels, family, ports, endpoints));
        }
    }
}

type Group = (Box<[SlicePort]>, Vec<Endpoint>);

/// The endpoints of one family. Pods that have the ports at different numbers are in different
/// slices.
fn by_ports(service: &Service, family: Family, pods: &[&Pod], around: &Around) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for pod in pods {
        let addresses = addresses_of(pod, family, around.controller);
        let ports = ports_of(service, pod, around.controller);
        if addresses.is_empty() || ports.is_empty() {
            continue;
        }
        let endpoint = endpoint_of(service, pod, around.node.as_deref(), addresses);
        match groups.iter_mut().find(|(of_group, _)| *of_group == ports) {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => groups.push((ports, vec![endpoint])),
        }
    }
    groups
}

fn slice(
    service: &Service,
    labels: &StringMap,
    family: Family,
    ports: Box<[SlicePort]>,
    endpoints: Vec<Endpoint>,
) -> EndpointSlice {
    let nameless =
        ObjectKey { namespace: Arc::clone(&service.meta.key.namespace), name: "".into() };
    EndpointSlice {
        meta: Metadata { key: nameless, labels: labels.clone(), ..Metadata::default() },
        address_type: family.name().into(),
        ports,
        endpoints: endpoints.into(),
        dropped: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::{container, node, pod, service, service_port};
    use crate::objects::TargetPort;

    /// `addressType`, numbers of the ports, addresses.
    type Shape = (String, Vec<i32>, Vec<String>);

    fn shapes(services: &[Service], pods: &[Pod], around: &Around) -> Vec<Shape> {
        let slices = slices_of(services.iter(), pods.iter(), around);
        let shape = |slice: &EndpointSlice| {
            let ports = slice.ports.iter().filter_map(|port| port.number).collect();
            let addresses = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
            (slice.address_type.to_string(), ports, addresses.map(ToString::to_string).collect())
        };
        slices.iter().map(shape).collect()
    }

    fn shape(family: &str, ports: &[i32], addresses: &[&str]) -> Shape {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        (family.to_owned(), ports.to_vec(), addresses)
    }

    fn web() -> Service {
        let port = service_port("http", "TCP", TargetPort::Number(80));
        Service { ports: [port].into(), ..service("web").selecting(&[("app", "web")]).0 }
    }

    #[test]
    fn one_slice_for_each_family_and_list_of_ports() {
        let port = service_port("http", "TCP", TargetPort::Name("http".into()));
        let service = Service {
            ports: [port].into(),
            ip_families: ["IPv6".into(), "IPv4".into()].into(),
            ..web()
        };
        let at = |name: &str, ips: &[&str], number: i32| {
            let containers = [container(&[("http", "TCP", number)])].into();
            Pod { containers, ..pod(name).at(ips).0 }
        };
        let pods = [
            at("a", &["10.0.0.1", "fd00::1"], 1),
            at("b", &["10.0.0.2"], 2),
            at("c", &["10.0.0.3", "fd00::3"], 1),
            pod("without-that-port").0,
        ];
        assert_eq!(
            shapes(&[service], &pods, &Around::default()),
            [
                shape("IPv6", &[1], &["fd00::1", "fd00::3"]),
                shape("IPv4", &[1], &["10.0.0.1", "10.0.0.3"]),
                shape("IPv4", &[2], &["10.0.0.2"]),
            ]
        );
    }

    #[test]
    fn pods_on_the_host_stay_two_endpoints() {
        let pods = ["a", "b"].map(|name| Pod { host_network: true, ..pod(name).0 });
        let slices = shapes(&[web()], &pods, &Around::default());
        assert_eq!(slices, [shape("IPv4", &[80], &["10.0.0.1", "10.0.0.1"])]);
    }

    #[test]
    fn a_service_without_ports_gives_nothing() {
        let service = Service { ports: Box::default(), ..web() };
        assert_eq!(shapes(&[service], &[pod("p").0], &Around::default()), []);
    }

    #[test]
    fn a_deleted_node_takes_its_endpoints_along_unless_unready_ones_are_published() {
        for (node_deleted, publish_not_ready, expected) in
            [(false, false, 1), (true, false, 0), (false, true, 1), (true, true, 1)]
        {
            let around = Around { node_deleted, ..Around::default() };
            let service = Service { publish_not_ready, ..web() };
            let slices = shapes(&[service], &[pod("p").0], &around);
            assert_eq!(slices.len(), expected, "{node_deleted} {publish_not_ready}");
        }
    }

    #[test]
    fn the_kubelet_service_needs_the_node_and_no_pods() {
        let labels =
            [("k8s-app", "kubelet"), ("app.kubernetes.io/managed-by", "prometheus-operator")];
        let port = service_port("https-metrics", "TCP", TargetPort::Number(10250));
        let kubelet = Service { ports: [port].into(), ..service("k").labelled(&labels).0 };
        let around = Around {
            node: Some(Arc::new(node(&[("InternalIP", "192.0.2.1")]))),
            ..Around::default()
        };
        let services = [kubelet];
        assert_eq!(shapes(&services, &[], &around), [shape("IPv4", &[80], &["192.0.2.1"])]);
        assert_eq!(shapes(&services, &[], &Around::default()), []);
    }

    #[test]
    fn derived_slices_have_no_name() {
        let slices = slices_of([web()].iter(), [pod("p").0].iter(), &Around::default());
        assert_eq!(slices[0].meta.key, ObjectKey::new("n", ""));
        assert_eq!(slices[0].meta.labels, labels_of_slices(&web()));
    }
}
