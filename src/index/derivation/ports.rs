//! Ports: those of the Service, as one Pod has them.

use super::controller::Controller;
use crate::objects::{Container, Pod, Service, SlicePort, TargetPort};

/// The Service's ports, each with the number that it has at that Pod, in the Service's order. One
/// whose name the Pod does not know is left out, for this Pod only.
pub(super) fn ports_of(service: &Service, pod: &Pod, controller: Controller) -> Box<[SlicePort]> {
    let resolved = service.ports.iter().filter_map(|port| {
        let number = match &port.target {
            TargetPort::Number(number) => *number, // whether or not a container declares it
            TargetPort::Name(name) => named(pod, name, &port.protocol, controller)?,
        };
        Some(SlicePort {
            name: Some((*port.name).into()),
            protocol: Some((*port.protocol).into()),
            number: Some(number),
            app_protocol: port.app_protocol.as_deref().map(Into::into),
        })
    });
    resolved.collect()
}

/// The number of the first container port of that name and protocol; those of sidecars come last.
pub(super) fn named(pod: &Pod, name: &str, protocol: &str, controller: Controller) -> Option<i32> {
    let sidecars = pod
        .init_containers
        .iter()
        .filter(|container| controller.finds_sidecar_ports() && container.restarts_always);
    let declares = |container: &Container| {
        let mut ports = container.ports.iter();
        let port = ports.find(|port| *port.name == *name && *port.protocol == *protocol)?;
        Some(port.number)
    };
    pod.containers.iter().chain(sidecars).find_map(declares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::{container, service_port};
    use crate::objects::ServicePort;

    fn pod(containers: Vec<Container>, init_containers: Vec<Container>) -> Pod {
        Pod {
            containers: containers.into(),
            init_containers: init_containers.into(),
            ..Pod::default()
        }
    }

    fn resolved(ports: &[ServicePort], pod: &Pod, controller: Controller) -> Vec<(String, i32)> {
        let service = Service { ports: ports.into(), ..Service::default() };
        let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or("-").to_owned();
        ports_of(&service, pod, controller)
            .iter()
            .map(|port| {
                let label = [&port.name, &port.protocol, &port.app_protocol].map(text).join("/");
                (label, port.number.unwrap())
            })
            .collect()
    }

    #[test]
    fn numbers_are_used_as_they_are() {
        let port = ServicePort {
            app_protocol: Some("h2c".into()),
            ..service_port("", "UDP", TargetPort::Number(9))
        };
        assert_eq!(
            resolved(&[port], &Pod::default(), Controller::V1_33),
            [("/UDP/h2c".to_owned(), 9)]
        );
    }

    #[test]
    fn names_are_those_of_container_ports() {
        let first = container(&[("http", "UDP", 1), ("http", "TCP", 2), ("http", "TCP", 3)]);
        let second = container(&[("http", "TCP", 4), ("admin", "TCP", 5)]);
        let pod = pod(vec![first, second], vec![]);
        for (name, protocol, expected) in [
            ("http", "TCP", Some(2)),
            ("http", "UDP", Some(1)),
            ("http", "SCTP", None),
            ("admin", "TCP", Some(5)),
            ("other", "TCP", None),
        ] {
            let port = service_port("p", protocol, TargetPort::Name(name.into()));
            let expected: Vec<_> =
                expected.map(|number| (format!("p/{protocol}/-"), number)).into_iter().collect();
            assert_eq!(resolved(&[port], &pod, Controller::V1_33), expected, "{name} {protocol}");
        }
    }

    #[test]
    fn a_port_that_cannot_be_resolved_is_left_out_alone() {
        let pod = pod(vec![container(&[("http", "TCP", 8080)])], vec![]);
        let ports = [("a", "none"), ("b", "http"), ("c", "http")]
            .map(|(name, target)| service_port(name, "TCP", TargetPort::Name(target.into())));
        assert_eq!(
            resolved(&ports, &pod, Controller::V1_33),
            [("b/TCP/-".to_owned(), 8080), ("c/TCP/-".to_owned(), 8080)]
        );
    }

    #[test]
    fn sidecars_come_last_and_only_from_1_33_on() {
        let sidecar = Container { restarts_always: true, ..container(&[("http", "TCP", 3)]) };
        let plain_init = container(&[("http", "TCP", 2)]);
        let port = [service_port("p", "TCP", TargetPort::Name("http".into()))];
        let found = |containers: Vec<Container>, controller| {
            let pod = pod(containers, vec![plain_init.clone(), sidecar.clone()]);
            resolved(&port, &pod, controller).first().map(|(_, number)| *number)
        };
        assert_eq!(found(vec![], Controller::V1_32), None);
        assert_eq!(found(vec![], Controller::V1_33), Some(3));
        let regular = vec![container(&[("http", "TCP", 1)])];
        assert_eq!(found(regular, Controller::V1_33), Some(1));
    }
}
