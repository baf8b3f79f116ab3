//! What becomes of each monitor: the agents on the nodes take it, the complement does, or Prometheus refuses it.

use super::breaking;
use super::finding::{Finding, Severity, Verdict};
use super::selection::{KINDS, takes};
use super::set::{MONITORING, NodeAgent, Set, may_be_same};
use crate::objects::KUBELET_SERVICE;
use crate::operator::{Manifest, selects};
use crate::yaml::Yaml;

/// Roles of discovery whose targets belong to a node.
const NODE_ROLES: [&str; 4] = ["pod", "node", "endpoints", "endpointslice"];

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for (kind, ..) in KINDS {
        for monitor in set.all(MONITORING, kind) {
            let refused = refused(set, monitor, findings);
            let no_node = no_node(set, monitor);
            match no_node {
                Some(why) => findings.push(for_the_complement(set, monitor, &why)),
                None if !refused => findings.push(for_the_nodes(set, monitor)),
                None => {}
            }
        }
    }
}

/// Whether Prometheus refuses a job of it; adds why.
fn refused(set: &Set<'_>, monitor: &Manifest, findings: &mut Vec<Finding>) -> bool {
    let found = breaking::find(set, monitor);
    let is_refused = !found.is_empty();
    for breaking in found {
        let why =
            format!("Prometheus refuses the job, and with it the whole file: {}", breaking.why);
        let finding = Finding::of(Verdict::Breaks, monitor, breaking.field);
        findings.push(finding.because(why).instead(breaking.instead));
    }
    match two_selectors(set, monitor) {
        Some(finding) => {
            let breaks = finding.verdict == Verdict::Breaks;
            findings.push(finding);
            is_refused || breaks
        }
        None => is_refused,
    }
}

/// In DaemonSet mode the operator selects Pods by node. With `RoleSelector` there is a second selector for one role,
/// which Prometheus refuses.
fn two_selectors(set: &Set<'_>, monitor: &Manifest) -> Option<Finding> {
    let by_role = monitor.text(&["spec", "selectorMechanism"]) == Some("RoleSelector");
    if monitor.kind != "PodMonitor" || !by_role {
        return None;
    }
    let found = |verdict| Finding::of(verdict, monitor, "spec.selectorMechanism");
    let instead = "let the shadow select PodMonitors in the agent's place, or use the mechanism RelabelConfig";
    let takers = || {
        set.nodes
            .iter()
            .filter(|agent| agent.by_operator && takes(set, agent.object, monitor) != Some(false))
    };
    if set.nodes.is_empty() {
        return Some(
            found(Verdict::Half)
                .because("an agent of the operator in DaemonSet mode that selects it gets two selectors for one role, and Prometheus refuses the whole file")
                .instead(instead),
        );
    }
    // Without the sidecar it is for good; with it until the sidecar has rewritten the file.
    let agent = takers().find(|agent| agent.sidecar.is_none()).or_else(|| takers().next())?;
    let object = agent.object;
    Some(if agent.sidecar.is_some() {
        let why = format!(
            "{object} gets two selectors for one role: Prometheus fails at its first start, until the sidecar has made one of them"
        );
        found(Verdict::Half).because(why).instead(instead)
    } else {
        let why = format!(
            "{object} gets two selectors for one role, and Prometheus refuses the whole file"
        );
        found(Verdict::Breaks).because(why).instead(instead)
    })
}

/// Why its targets belong to no node, if that is so.
pub(super) fn no_node(set: &Set<'_>, monitor: &Manifest) -> Option<String> {
    match &*monitor.kind {
        "Probe" => Some("what a Probe probes belongs to no node".to_owned()),
        "ScrapeConfig" => (!is_of_nodes(set, monitor))
            .then(|| "the jobs of a ScrapeConfig are the same for all nodes".to_owned()),
        "ServiceMonitor" => without_pods(set, monitor),
        _ => None,
    }
}

/// A ScrapeConfig that only discovers what is on nodes, and that a shadow renders.
fn is_of_nodes(set: &Set<'_>, config: &Manifest) -> bool {
    let spec = config.field(&["spec"]).and_then(Yaml::entries).unwrap_or_default();
    let mut discoveries = spec.iter().filter(|(key, value)| {
        let is_one = key.text.ends_with("SDConfigs") || key.text == "staticConfigs";
        is_one && value.items().is_some_and(|items| !items.is_empty())
    });
    let local = |entry: &Yaml| {
        let role = entry.get("role").and_then(Yaml::text).unwrap_or_default().to_lowercase();
        NODE_ROLES.contains(&&*role)
    };
    let (Some((key, entries)), None) = (discoveries.next(), discoveries.next()) else {
        return false;
    };
    let rendered = set.nodes.iter().flat_map(NodeAgent::selectors);
    key.text == "kubernetesSDConfigs"
        && entries.items().unwrap_or_default().iter().all(local)
        && rendered.into_iter().any(|agent| takes(set, agent, config) == Some(true))
}

