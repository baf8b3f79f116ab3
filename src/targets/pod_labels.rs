//! The labels of a Pod and of its containers: `podLabels` and its neighbours in
//! `discovery/kubernetes/pod.go`.

use super::attach::attach_workload;
use super::draft::Draft;
use super::view::View;
use crate::objects::{Container, ContainerPort, Pod};

/// Adds the labels that every target of a Pod has, in whatever role.
pub(super) fn set_pod(draft: &mut Draft, view: &View<'_>, pod: &Pod) {
    draft.set_metadata("pod", &pod.meta);
    let ready = pod.ready.as_deref().unwrap_or("unknown");
    draft.set("pod_ready", &ready.to_lowercase());
    for (name, value) in [
        ("pod_ip", &pod.ip),
        ("pod_phase", &pod.phase),
        ("pod_node_name", &pod.node_name),
        ("pod_host_ip", &pod.host_ip),
        ("pod_uid", &pod.meta.uid),
    ] {
        draft.set(name, value);
    }
    if let Some(controller) = &pod.meta.controller {
        draft.set("pod_controller_kind", &controller.kind);
        draft.set("pod_controller_name", &controller.name);
    }
    attach_workload(draft, view, pod);
    draft.made_from("Pod", &pod.meta.key);
}

/// Adds the labels of a container, without those of a port. Only role pod shows the id, and for
/// it this is not the place.
pub(super) fn set_container(draft: &mut Draft, container: &Container) {
    draft.set("pod_container_name", &container.name);
    draft.set("pod_container_image", &container.image);
}

/// Says whether the container is an init container.
pub(super) fn set_init(draft: &mut Draft, init: bool) {
    draft.set("pod_container_init", if init { "true" } else { "false" });
}

/// Adds the labels of a container port.
pub(super) fn set_container_port(draft: &mut Draft, port: &ContainerPort) {
    draft.set("pod_container_port_name", &port.name);
    draft.set("pod_container_port_number", &port.number.to_string());
    draft.set("pod_container_port_protocol", &port.protocol);
}

/// The containers, each with whether it is an init container: regular ones first.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = (&Container, bool)> {
    let regular = pod.containers.iter().map(|container| (container, false));
    let init = pod.init_containers.iter().map(|container| (container, true));
    regular.chain(init)
}
