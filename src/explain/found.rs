//! The targets of one Pod, among those of a query.

use super::explanation::FoundTarget;
use crate::index::Snapshot;
use crate::objects::{ObjectKey, Pod};
use crate::targets::{Profile, Query, Reason, Role, Target, Unassigned, build};

/// What a query finds of a Pod.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What is served here.
    pub(super) own: Vec<Target>,
    /// What is served by no node. Here the Pod may be known by its address alone.
    pub(super) unassigned: Vec<Unassigned>,
}

// === impl Found ===

impl Found {
    /// Asks [`build`], which decides for every answer.
    pub(super) fn by(snapshot: &Snapshot, query: &Query, profile: Profile, pod: &Pod) -> Self {
        let mut targets = build(snapshot, query, profile);
        targets.own.retain(|target| is_of(target, &pod.meta.key));
        targets.unassigned.retain(|Unassigned { target, reason }| {
            is_of(target, &pod.meta.key) || *reason == Reason::NoNode && is_at(target, pod)
        });
        Self { own: targets.own, unassigned: targets.unassigned }
    }
}

/// Whether the target was made from the Pod, or refers to it without showing its labels.
fn is_of(target: &Target, pod: &ObjectKey) -> bool {
    let made_from = target.sources.iter().any(|from| from.kind == "Pod" && from.key == *pod);
    made_from
        || ["endpointslice_address", "endpoint_address"].iter().any(|of| {
            let is = |what: &str, value: &str| label(target, what) == value;
            is(&format!("{of}_target_kind"), "Pod")
                && is(&format!("{of}_target_name"), &pod.name)
                && is("namespace", &pod.namespace)
        })
}

/// Whether the target has an address of the Pod.
fn is_at(target: &Target, pod: &Pod) -> bool {
    let namespace = label(target, "namespace");
    let is_at = |ip: &str| {
        let rest = match ip.contains(':') {
            true => target.address.strip_prefix(&*format!("[{ip}]")),
            false => target.address.strip_prefix(ip),
        };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    namespace == &*pod.meta.key.namespace && pod.ips.iter().any(|ip| is_at(ip))
}

/// The target, and what it comes from.
pub(super) fn shown(role: Role, target: &Target) -> FoundTarget {
    FoundTarget { address: target.address.clone(), from: from(role, target) }
}

fn from(role: Role, target: &Target) -> String {
    let container = label(target, "pod_container_name");
    let declared = match label(target, "pod_container_port_name") {
        "" => format!("port {}", label(target, "pod_container_port_number")),
        name => format!("port {name}"),
    };
    if role == Role::Pod {
        return match label(target, "pod_container_port_number") {
            "" => format!("container {container}, which declares no port"),
            _ => format!("container {container}, {declared}"),
        };
    }
    let object = object_of(target);
    let port = |stem: &str| match (label(target, &format!("{stem}_port_name")), stem) {
        ("", "endpointslice") => match label(target, "endpointslice_port") {
            "" => None,
            number => Some(format!("port {number}")),
        },
        ("", _) => (!label(target, "endpoint_ready").is_empty()).then(|| "a port".to_owned()),
        (name, _) => Some(format!("port {name}")),
    };
    let port = port(if role == Role::Endpoints { "endpoint" } else { "endpointslice" });
    match port {
        Some(port) => format!("{port} of {object}"),
        None if !container.is_empty() => {
            format!("container {container}, {declared}, which is no port of {object}")
        }
        None => object,
    }
}

/// The Service and the slice of a target, as far as they are there.
pub(super) fn object_of(target: &Target) -> String {
    let source = |kind: &str| target.sources.iter().find(|from| from.kind == kind);
    let named = ["Service", "EndpointSlice"]
        .into_iter()
        .filter_map(|kind| source(kind).map(|from| format!("{kind} {}", from.key)));
    let mut named: Vec<String> = named.collect();
    if named.is_empty() {
        named.extend(source("Endpoints").map(|from| format!("Endpoints {}", from.key)));
    }
    if named.is_empty() {
        let service = label(target, "endpointslice_label_kubernetes_io_service_name");
        named.push(format!("the slices of Service {}/{service}", label(target, "namespace")));
    }
    named.join(", ")
}

fn label<'a>(target: &'a Target, name: &str) -> &'a str {
    let name = format!("__meta_kubernetes_{name}");
    target.labels.get(&*name).map_or("", |value| value)
}