/// All Services that it selects, as far as they are in the set, have no selector: nobody but their author knows on
/// which nodes their endpoints are.
fn without_pods(set: &Set<'_>, monitor: &Manifest) -> Option<String> {
    let any = monitor.text(&["spec", "namespaceSelector", "any"]) == Some("true");
    let names = monitor.items(&["spec", "namespaceSelector", "matchNames"]);
    let in_reach = |service: &Manifest| match names {
        _ if any => true,
        [] => may_be_same(&service.namespace, &monitor.namespace),
        names => {
            let mut names = names.iter().filter_map(Yaml::text);
            names.any(|name| may_be_same(&service.namespace, name))
        }
    };
    let selected = |service: &&Manifest| {
        let labels: Vec<(&str, &str)> = service.labels().collect();
        let find = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, v)| *v);
        in_reach(service) && selects(monitor.field(&["spec", "selector"]), find) == Some(true)
    };
    let services: Vec<&Manifest> = set.all("", "Service").filter(selected).collect();
    let without = |service: &&&Manifest| {
        let selector = service.field(&["spec", "selector"]).and_then(Yaml::entries);
        service.text(&["spec", "type"]) == Some("ExternalName")
            || (selector.unwrap_or_default().is_empty() && !is_kubelet(service))
    };
    let first = services.first()?;
    services.iter().all(|service| without(&service)).then(|| {
        if first.text(&["spec", "type"]) == Some("ExternalName") {
            format!("{first} is an ExternalName and has no endpoints")
        } else {
            format!("{first} has no selector: those of its endpoints that name no node are not served on nodes")
        }
    })
}

/// The operator writes its endpoints, and a sidecar derives that of its node.
fn is_kubelet(service: &Manifest) -> bool {
    KUBELET_SERVICE.iter().all(|label| service.labels().any(|own| own == *label))
}

fn for_the_complement(set: &Set<'_>, monitor: &Manifest, why: &str) -> Finding {
    let finding = Finding::of(Verdict::Complement, monitor, "").because(why);
    let selects = |agent: &&Manifest| takes(set, agent, monitor) == Some(true);
    let by_complement = set.complements.iter().find(|complement| {
        // Of a shadow that is not in the set nobody knows what it selects.
        let unseen = complement.has_unseen_shadow && !set.complete;
        unseen || complement.shadows.iter().any(|shadow| takes(set, shadow, monitor) != Some(false))
    });
    if by_complement.is_some() {
        return finding;
    }
    if let Some(other) = set.running().find(selects) {
        return finding.because(format!("{why}; {other} takes it"));
    }
    match set.complements.first() {
        Some(complement) => finding
            .instead(format!(
                "let the shadow of {} select it ({})",
                complement.object,
                selector_of(&monitor.kind)
            ))
            .weighing(Severity::Warning),
        // An agent's manifest alone says nothing about what is beside it.
        None if set.nodes.is_empty() && !set.complete => finding,
        None => finding
            .instead("add the complement (run --complement), or an agent in StatefulSet mode that selects it")
            .weighing(Severity::Warning),
    }
}

fn selector_of(kind: &str) -> &'static str {
    KINDS.iter().find(|(of, ..)| *of == kind).map_or("", |(_, selector, _)| selector)
}

fn for_the_nodes(set: &Set<'_>, monitor: &Manifest) -> Finding {
    let found = |verdict| Finding::of(verdict, monitor, "");
    let selectors =
        set.nodes.iter().flat_map(|agent| agent.selectors().map(move |by| (agent.object, by)));
    let mut unknown = false;
    for (object, by) in selectors {
        match takes(set, by, monitor) {
            Some(true) => return found(Verdict::Taken).because(format!("by {object}")),
            Some(false) => {}
            None => unknown = true,
        }
    }
    let has_unseen_shadow = set.nodes.iter().any(|agent| agent.mounts.len() > agent.shadows.len());
    if set.nodes.is_empty() || unknown || (has_unseen_shadow && !set.complete) {
        return found(Verdict::Taken).because("by agents on the nodes that select it");
    }
    match set.running().find(|agent| takes(set, agent, monitor) == Some(true)) {
        Some(other) => found(Verdict::Note)
            .because(format!("no agent on the nodes selects it; {other} takes it")),
        None => found(Verdict::Left)
            .because("no agent of the set selects it")
            .instead("give it the labels that the shadow selects by, or let the shadow select it"),
    }
}
