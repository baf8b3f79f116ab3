//! The steps of role pod.

use super::chain::{Ended, Narrowing, Reason};
use super::found::Found;
use super::place;
use crate::objects::Pod;

pub(super) fn follow(chain: &mut Narrowing<'_>) -> Result<(), Ended> {
    let (pod, asked) = (chain.pod, &chain.asked.query);
    let what = "the Pod has an address";
    if pod.ip.is_empty() {
        let reason = if has_ended(pod) {
            Reason::new(format!("the Pod's phase is {} and it has no address", pod.phase))
        } else {
            let hint = "a Pod gets one when its containers start: kubectl describe pod says what it waits for";
            Reason::hinted(format!("the Pod has no address yet; its phase is {}", phase(pod)), hint)
        };
        return chain.fail(what, reason);
    }
    chain.pass(what, &*pod.ip);
    if has_ended(pod) {
        let why = format!(
            "the Pod's phase is {}: role pod keeps a Pod that has ended for as long as it exists, in Prometheus too, and nobody answers a scrape",
            pod.phase
        );
        let hint = "a rule can drop it: {source_labels: [__meta_kubernetes_pod_phase], regex: Failed|Succeeded, action: drop}";
        chain.pass_with("role pod has Pods of any phase", Reason::hinted(why, hint));
    }
    chain.begin(chain.asked.profile);
    place::check(chain, "the Pod's targets are served here")?;
    if !asked.selectors.pod.is_empty() {
        chain.narrow(
            "selector.pod selects the Pod",
            |query, asked| query.selectors.pod = asked.selectors.pod.clone(),
            |chain, _| match &*chain.asked.query.selectors.pod.unmet(chain.pod) {
                [] => Reason::new("the Pod has all that is asked for"),
                unmet => Reason::new(format!("the Pod does not meet {}", unmet.join(", "))),
            },
        )?;
    }
    if asked.attach.node {
        chain.narrow(
            "the Pod's Node is there to be attached",
            |query, asked| {
                query.attach = asked.attach;
                query.selectors.node = asked.selectors.node.clone();
            },
            node,
        )?;
    }
    if !asked.ports.is_empty() {
        chain.narrow(
            "port= names a port of a container",
            |query, asked| query.ports = asked.ports.clone(),
            |chain, found| ports(chain, found),
        )?;
    }
    Ok(())
}

/// Since 3.11 an attached Node that is not seen takes its Pods along.
fn node(chain: &Narrowing<'_>, found: &Found) -> Reason {
    let name = &chain.pod.node_name;
    let why = match chain.known.snapshot.nodes.get("", name) {
        None => format!("Node {name} is not known"),
        Some(node) => match &*chain.asked.query.selectors.node.unmet(&**node) {
            [] => return Reason::new(format!("Node {name}")),
            unmet => {
                format!("selector.node hides Node {name}: it does not meet {}", unmet.join(", "))
            }
        },
    };
    if found.own.is_empty() {
        let hint = "since 3.11 Prometheus leaves out Pods whose Node it does not see, if one is to be attached";
        return Reason::hinted(why, hint);
    }
    Reason::new(format!("{why}; the target stays, without labels of the Node"))
}

fn ports(chain: &Narrowing<'_>, found: &Found) -> Reason {
    let wanted: Vec<&str> = chain.asked.query.ports.iter().map(String::as_str).collect();
    let wanted = wanted.join(", ");
    if found.own.is_empty() {
        return Reason::new(format!("port={wanted} is asked for; {}", declared(chain.pod)));
    }
    Reason::new(format!("port={wanted} leaves {} of {}", found.own.len(), chain.found.own.len()))
}

/// The ports that the Pod's containers declare.
pub(super) fn declared(pod: &Pod) -> String {
    let containers = pod.containers.iter().chain(&pod.init_containers);
    let ports = containers.flat_map(|container| &container.ports);
    let named = ports.map(|port| match &*port.name {
        "" => format!("{}/{} without a name", port.number, port.protocol),
        name => format!("{name} ({}/{})", port.number, port.protocol),
    });
    let named: Vec<String> = named.collect();
    match named.is_empty() {
        true => "the Pod's containers declare no port".to_owned(),
        false => format!("the Pod's containers declare {}", named.join(", ")),
    }
}

pub(super) fn has_ended(pod: &Pod) -> bool {
    matches!(&*pod.phase, "Failed" | "Succeeded")
}

/// The phase, which a Pod has from the beginning.
pub(super) fn phase(pod: &Pod) -> &str {
    if pod.phase.is_empty() { "unknown" } else { &pod.phase }
}
