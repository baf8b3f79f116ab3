//! Endpoints, the older form of slices: what the endpoints controller would write for this node, and
//! what others wrote, read back from the slices that mirror it.
//!
//! The rules differ from those of slices (`pkg/controller/endpoint/endpoints_controller.go`): a Pod
//! that terminates is none, the Node need not exist, and a Pod has one address, of the Service's primary
//! family. The controller's limit of 1,000 addresses is not kept.

use super::controller::Controller;
use super::endpoint::has_hostname_in;
use super::families::{Family, addresses_of, families_of};
use super::kubelet::is_kubelet;
use super::labels::{OPERATOR, labels_of_endpoints, labels_of_mirrored};
use super::pairs::{Candidates, is_handled};
use super::ports::ports_of;
use crate::objects::{
    EndpointAddress, EndpointPort, EndpointSlice, EndpointSubset, Endpoints, MANAGED_BY, Metadata,
    ObjectKey, Pod, Service, SlicePort, TargetRef,
};
use std::collections::BTreeMap;

/// Who mirrors Endpoints into slices.
pub(super) const MIRRORING: &str = "endpointslicemirroring-controller.k8s.io";

/// The Endpoints of these Services, as far as they follow from these Pods of the same namespace.
pub(super) fn endpoints_of<'a>(
    services: impl Iterator<Item = &'a Service>,
    pods: impl Iterator<Item = &'a Pod>,
    controller: Controller,
) -> Vec<Endpoints> {
    let candidates = Candidates::among(pods);
    let handled = services.filter(|service| is_handled(service));
    handled.filter_map(|service| of_service(service, &candidates, controller)).collect()
}

/// The Endpoints that these slices were made from. Kubernetes copies everything but the annotations with
/// what was last applied and when it changed, up to 1,000 addresses of a subset. The kubelets' are derived, so that what mirrors them is not needed.
pub(super) fn mirrored_by<'a>(
    slices: impl Iterator<Item = &'a EndpointSlice>,
    service: impl Fn(&str) -> Option<&'a Service>,
) -> Vec<Endpoints> {
    let is_mirrored = |slice: &&EndpointSlice| slice.meta.labels.get(MANAGED_BY) == Some(MIRRORING);
    let is_derived =
        |slice: &EndpointSlice| slice.service_name().and_then(&service).is_some_and(is_kubelet);
    of_slices(slices.filter(is_mirrored).filter(|slice| !is_derived(slice)))
}

/// The Endpoints of kubelets, which are among the derived slices. prometheus-operator writes the same
/// labels either way.
pub(super) fn kubelets(derived: &[EndpointSlice]) -> Vec<Endpoints> {
    of_slices(derived.iter().filter(|slice| slice.meta.labels.get(MANAGED_BY) == Some(OPERATOR)))
}

/// One object for each Service, with a subset for each slice.
fn of_slices<'a>(slices: impl Iterator<Item = &'a EndpointSlice>) -> Vec<Endpoints> {
    let mut by_service: BTreeMap<&str, Endpoints> = BTreeMap::new();
    for slice in slices {
        let Some(name) = slice.service_name() else {
            continue;
        };
        let endpoints = by_service.entry(name).or_insert_with(|| Endpoints {
            meta: Metadata {
                key: ObjectKey::new(&slice.meta.key.namespace, name),
                labels: labels_of_mirrored(slice),
                annotations: slice.meta.annotations.clone(),
                ..Metadata::default()
            },
            ..Endpoints::default()
        });
        let mut subsets = std::mem::take(&mut endpoints.subsets).into_vec();
        subsets.push(subset_of(slice));
        endpoints.subsets = subsets.into();
    }
    by_service.into_values().collect()
}

fn subset_of(slice: &EndpointSlice) -> EndpointSubset {
    let mut subset = (Vec::new(), Vec::new());
    for endpoint in &slice.endpoints {
        for ip in &endpoint.addresses {
            let address = EndpointAddress {
                ip: ip.clone(),
                hostname: endpoint.hostname.clone().unwrap_or_default(),
                node_name: endpoint.node_name.clone(),
                target_ref: endpoint.target_ref.clone(),
            };
            // Only this condition is set.
            let ready = endpoint.conditions.ready != Some(false);
            if ready { &mut subset.0 } else { &mut subset.1 }.push(address);
        }
    }
    EndpointSubset {
        addresses: subset.0.into(),
        not_ready_addresses: subset.1.into(),
        ports: slice.ports.iter().filter_map(port).collect(),
    }
}

