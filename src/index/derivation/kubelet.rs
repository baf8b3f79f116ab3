//! The kubelet Service of prometheus-operator.
//!
//! The operator lists all Nodes and writes one endpoint for each (`pkg/kubelet/controller.go`, with
//! `--kubelet-endpointslice`). The own node's follows from the Service and the own Node; the rest,
//! thousands in a large cluster, need not be read. Where the operator writes Endpoints only, which
//! Kubernetes mirrors into slices, the label `managed-by` of the slices is another one.

use super::families::{Family, parse};
use super::labels::labels_of_kubelet_slices;
use crate::index::KubeletAddress;
use crate::objects::{
    Conditions, Endpoint, EndpointSlice, KUBELET_SERVICE, Metadata, Node, ObjectKey, Service,
    SlicePort, TargetRef,
};

/// Whether that is a Service whose endpoints prometheus-operator writes, one for each Node.
pub(super) fn is_kubelet(service: &Service) -> bool {
    let has = |(key, value)| service.meta.labels.get(key) == Some(value);
    service.selector.is_empty() && KUBELET_SERVICE.into_iter().all(has)
}

/// The slice that the operator would write for that Service if this were the only Node. None if
/// the Node has no address that it would take.
pub(super) fn kubelet_slice(
    service: &Service,
    node: &Node,
    priority: KubeletAddress,
) -> Option<EndpointSlice> {
    let primary = service.ip_families.first().and_then(|name| Family::named(name));
    let (address, family) = address_of(node, primary, priority)?;
    let endpoint = Endpoint {
        addresses: [address.into()].into(),
        conditions: Conditions { ready: Some(true), ..Conditions::default() },
        node_name: Some((*node.meta.key.name).into()),
        target_ref: Some(TargetRef {
            kind: "Node".into(),
            namespace: Box::default(),
            name: (*node.meta.key.name).into(),
        }),
        ..Endpoint::default()
    };
    let port = |number: i32, name: &str, protocol: &str| SlicePort {
        name: Some(name.into()),
        protocol: Some(protocol.into()),
        number: Some(number),
        app_protocol: None,
    };
    Some(EndpointSlice {
        meta: Metadata {
            key: ObjectKey::new(&service.meta.key.namespace, ""),
            labels: labels_of_kubelet_slices(service),
            ..Metadata::default()
        },
        address_type: family.name().into(),
        ports: service.ports.iter().map(|p| port(p.number, &p.name, &p.protocol)).collect(),
        endpoints: [endpoint].into(),
        dropped: 0,
    })
}

/// One address of the Node, though it may have two: of the first type that it has, and of the
/// Service's primary family, so that no kubelet is scraped twice.
fn address_of(
    node: &Node,
    primary: Option<Family>,
    priority: KubeletAddress,
) -> Option<(&str, Family)> {
    let kinds = match priority {
        KubeletAddress::InternalFirst => ["InternalIP", "ExternalIP"],
        KubeletAddress::ExternalFirst => ["ExternalIP", "InternalIP"],
    };
    let of_kind = |kind: &'static str| {
        let addresses = node.addresses.iter().filter(move |address| *address.kind == *kind);
        addresses.filter_map(|a| Some((&*a.address, Family::of(parse(&a.address)?))))
    };
    let all: Vec<(&str, Family)> = kinds.into_iter().flat_map(of_kind).collect();
    let of_primary = all.iter().find(|(_, family)| primary.is_none_or(|p| p == *family));
    of_primary.or(all.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::{node, service, service_port};
    use crate::objects::{NodeAddress, ServicePort, TargetPort};

    const LABELS: [(&str, &str); 2] =
        [("k8s-app", "kubelet"), ("app.kubernetes.io/managed-by", "prometheus-operator")];

    #[test]
    fn found_by_its_labels() {
        for (builder, expected) in [
            (service("s").labelled(&LABELS), true),
            (service("s").labelled(&LABELS[..1]), false),
            (service("s").labelled(&LABELS[1..]), false),
            (service("s").labelled(&LABELS).selecting(&[("app", "web")]), false),
        ] {
            assert_eq!(is_kubelet(&builder.0), expected, "{:?}", builder.0);
        }
    }

    #[test]
    fn whole() {
        let ports = [ServicePort {
            number: 10250,
            ..service_port("https-metrics", "TCP", TargetPort::Number(10250))
        }];
        let service = Service { ports: ports.into(), ..service("kubelet").labelled(&LABELS).0 };
        let node = node(&[("InternalIP", "192.0.2.1")]);
        let slice = kubelet_slice(&service, &node, KubeletAddress::InternalFirst);
        let expected = EndpointSlice {
            meta: Metadata {
                key: ObjectKey::new("n", ""),
                labels: labels_of_kubelet_slices(&service),
                ..Metadata::default()
            },
            address_type: "IPv4".into(),
            ports: [SlicePort {
                name: Some("https-metrics".into()),
                protocol: Some("TCP".into()),
                number: Some(10250),
                app_protocol: None,
            }]
            .into(),
            endpoints: [Endpoint {
                addresses: ["192.0.2.1".into()].into(),
                conditions: Conditions { ready: Some(true), ..Conditions::default() },
                node_name: Some("a".into()),
                target_ref: Some(TargetRef {
                    kind: "Node".into(),
                    namespace: "".into(),
                    name: "a".into(),
                }),
                ..Endpoint::default()
            }]
            .into(),
            dropped: 0,
        };
        assert_eq!(slice, Some(expected));
    }

    #[test]
    fn one_address() {
        use KubeletAddress::{ExternalFirst, InternalFirst};
        let (internal, internal6) = (("InternalIP", "10.0.0.1"), ("InternalIP", "fd00::1"));
        let (external, external6) = (("ExternalIP", "192.0.2.1"), ("ExternalIP", "2001:db8::1"));
        let cases: [(&[_], _, _, _); 9] = [
            (&[external, internal], None, InternalFirst, Some("10.0.0.1")),
            (&[internal, external], None, ExternalFirst, Some("192.0.2.1")),
            (&[external], None, InternalFirst, Some("192.0.2.1")),
            (&[internal6, internal], Some(Family::V4), InternalFirst, Some("10.0.0.1")),
            (&[internal, internal6], Some(Family::V6), InternalFirst, Some("fd00::1")),
            (&[internal, external6], Some(Family::V6), InternalFirst, Some("2001:db8::1")),
            (&[internal6], Some(Family::V4), InternalFirst, Some("fd00::1")),
            (&[("Hostname", "10.0.0.9")], None, InternalFirst, None),
            (&[("InternalIP", "nonsense")], None, InternalFirst, None),
        ];
        for (addresses, primary, priority, expected) in cases {
            let node = node(addresses);
            let address = address_of(&node, primary, priority).map(|(address, _)| address);
            assert_eq!(address, expected, "{addresses:?} {primary:?} {priority:?}");
        }
        let empty = Node { addresses: Box::<[NodeAddress]>::default(), ..node(&[]) };
        assert_eq!(address_of(&empty, None, InternalFirst), None);
    }
}
