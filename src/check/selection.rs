//! Which agent selects which monitor: by labels of the monitor, and by labels of its namespace.

use super::set::{Set, in_daemonset_mode};
use crate::operator::{Manifest, selects};

/// The kinds of monitors, and the fields of an agent that select them.
pub(super) const KINDS: [(&str, &str, &str); 4] = [
    ("ServiceMonitor", "serviceMonitorSelector", "serviceMonitorNamespaceSelector"),
    ("PodMonitor", "podMonitorSelector", "podMonitorNamespaceSelector"),
    ("Probe", "probeSelector", "probeNamespaceSelector"),
    ("ScrapeConfig", "scrapeConfigSelector", "scrapeConfigNamespaceSelector"),
];

/// The label that each Namespace has, with its name.
const NAME: &str = "kubernetes.io/metadata.name";

/// Whether the agent selects the monitor; `None` if that cannot be told.
pub(super) fn takes(set: &Set<'_>, agent: &Manifest, monitor: &Manifest) -> Option<bool> {
    let (_, selector, namespaces) = KINDS.iter().find(|(kind, ..)| *kind == monitor.kind)?;
    if !renders(agent, &monitor.kind) {
        return Some(false);
    }
    let labels = |of: &'_ Manifest| {
        let labels: Vec<(String, String)> =
            of.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        labels
    };
    let own = labels(monitor);
    let find = |key: &str| own.iter().find(|(name, _)| name == key).map(|(_, value)| &**value);
    match selects(agent.field(&["spec", selector]), find)? {
        false => Some(false),
        true => in_namespace(set, agent, namespaces, &monitor.namespace),
    }
}

/// Whether the operator renders monitors of that kind for the agent: in DaemonSet mode only PodMonitors, whatever it
/// selects (`pkg/prometheus/promcfg.go`).
pub(super) fn renders(agent: &Manifest, kind: &str) -> bool {
    kind == "PodMonitor" || !in_daemonset_mode(agent)
}

fn in_namespace(set: &Set<'_>, agent: &Manifest, field: &str, namespace: &str) -> Option<bool> {
    let Some(selector) = agent.field(&["spec", field]) else {
        // Not given: its own.
        let known = !agent.namespace.is_empty() && !namespace.is_empty();
        return known.then(|| agent.namespace == namespace);
    };
    if selector.entries().is_some_and(<[_]>::is_empty) {
        return Some(true);
    }
    if namespace.is_empty() {
        return None;
    }
    let Some(object) = set.namespace(namespace) else {
        // Without the Namespace its name is known, and no other label.
        let mut unknown = false;
        let selected = selects(Some(selector), |key| {
            unknown |= key != NAME;
            (key == NAME).then_some(namespace)
        });
        return if unknown { None } else { selected };
    };
    selects(Some(selector), |key| {
        let mut labels = object.labels();
        let own = labels.find(|(name, _)| *name == key).map(|(_, value)| value);
        own.or((key == NAME).then_some(namespace))
    })
}