fn port(port: &SlicePort) -> Option<EndpointPort> {
    Some(EndpointPort {
        name: port.name.clone().unwrap_or_default(),
        number: port.number?,
        protocol: port.protocol.clone().unwrap_or_default(),
    })
}

/// `None` where there is nothing to tell.
fn of_service(
    service: &Service,
    candidates: &Candidates<'_>,
    controller: Controller,
) -> Option<Endpoints> {
    let family = *families_of(service).first()?;
    let mut groups: Vec<(Box<[SlicePort]>, Vec<&Pod>)> = Vec::new();
    for pod in candidates.selected_by(&service.selector) {
        let ports = ports_of(service, pod, controller);
        // Without ports there is no target.
        if ports.is_empty() || pod.deleted && !service.publish_not_ready {
            continue;
        }
        match groups.iter_mut().find(|(of_group, _)| *of_group == ports) {
            Some((_, pods)) => pods.push(pod),
            None => groups.push((ports, vec![pod])),
        }
    }
    let subsets = groups.iter().map(|(ports, pods)| {
        let ready = |pod: &&&Pod| service.publish_not_ready || pod.ready.as_deref() == Some("True");
        let addresses = |of: &mut dyn Iterator<Item = &&Pod>| {
            of.filter_map(|pod| address_of(service, pod, family, controller)).collect()
        };
        EndpointSubset {
            addresses: addresses(&mut pods.iter().filter(ready)),
            not_ready_addresses: addresses(&mut pods.iter().filter(|pod| !ready(pod))),
            ports: ports.iter().filter_map(port).collect(),
        }
    });
    let subsets: Box<[EndpointSubset]> =
        subsets.filter(|subset| subset.all_addresses().next().is_some()).collect();
    (!subsets.is_empty()).then(|| Endpoints {
        meta: Metadata {
            key: service.meta.key.clone(),
            labels: labels_of_endpoints(service, controller),
            ..Metadata::default()
        },
        subsets,
        dropped: 0,
    })
}

