//! The agents' own metrics. Their PodMonitor is selected as all others are: by the selectors of the old one, which the
//! shadow has.

use super::edit::set;
use super::notes::{Note, Weight};
use super::old::Old;
use crate::operator::selects;
use crate::yaml::Yaml;

/// The label that each Namespace has, with its name.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// Gives the PodMonitor of that name the labels that the old one selects by. What cannot be given is noted.
pub(super) fn label(monitor: &mut Yaml, called: &str, old: &Old) -> Option<Note> {
    let selector = old.field("podMonitorSelector");
    let labels = selector.and_then(|selector| selector.get("matchLabels"));
    if let Some(labels) = labels {
        set(monitor, &["metadata", "labels"], labels.clone());
    }
    let note = |field: &str, wrong: &str, instead: &str| {
        let why = format!(
            "{wrong} PodMonitor {called}, by which the agents scrape their own metrics: {instead}"
        );
        Some(Note::new(field, Weight::First, why))
    };
    if selector.is_none() {
        let wrong = "it is missing, and no new agent selects";
        return note("podMonitorSelector", wrong, "let another one select it, or do without");
    }
    if selects(selector, |key| labels?.get(key)?.text()) != Some(true) {
        return note("podMonitorSelector", "it does not select", "label that by what is asked for");
    }
    let namespaces = old.field("podMonitorNamespaceSelector");
    let mut unknown = false;
    let by_name = |key: &str| {
        unknown |= key != NAMESPACE;
        (key == NAMESPACE).then_some(&*old.namespace)
    };
    let selected = namespaces.is_none() || selects(namespaces, by_name) == Some(true);
    if selected && !unknown {
        return None;
    }
    let instead = format!("see that it selects the namespace {}", old.namespace);
    note("podMonitorNamespaceSelector", "it may not select", &instead)
}
