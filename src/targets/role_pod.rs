//! Role pod: `discovery/kubernetes/pod.go`.

use super::attach::{attach_namespace, attach_node};
use super::draft::{Draft, join_host_port, target_of};
use super::output::Output;
use super::pod_labels::{containers, set_container, set_container_port, set_init, set_pod};
use super::view::View;
use crate::objects::Pod;

/// Adds the targets of all Pods.
pub(super) fn build(view: &View<'_>, output: &mut Output<'_>) {
    for pod in view.pods() {
        // Phase, readiness and termination do not matter, only whether there is an address.
        if !pod.ip.is_empty() && !is_dropped(view, pod) {
            add_pod(view, pod, output);
        }
    }
}

fn is_dropped(view: &View<'_>, pod: &Pod) -> bool {
    view.query.attach.node
        && view.profile.drops_pods_of_unknown_nodes()
        && view.node(&pod.node_name).is_none()
}

fn add_pod(view: &View<'_>, pod: &Pod, output: &mut Output<'_>) {
    let place = view.place_of_pod(pod);
    if !output.wants(place) {
        return;
    }
    let namespace = &pod.meta.key.namespace;
    let mut group = Draft::default();
    group.set("namespace", namespace);
    set_pod(&mut group, view, pod);
    attach_node(&mut group, view, &pod.node_name);
    attach_namespace(&mut group, view, namespace);
    for (container, init) in containers(pod) {
        let mut draft = Draft::default();
        set_container(&mut draft, container);
        set_init(&mut draft, init);
        draft.set("pod_container_id", &container.id);
        if container.ports.is_empty() && view.query.ports.is_empty() {
            output.add(place, target_of(&[&group, &draft], pod.ip.to_string()));
        }
        for port in container.ports.iter().filter(|port| view.wants_port(&port.name)) {
            let mut port_draft = Draft::default();
            set_container_port(&mut port_draft, port);
            let address = join_host_port(&pod.ip, port.number);
            output.add(place, target_of(&[&group, &draft, &port_draft], address));
        }
    }
}
