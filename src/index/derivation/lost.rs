//! Why a Service has no endpoint of a Pod: the rules of this folder, asked the other way round, for people.
//!
//! Nothing is derived from it, so that it can be read without the rest and cost nothing.

use super::controller::Controller;
use super::families::{addresses_of, families_of};
use super::pairs::{has_not_ended, is_handled};
use super::ports::{named, ports_of};
use crate::objects::{Pod, Service, TargetPort};

/// Which of the two forms of endpoints is meant; their rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenAs {
    /// EndpointSlices.
    Slices,
    /// Endpoints.
    Endpoints,
}

/// What keeps the controllers from making a Pod an endpoint of a Service that selects it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It has ended, for good or with an error.
    Ended,
    /// It has no address yet.
    NoAddress,
    /// It has no address of these families, which are those of the Service.
    NoAddressOf(Vec<&'static str>),
    /// It is terminating, and the Service does not publish addresses that are not ready. Slices have it still.
    Terminating,
    /// The Service has no ports.
    NoPorts,
    /// None of the Service's ports is one of the Pod's.
    NoSuchPorts(Vec<MissingPort>),
}

/// A port of a Service that the Pod does not have, because no container declares it by that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPort {
    /// The name of the Service's port; may be empty.
    pub port: Box<str>,
    /// `targetPort`: the name that is looked for.
    pub target: Box<str>,
    /// The protocol, which must be the same.
    pub protocol: Box<str>,
}

/// Whether the controllers take the Pods of that Service from its selector, and it selects this one.
pub fn selects(service: &Service, pod: &Pod) -> bool {
    *service.meta.key.namespace == *pod.meta.key.namespace
        && takes_pods(service)
        && service.selector.iter().all(|(key, value)| pod.meta.labels.get(key) == Some(value))
}

/// Whether a Service has the Pods that its selector selects, rather than none, or what somebody writes.
pub fn takes_pods(service: &Service) -> bool {
    is_handled(service)
}

/// Why a Service that selects the Pod has no endpoint of it; `None`, if it has one. By the rules of the newest
/// controller.
pub fn lost(service: &Service, pod: &Pod, form: WrittenAs) -> Option<Lost> {
    let controller = Controller::default();
    let mut families = families_of(service);
    if form == WrittenAs::Endpoints {
        families.truncate(1); // the primary one
    }
    let leaves_terminating = form == WrittenAs::Endpoints && !service.publish_not_ready;
    if !has_not_ended(pod) {
        Some(Lost::Ended)
    } else if pod.ips.is_empty() {
        Some(Lost::NoAddress)
    } else if families.iter().all(|family| addresses_of(pod, *family, controller).is_empty()) {
        Some(Lost::NoAddressOf(families.iter().map(|family| family.name()).collect()))
    } else if leaves_terminating && pod.deleted {
        Some(Lost::Terminating)
    } else if service.ports.is_empty() {
        Some(Lost::NoPorts)
    } else if ports_of(service, pod, controller).is_empty() {
        Some(Lost::NoSuchPorts(missing_ports(service, pod)))
    } else {
        None
    }
}

/// The ports of the Service that the Pod does not have.
pub fn missing_ports(service: &Service, pod: &Pod) -> Vec<MissingPort> {
    let missing = service.ports.iter().filter_map(|port| match &port.target {
        TargetPort::Number(_) => None,
        TargetPort::Name(name) => {
            let found = named(pod, name, &port.protocol, Controller::default());
            found.is_none().then(|| MissingPort {
                port: (*port.name).into(),
                target: (**name).into(),
                protocol: (*port.protocol).into(),
            })
        }
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::endpoints::endpoints_of;
    use crate::index::derivation::slices::{Around, slices_of};
    use crate::index::derivation::testing::{container, pod, service, service_port};

    #[test]
    fn what_is_lost_is_what_is_not_derived() {
        let by_name = |name: &str| service_port("web", "TCP", TargetPort::Name(name.into()));
        let of = |ports: Vec<_>| Service {
            ports: ports.into(),
            ..service("s").selecting(&[("app", "web")]).0
        };
        let running = || Pod {
            containers: [container(&[("http", "TCP", 80)])].into(),
            ..pod("p").at(&["10.0.0.1"]).0
        };
        let missing =
            MissingPort { port: "web".into(), target: "metrics".into(), protocol: "TCP".into() };
        for (service, pod, expected) in [
            (of(vec![by_name("http")]), running(), None),
            (of(vec![by_name("http"), by_name("metrics")]), running(), None),
            (
                of(vec![by_name("http")]),
                Pod { phase: "Failed".into(), ..running() },
                Some(Lost::Ended),
            ),
            (
                of(vec![by_name("http")]),
                Pod { ips: Box::default(), ..running() },
                Some(Lost::NoAddress),
            ),
            (
                Service { ip_families: ["IPv6".into()].into(), ..of(vec![by_name("http")]) },
                running(),
                Some(Lost::NoAddressOf(vec!["IPv6"])),
            ),
            (of(vec![]), running(), Some(Lost::NoPorts)),
            (of(vec![by_name("metrics")]), running(), Some(Lost::NoSuchPorts(vec![missing]))),
        ] {
            assert!(selects(&service, &pod));
            let (services, pods) = ([&service].into_iter(), [&pod].into_iter());
            let derived = slices_of(services.clone(), pods.clone(), &Around::default());
            assert_eq!(lost(&service, &pod, WrittenAs::Slices), expected);
            assert_eq!(derived.is_empty(), expected.is_some(), "{expected:?}");
            let derived = endpoints_of(services, pods, Controller::default());
            assert_eq!(lost(&service, &pod, WrittenAs::Endpoints), expected);
            assert_eq!(derived.is_empty(), expected.is_some(), "{expected:?}");
        }
        // Where the two differ.
        let six: Box<[_]> = ["IPv6".into(), "IPv4".into()].into();
        for (service, pod, expected) in [
            (of(vec![by_name("http")]), Pod { deleted: true, ..running() }, Lost::Terminating),
            (
                Service { ip_families: six, ..of(vec![by_name("http")]) },
                running(),
                Lost::NoAddressOf(vec!["IPv6"]),
            ),
        ] {
            assert_eq!(lost(&service, &pod, WrittenAs::Slices), None);
            assert_eq!(lost(&service, &pod, WrittenAs::Endpoints), Some(expected));
            let (services, pods) = ([&service].into_iter(), [&pod].into_iter());
            let derived = slices_of(services.clone(), pods.clone(), &Around::default());
            assert!(!derived.is_empty());
            assert!(endpoints_of(services, pods, Controller::default()).is_empty());
        }
    }

    #[test]
    fn which_services_select() {
        let web = || service("s").selecting(&[("app", "web")]).0;
        for (service, expected) in [
            (web(), true),
            (service("s").selecting(&[("app", "web"), ("tier", "x")]).0, false),
            (service("s").0, false),
            (service("s").in_namespace("other").selecting(&[("app", "web")]).0, false),
            (Service { kind: "ExternalName".into(), ..web() }, false),
        ] {
            assert_eq!(selects(&service, &pod("p").0), expected, "{service:?}");
        }
    }
}
