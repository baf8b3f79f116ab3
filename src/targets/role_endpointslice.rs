//! Role endpointslice: `discovery/kubernetes/endpointslice.go`.

use super::attach::{attach_namespace, attach_node};
use super::draft::{Draft, join_host_port, target_of};
use super::locality::Place;
use super::output::Output;
use super::pod_labels::{containers, set_container, set_container_port, set_init};
use super::resolved_pod::{ResolvedPod, ResolvedPods};
use super::view::View;
use crate::objects::{Container, ContainerPort, Endpoint, EndpointSlice, Pod, Service, SlicePort};
use std::collections::BTreeMap;

/// Adds the targets of all slices.
pub(super) fn build(view: &View<'_>, output: &mut Output<'_>) {
    let mut resolved = ResolvedPods::default();
    for slice in view.slices() {
        let service = view.service_of(slice);
        if is_asked_for(view, service) && !is_dropped(view, slice, service) {
            let group = group(view, slice, service);
            add_slice(view, slice, &group, &mut resolved, output);
        }
    }
}

/// Whether the Service passes the filter `service=`.
fn is_asked_for(view: &View<'_>, service: Option<&Service>) -> bool {
    view.query
        .service
        .as_ref()
        .is_none_or(|filter| service.is_some_and(|service| filter.matches(&service.meta.labels)))
}

/// Whether the slice has the secondary address family of a dual-stack Service, which would give
/// each target twice (prometheus#18192).
fn is_dropped(view: &View<'_>, slice: &EndpointSlice, service: Option<&Service>) -> bool {
    view.profile.drops_secondary_family()
        && service.is_some_and(|service| {
            matches!(&*service.ip_family_policy, "PreferDualStack" | "RequireDualStack")
                && service
                    .ip_families
                    .first()
                    .is_some_and(|primary| **primary != *slice.address_type)
        })
}

fn add_slice<'a>(
    view: &View<'a>,
    slice: &EndpointSlice,
    group: &Draft,
    resolved: &mut ResolvedPods<'a>,
    output: &mut Output<'_>,
) {
    let mut pods = BTreeMap::new();
    for endpoint in &slice.endpoints {
        let pod = view.pod_of(endpoint, slice);
        let place = Place::of_endpoint(endpoint, pod);
        let pod = pod.map(|pod| resolved.resolve(view, pod));
        if output.wants(place) {
            add_endpoint(view, slice, endpoint, (group, pod.as_ref(), place), output);
        }
        if let Some(pod) = pod.filter(|_| !endpoint.addresses.is_empty()) {
            pods.insert(&pod.pod.meta.key, pod);
        }
    }
    // Extra targets belong to no port of the Service.
    if view.query.ports.is_empty() && !slice.ports.is_empty() {
        for pod in pods.values().filter(|pod| !pod.pod.ip.is_empty()) {
            add_other_ports(view, slice, pod, group, output);
        }
    }
}

fn group(view: &View<'_>, slice: &EndpointSlice, service: Option<&Service>) -> Draft {
    let namespace = &slice.meta.key.namespace;
    let mut group = Draft::default();
    if !slice.meta.key.name.is_empty() {
        group.made_from("EndpointSlice", &slice.meta.key); // a derived one is no object
    }
    group.set("namespace", namespace);
    group.set("endpointslice_address_type", &slice.address_type);
    group.set_metadata("endpointslice", &slice.meta);
    if let Some(service) = service {
        group.set_metadata("service", &service.meta);
        group.made_from("Service", &service.meta.key);
    }
    attach_namespace(&mut group, view, namespace);
    group
}

/// Adds the main targets: one per port and address.
fn add_endpoint(
    view: &View<'_>,
    slice: &EndpointSlice,
    endpoint: &Endpoint,
    (group, pod, place): (&Draft, Option<&ResolvedPod<'_>>, Place<'_>),
    output: &mut Output<'_>,
) {
    let mut endpoint_draft = Draft::default();
    set_endpoint(&mut endpoint_draft, endpoint);
    if let Some(node) = attached_node(endpoint) {
        attach_node(&mut endpoint_draft, view, node);
    }
    for port in slice.ports.iter().filter(|port| is_wanted(view, port)) {
        let mut port_draft = Draft::default();
        set_slice_port(&mut port_draft, port);
        if let (Some(pod), Some(number)) = (pod, port.number) {
            set_matching_container(&mut port_draft, view, pod.pod, number);
        }
        let mut drafts = vec![group, &endpoint_draft, &port_draft];
        drafts.extend(pod.map(|pod| &*pod.labels));
        for host in &endpoint.addresses {
            let address = match port.number {
                Some(number) => join_host_port(host, number),
                None => host.to_string(), // never bracketed
            };
            output.add(place, target_of(&drafts, address));
        }
    }
}

