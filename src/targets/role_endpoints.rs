//! Role endpoints: `discovery/kubernetes/endpoints.go`.

use super::attach::{attach_namespace, attach_node};
use super::container_ports::{add_other_ports, set_matching_container};
use super::draft::{Draft, join_host_port, target_of};
use super::locality::Place;
use super::output::Output;
use super::resolved_pod::{ResolvedPod, ResolvedPods};
use super::view::View;
use crate::index::Seen;
use crate::objects::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Located, ObjectKey, Pod, Service,
};
use std::collections::{BTreeMap, BTreeSet};

/// Adds the targets of all Endpoints.
pub(super) fn build(view: &View<'_>, output: &mut Output<'_>) {
    let mut resolved = ResolvedPods::default();
    for (endpoints, seen) in view.endpoints() {
        let key = &endpoints.meta.key;
        let service = view.service(&key.namespace, &key.name);
        if view.wants_service(service) {
            let group = group(view, endpoints, service);
            add_endpoints(view, (endpoints, seen), &group, &mut resolved, output);
        }
    }
}

/// A Pod and the numbers of the ports of all subsets that it is in: they cover its container ports
/// together, and the ports of other subsets do not.
struct Covered<'a> {
    pod: ResolvedPod<'a>,
    numbers: BTreeSet<i32>,
}

fn add_endpoints<'a>(
    view: &View<'a>,
    (endpoints, seen): (&'a Endpoints, Seen),
    group: &Draft,
    resolved: &mut ResolvedPods<'a>,
    output: &mut Output<'_>,
) {
    let mut pods: BTreeMap<&ObjectKey, Covered<'_>> = BTreeMap::new();
    // A subset without ports gives nothing, not even extra targets.
    for subset in endpoints.subsets.iter().filter(|subset| !subset.ports.is_empty()) {
        for (address, ready) in subset.all_addresses() {
            let pod = view.pod_of(address, &endpoints.meta.key);
            let place = view.place_of_endpoint(seen, address, pod);
            // The complement knows all Pods, and needs the labels of a few.
            let is_shown =
                |pod: &&Pod| output.wants(place) || output.wants(view.place_of_others(seen, pod));
            let pod = pod.filter(is_shown).map(|pod| resolved.resolve(view, pod));
            if output.wants(place) {
                let endpoint = endpoint(view, address, ready);
                add_address(view, subset, address, (group, &endpoint, pod.as_ref(), place), output);
            }
            if let Some(pod) = pod {
                let covered = pods.entry(&pod.pod.meta.key);
                let covered = covered.or_insert(Covered { pod, numbers: BTreeSet::new() });
                covered.numbers.extend(subset.ports.iter().map(|port| port.number));
            }
        }
    }
    // Extra targets belong to no port of the Service.
    if view.query.ports.is_empty() {
        for Covered { pod, numbers } in pods.values() {
            add_other_ports(view, (pod, seen), |number| numbers.contains(&number), group, output);
        }
    }
}

fn group(view: &View<'_>, endpoints: &Endpoints, service: Option<&Service>) -> Draft {
    let namespace = &endpoints.meta.key.namespace;
    let mut group = Draft::default();
    group.made_from("Endpoints", &endpoints.meta.key);
    group.set("namespace", namespace);
    group.set_service(service);
    group.set_metadata("endpoints", &endpoints.meta);
    attach_namespace(&mut group, view, namespace);
    group
}

/// Adds the main targets of an address: one per port.
fn add_address(
    view: &View<'_>,
    subset: &EndpointSubset,
    address: &EndpointAddress,
    (group, endpoint, pod, place): (&Draft, &Draft, Option<&ResolvedPod<'_>>, Place<'_>),
    output: &mut Output<'_>,
) {
    for port in subset.ports.iter().filter(|port| view.wants_port(&port.name)) {
        let port_draft = port_of(view, port, pod);
        let mut drafts = vec![group, endpoint, &port_draft];
        drafts.extend(pod.map(|pod| &*pod.labels));
        output.add(place, target_of(&drafts, join_host_port(&address.ip, port.number)));
    }
}

fn endpoint(view: &View<'_>, address: &EndpointAddress, ready: bool) -> Draft {
    let mut draft = Draft::default();
    draft.set("endpoint_ready", if ready { "true" } else { "false" });
    if let Some(target) = &address.target_ref {
        draft.set("endpoint_address_target_kind", &target.kind);
        draft.set("endpoint_address_target_name", &target.name);
    }
    draft.set("endpoint_node_name", address.node_name.as_deref().unwrap_or_default());
    draft.set("endpoint_hostname", &address.hostname);
    if let Some(node) = attached_node(address) {
        attach_node(&mut draft, view, node);
    }
    draft
}

/// `nodeName` wins over a Node reference, unlike in role endpointslice, and there is no fallback
/// either.
fn attached_node(address: &EndpointAddress) -> Option<&str> {
    let referenced = || {
        let target = address.target_ref.as_ref().filter(|target| *target.kind == *"Node")?;
        Some(&*target.name)
    };
    address.node_name().or_else(referenced)
}

fn port_of(view: &View<'_>, port: &EndpointPort, pod: Option<&ResolvedPod<'_>>) -> Draft {
    let mut draft = Draft::default();
    draft.set("endpoint_port_name", &port.name);
    draft.set("endpoint_port_protocol", &port.protocol);
    if let Some(pod) = pod
        && set_matching_container(&mut draft, view, pod.pod, port.number)
    {
        // Not the container port's, as in role endpointslice.
        draft.set("pod_container_port_protocol", &port.protocol);
    }
    draft
}