fn address_of(
    service: &Service,
    pod: &Pod,
    family: Family,
    controller: Controller,
) -> Option<EndpointAddress> {
    Some(EndpointAddress {
        ip: addresses_of(pod, family, controller).first()?.clone(),
        hostname: if has_hostname_in(service, pod) { pod.hostname.clone() } else { Box::default() },
        node_name: Some((*pod.node_name).into()),
        target_ref: Some(TargetRef {
            kind: "Pod".into(),
            namespace: (*pod.meta.key.namespace).into(),
            name: (*pod.meta.key.name).into(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::{container, pod, service, service_port};
    use crate::objects::{SERVICE_NAME, TargetPort};

    fn web(families: &[&str]) -> Service {
        let port = service_port("http", "TCP", TargetPort::Number(8080));
        Service {
            ports: [port].into(),
            ip_families: families.iter().map(|family| (*family).into()).collect(),
            ..service("web").selecting(&[("app", "web")]).0
        }
    }

    fn derived(service: &Service, pods: &[Pod]) -> Vec<Endpoints> {
        endpoints_of([service].into_iter(), pods.iter(), Controller::default())
    }

    /// Ready ones, and those that are not.
    fn addresses(endpoints: &[Endpoints]) -> [Vec<&str>; 2] {
        let subsets = || endpoints.iter().flat_map(|endpoints| &endpoints.subsets);
        [
            subsets().flat_map(|subset| &subset.addresses).map(|a| &*a.ip).collect(),
            subsets().flat_map(|subset| &subset.not_ready_addresses).map(|a| &*a.ip).collect(),
        ]
    }

    #[test]
    fn which_addresses() {
        let ready = || Pod { ready: Some("True".into()), ..pod("p").0 };
        let both = || Pod { ips: ["10.0.0.1".into(), "fd00::1".into()].into(), ..ready() };
        let ipv6 = || Pod { ips: ["fd00::1".into()].into(), ..ready() };
        let (v4, v6) = (&["IPv4", "IPv6"][..], &["IPv6", "IPv4"][..]);
        type Case<'a> = (&'static str, &'a [&'a str], bool, Pod, [&'a [&'a str]; 2]);
        let cases: [Case<'_>; 10] = [
            ("ready", v4, false, ready(), [&["10.0.0.1"], &[]]),
            ("not ready", v4, false, Pod { ready: None, ..ready() }, [&[], &["10.0.0.1"]]),
            (
                "published all the same",
                v4,
                true,
                Pod { ready: None, ..ready() },
                [&["10.0.0.1"], &[]],
            ),
            ("one of two", v4, false, both(), [&["10.0.0.1"], &[]]),
            ("the other one", v6, false, both(), [&["fd00::1"], &[]]),
            ("none of the primary family", v4, false, ipv6(), [&[], &[]]),
            ("terminating", v4, false, Pod { deleted: true, ..ready() }, [&[], &[]]),
            (
                "terminating, published",
                v4,
                true,
                Pod { deleted: true, ..ready() },
                [&["10.0.0.1"], &[]],
            ),
            (
                "printed again",
                v4,
                false,
                Pod { ips: ["010.0.0.5".into()].into(), ..ready() },
                [&["10.0.0.5"], &[]],
            ),
            ("ended", v4, true, Pod { phase: "Failed".into(), ..ready() }, [&[], &[]]),
        ];
        for (what, families, publish_not_ready, pod, expected) in cases {
            let service = Service { publish_not_ready, ..web(families) };
            assert_eq!(addresses(&derived(&service, &[pod])), expected, "{what}");
        }
    }

    #[test]
    fn a_subset_for_each_list_of_ports() {
        let named = service_port("http", "TCP", TargetPort::Name("http".into()));
        let service = Service { ports: [named].into(), ..web(&["IPv4"]) };
        let at = |name: &str, number: i32| Pod {
            containers: [container(&[("http", "TCP", number)])].into(),
            ..pod(name).0
        };
        let pods = [at("p", 80), at("q", 81), at("r", 80), pod("without").0];
        let subsets = &derived(&service, &pods)[0].subsets;
        let shape = subsets.iter().map(|s| (s.ports[0].number, s.all_addresses().count()));
        assert_eq!(shape.collect::<Vec<_>>(), [(80, 2), (81, 1)]);
        assert!(derived(&service, &pods[3..]).is_empty(), "no port, nothing to tell");
    }

    #[test]
    fn labels() {
        let headless = Service {
            cluster_ip: "None".into(),
            ..service("s").labelled(&[("a", "b"), (SERVICE_NAME, "kept")]).0
        };
        let labels = |service, controller| -> Vec<(String, String)> {
            let labels = labels_of_endpoints(service, controller);
            labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let signed = ("endpoints.kubernetes.io/managed-by", "endpoint-controller");
        let mark = ("service.kubernetes.io/headless", "");
        let kept = (SERVICE_NAME, "kept");
        assert_eq!(
            labels(&headless, Controller::default()),
            pairs(&[("a", "b"), signed, kept, mark])
        );
        let not_headless = service("s").labelled(&[mark, ("a", "b")]).0;
        assert_eq!(labels(&not_headless, Controller::of_minor(32)), pairs(&[("a", "b")]));
    }

    #[test]
    fn read_back_from_what_mirrors_them() {
        use crate::objects::{Conditions, Endpoint};
        let slice = |managed_by: &str, number: i32, ready: bool| EndpointSlice {
            meta: Metadata {
                key: ObjectKey::new("n", &format!("web-{number}")),
                labels: [(SERVICE_NAME, "web"), (MANAGED_BY, managed_by), ("a", "b")]
                    .into_iter()
                    .collect(),
                ..Metadata::default()
            },
            ports: [SlicePort { number: Some(number), ..SlicePort::default() }].into(),
            endpoints: [Endpoint {
                addresses: ["192.0.2.1".into()].into(),
                conditions: Conditions { ready: Some(ready), ..Conditions::default() },
                ..Endpoint::default()
            }]
            .into(),
            ..EndpointSlice::default()
        };
        let slices =
            [slice(MIRRORING, 80, true), slice(MIRRORING, 81, false), slice("me", 82, true)];
        let mirrored = mirrored_by(slices.iter(), |_| None);
        assert_eq!(addresses(&mirrored), [["192.0.2.1"], ["192.0.2.1"]]);
        let [endpoints] = &mirrored[..] else { panic!("one Service: {mirrored:?}") };
        assert_eq!(endpoints.meta.key, ObjectKey::new("n", "web"));
        assert_eq!(endpoints.meta.labels.iter().collect::<Vec<_>>(), [("a", "b")]);

        let kubelet = service("web")
            .labelled(&[("k8s-app", "kubelet"), ("app.kubernetes.io/managed-by", OPERATOR)])
            .0;
        assert!(mirrored_by(slices.iter(), |_| Some(&kubelet)).is_empty(), "derived already");
    }
}
