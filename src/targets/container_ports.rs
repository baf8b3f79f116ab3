//! Container ports behind endpoints: those that an endpoint's port stands for, and those that it
//! leaves over. The same in the roles endpointslice and endpoints.

use super::draft::{Draft, join_host_port, target_of};
use super::output::Output;
use super::pod_labels::{containers, set_container, set_container_port, set_init};
use super::resolved_pod::ResolvedPod;
use super::view::View;
use crate::index::Seen;
use crate::objects::{Container, ContainerPort, Pod};

/// Adds the labels of the container that declares the port number, and says whether there is one.
/// Neither name nor protocol are compared; the last such container wins, and in it the first such
/// port.
pub(super) fn set_matching_container(
    draft: &mut Draft,
    view: &View<'_>,
    pod: &Pod,
    number: i32,
) -> bool {
    let mut found = false;
    for (container, init) in matched_containers(view, pod) {
        if let Some(port) = container.ports.iter().find(|port| port.number == number) {
            set_port_of_container(draft, view, container, init, port);
            found = true;
        }
    }
    found
}

/// Adds the extra targets: the container ports whose number no port of the endpoints covers, at
/// the Pod's own address, of an object that nodes see so. They have no labels of an endpoint.
pub(super) fn add_other_ports(
    view: &View<'_>,
    (ResolvedPod { pod, labels }, seen): (&ResolvedPod<'_>, Seen),
    is_covered: impl Fn(i32) -> bool,
    group: &Draft,
    output: &mut Output<'_>,
) {
    let place = view.place_of_others(seen, pod);
    // A Pod that starts, or was evicted, has no address.
    if pod.ip.is_empty() || !output.wants(place) {
        return;
    }
    for (container, init) in matched_containers(view, pod) {
        for port in container.ports.iter().filter(|port| !is_covered(port.number)) {
            let mut draft = Draft::default();
            set_port_of_container(&mut draft, view, container, init, port);
            let address = join_host_port(&pod.ip, port.number);
            output.add(place, target_of(&[group, labels, &draft], address));
        }
    }
}

/// The containers that are looked at in these roles; init containers since 3.0
/// (prometheus#14929).
fn matched_containers<'a>(
    view: &View<'_>,
    pod: &'a Pod,
) -> impl Iterator<Item = (&'a Container, bool)> {
    let init_too = view.profile.matches_init_containers();
    containers(pod).filter(move |(_, init)| init_too || !init)
}

fn set_port_of_container(
    draft: &mut Draft,
    view: &View<'_>,
    container: &Container,
    init: bool,
    port: &ContainerPort,
) {
    set_container(draft, container);
    set_container_port(draft, port);
    if view.profile.matches_init_containers() {
        set_init(draft, init);
    }
}
