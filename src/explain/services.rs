//! Why no Service has an endpoint of a Pod.

use super::chain::{Ended, Narrowing, Reason};
use super::holders::{Holder, holders};
use super::place;
use super::role_pod::{declared, has_ended, phase};
use crate::index::{Lost, MissingPort, WrittenAs, lost, missing_ports, selects, takes_pods};
use crate::objects::{Pod, Resource, Service};
use crate::targets::Role;
use std::cmp::Reverse;

/// The step at which the Pod got lost, given that nothing has an endpoint of it here.
pub(super) fn why_none(chain: &mut Narrowing<'_>) -> Result<(), Ended> {
    if let Some(reason) = place::elsewhere(chain) {
        return chain.fail("the endpoint belongs to this node", reason);
    }
    let pod = chain.pod;
    let holders = holders(chain.known, chain.asked.query.role, pod);
    if !holders.is_empty() {
        let whys: Vec<String> = holders.iter().map(Holder::why_nothing).collect();
        return chain.fail(
            "a slice that has the Pod gives targets of it here",
            Reason::new(whys.join("; ")),
        );
    }
    if has_ended(pod) {
        let why = format!(
            "the Pod's phase is {}: the endpoint controllers leave out Pods that have ended",
            pod.phase
        );
        return chain.fail("the Pod has not ended", Reason::new(why));
    }
    if pod.ips.is_empty() {
        let hint =
            "a Pod gets one when its containers start: kubectl describe pod says what it waits for";
        let why = format!("the Pod has no address yet; its phase is {}", phase(pod));
        return chain.fail("the Pod has an address", Reason::hinted(why, hint));
    }
    chain.pass("the Pod has an address", pod.ips.join(", "));

    let services = chain.known.snapshot.services.in_namespace(&pod.meta.key.namespace);
    let services: Vec<&Service> = services.map(AsRef::as_ref).collect();
    let what = "a Service selects the Pod";
    let selecting: Vec<&Service> =
        services.iter().copied().filter(|service| selects(service, pod)).collect();
    if selecting.is_empty() {
        return chain.fail(what, none_selects(pod, &services));
    }
    let names: Vec<String> =
        selecting.iter().map(|service| format!("Service {}", service.meta.key)).collect();
    chain.pass(what, names.join(", "));
    let whys: Vec<String> = selecting.iter().map(|service| why_lost(chain, service)).collect();
    let hint = selecting
        .iter()
        .any(|service| matches!(lost(service, pod, form(chain)), Some(Lost::NoSuchPorts(_))))
        .then(|| {
            "name the container's port so, or let targetPort have its number; protocols must agree"
                .to_owned()
        });
    chain.fail("a Service has an endpoint of the Pod", Reason { why: whys.join("; "), hint })
}

fn form(chain: &Narrowing<'_>) -> WrittenAs {
    match chain.asked.query.role {
        Role::Endpoints => WrittenAs::Endpoints,
        Role::Pod | Role::EndpointSlice | Role::Node => WrittenAs::Slices,
    }
}

fn why_lost(chain: &Narrowing<'_>, service: &Service) -> String {
    let (pod, snapshot) = (chain.pod, chain.known.snapshot);
    let name = format!("Service {}", service.meta.key);
    match lost(service, pod, form(chain)) {
        Some(Lost::NoSuchPorts(missing)) => {
            format!("{name} {}, but {}", wanted(&missing), declared(pod))
        }
        Some(Lost::NoAddressOf(families)) => {
            format!(
                "{name} is of {}, and the Pod has {} only",
                families.join(" and "),
                pod.ips.join(", ")
            )
        }
        Some(Lost::Terminating) => {
            format!("{name}: its Endpoints leave out Pods that are terminating")
        }
        Some(Lost::NoPorts) => format!("{name} has no ports, and so its endpoints give no targets"),
        Some(Lost::Ended | Lost::NoAddress) => format!("{name} leaves the Pod out"),
        None if snapshot.synced.contains(Resource::Nodes)
            && snapshot.nodes.get("", &pod.node_name).is_none() =>
        {
            format!("{name}: Node {} was deleted, and its endpoints with it", pod.node_name)
        }
        None => {
            format!(
                "{name} has the Pod in no slice yet: the endpoint controllers have not written one"
            )
        }
    }
}

fn wanted(missing: &[MissingPort]) -> String {
    let each = missing.iter().map(|MissingPort { port, target, protocol }| {
        format!("port {port:?} wants a container port named {target} ({protocol})")
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The ports of these Services that the Pod does not have; nothing, if it has all.
pub(super) fn ports_left_out(services: &[&Service], pod: &Pod) -> Option<String> {
    let each = services.iter().filter_map(|service| {
        let missing = missing_ports(service, pod);
        (!missing.is_empty()).then(|| format!("Service {}: {}", service.meta.key, wanted(&missing)))
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("left out is {}; {}", each.join("; "), declared(pod)))
}

fn none_selects(pod: &Pod, services: &[&Service]) -> Reason {
    let namespace = &pod.meta.key.namespace;
    let nearest = services.iter().filter(|service| takes_pods(service));
    let nearest = nearest.min_by_key(|service| (distance(service, pod), &service.meta.key));
    let Some(service) = nearest else {
        return Reason::new(format!("namespace {namespace} has no Service with a selector"));
    };
    let why = format!(
        "no Service in namespace {namespace} selects the Pod; Service {} comes nearest: {}",
        service.meta.key,
        differences(service, pod).join(", ")
    );
    let hint =
        "set the label in the template that the Pod is made from, or change the Service's selector";
    Reason::hinted(why, hint)
}

/// How far a selector is from selecting the Pod: how many labels differ, how many do not, and, because a value may
/// be misspelt, how much of those that differ is the same.
fn distance(service: &Service, pod: &Pod) -> (usize, Reverse<usize>, Reverse<usize>) {
    let value = |key: &str| pod.meta.labels.get(key);
    let differing = || service.selector.iter().filter(|(key, wanted)| value(key) != Some(wanted));
    let agreeing = service.selector.iter().count() - differing().count();
    let alike = differing().map(|(key, wanted)| {
        let same = wanted.bytes().zip(value(key).unwrap_or_default().bytes());
        same.take_while(|(one, other)| one == other).count()
    });
    (differing().count(), Reverse(agreeing), Reverse(alike.sum()))
}

/// What the Pod's labels lack for the Service.
fn differences(service: &Service, pod: &Pod) -> Vec<String> {
    let labels = &pod.meta.labels;
    let pairs = service.selector.iter().filter(|(key, value)| labels.get(key) != Some(value));
    let differ = pairs.map(|(key, wanted)| match labels.get(key) {
        Some(has) => format!("it wants {key}={wanted}, the Pod has {key}={has}"),
        None => format!("it wants {key}={wanted}, the Pod has no label {key}"),
    });
    differ.collect()
}