/// Whether the port passes the filter `port=`.
fn is_wanted(view: &View<'_>, port: &SlicePort) -> bool {
    let wanted = &view.query.ports;
    wanted.is_empty() || port.name.as_deref().is_some_and(|name| wanted.contains(name))
}

/// A Node reference wins over `nodeName`, and there is no fallback.
fn attached_node(endpoint: &Endpoint) -> Option<&str> {
    match &endpoint.target_ref {
        Some(target) if *target.kind == *"Node" => Some(&target.name),
        _ => endpoint.node_name.as_deref(),
    }
}

fn set_endpoint(draft: &mut Draft, endpoint: &Endpoint) {
    let conditions = endpoint.conditions;
    for (name, condition) in [
        ("ready", conditions.ready),
        ("serving", conditions.serving),
        ("terminating", conditions.terminating),
    ] {
        if let Some(holds) = condition {
            let name = format!("endpointslice_endpoint_conditions_{name}");
            draft.set(&name, if holds { "true" } else { "false" });
        }
    }
    if let Some(target) = &endpoint.target_ref {
        draft.set("endpointslice_address_target_kind", &target.kind);
        draft.set("endpointslice_address_target_name", &target.name);
    }
    for (name, value) in [
        ("endpointslice_endpoint_hostname", &endpoint.hostname),
        ("endpointslice_endpoint_node_name", &endpoint.node_name),
        ("endpointslice_endpoint_zone", &endpoint.zone),
    ] {
        draft.set(name, value.as_deref().unwrap_or_default());
    }
    for (key, value) in endpoint.deprecated_topology.iter() {
        draft.set_keyed("endpointslice_endpoint_topology", key, value);
        draft.set_keyed("endpointslice_endpoint_topology_present", key, "true");
    }
}

fn set_slice_port(draft: &mut Draft, port: &SlicePort) {
    for (name, value) in [
        ("endpointslice_port_name", &port.name),
        ("endpointslice_port_protocol", &port.protocol),
        ("endpointslice_port_app_protocol", &port.app_protocol),
    ] {
        draft.set(name, value.as_deref().unwrap_or_default());
    }
    if let Some(number) = port.number {
        draft.set("endpointslice_port", &number.to_string());
    }
}

/// Adds the labels of the container that declares the port number. Neither name nor protocol
/// are compared; the last such container wins, and in it the first such port.
fn set_matching_container(draft: &mut Draft, view: &View<'_>, pod: &Pod, number: i32) {
    for (container, init) in matched_containers(view, pod) {
        if let Some(port) = container.ports.iter().find(|port| port.number == number) {
            set_port_of_container(draft, view, container, init, port);
        }
    }
}

/// Adds the extra targets: the container ports whose number the slice does not have, at the
/// Pod's own address. They have no labels of an endpoint.
fn add_other_ports(
    view: &View<'_>,
    slice: &EndpointSlice,
    ResolvedPod { pod, labels }: &ResolvedPod<'_>,
    group: &Draft,
    output: &mut Output<'_>,
) {
    let place = Place::of_pod(pod);
    if !output.wants(place) {
        return;
    }
    for (container, init) in matched_containers(view, pod) {
        for port in &container.ports {
            if slice.ports.iter().any(|p| p.number == Some(port.number)) {
                continue;
            }
            let mut draft = Draft::default();
            set_port_of_container(&mut draft, view, container, init, port);
            let address = join_host_port(&pod.ip, port.number);
            output.add(place, target_of(&[group, labels, &draft], address));
        }
    }
}

/// The containers that are looked at in this role; init containers since 3.0
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
