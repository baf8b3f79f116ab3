//! Role endpointslice: `discovery/kubernetes/endpointslice.go`.

use super::attach::{attach_namespace, attach_node};
use super::container_ports::{add_other_ports, set_matching_container};
use super::draft::{Draft, join_host_port, target_of};
use super::locality::Place;
use super::output::Output;
use super::resolved_pod::{ResolvedPod, ResolvedPods};
use super::view::View;
use crate::index::Seen;
use crate::objects::{Endpoint, EndpointSlice, Pod, Service, SlicePort};
use std::collections::BTreeMap;

/// Adds the targets of all slices.
pub(super) fn build(view: &View<'_>, output: &mut Output<'_>) {
    let mut resolved = ResolvedPods::default();
    for (slice, seen) in view.slices() {
        let service =
            slice.service_name().and_then(|name| view.service(&slice.meta.key.namespace, name));
        if view.wants_service(service) && !is_dropped(view, slice, service) {
            let group = group(view, slice, service);
            add_slice(view, (slice, seen), &group, &mut resolved, output);
        }
    }
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
    (slice, seen): (&'a EndpointSlice, Seen),
    group: &Draft,
    resolved: &mut ResolvedPods<'a>,
    output: &mut Output<'_>,
) {
    let mut pods = BTreeMap::new();
    for endpoint in &slice.endpoints {
        let pod = view.pod_of(endpoint, &slice.meta.key);
        let place = view.place_of_endpoint(seen, endpoint, pod);
        // The complement knows all Pods, and needs the labels of a few.
        let is_shown =
            |pod: &&Pod| output.wants(place) || output.wants(view.place_of_others(seen, pod));
        let pod = pod.filter(is_shown).map(|pod| resolved.resolve(view, pod));
        if output.wants(place) {
            add_endpoint(view, slice, endpoint, (group, pod.as_ref(), place), output);
        }
        if let Some(pod) = pod.filter(|_| !endpoint.addresses.is_empty()) {
            pods.insert(&pod.pod.meta.key, pod);
        }
    }
    // Extra targets belong to no port of the Service.
    if view.query.ports.is_empty() && !slice.ports.is_empty() {
        for pod in pods.values() {
            let covers = |number| slice.ports.iter().any(|port| port.number == Some(number));
            add_other_ports(view, (pod, seen), covers, group, output);
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
    group.set_service(service);
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
    let is_wanted = |port: &&SlicePort| view.wants_port(port.name.as_deref().unwrap_or_default());
    for port in slice.ports.iter().filter(is_wanted) {
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
