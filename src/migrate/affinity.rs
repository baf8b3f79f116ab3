//! The old agent's affinity to Pods. While both run, its Pods and the new ones must not keep each other off nodes: an
//! agent on each node has no other one to go to, and the scheduler has required anti-affinity hold in both directions.

use super::notes::{Note, Weight};
use super::old::Old;
use crate::operator::selects;
use crate::yaml::Yaml;

/// The affinity of the complement: all but that to Pods. `None` if nothing else is there.
pub(super) fn of_complement(old: &Old) -> Option<Yaml> {
    let entries = old.field("affinity")?.entries()?.iter();
    let entries: Vec<_> =
        entries.filter(|(key, _)| !key.text.starts_with("pod")).cloned().collect();
    (!entries.is_empty()).then_some(Yaml::Mapping(entries))
}

/// Whether Pods are kept apart by that label: it is one by which the old one's Pods keep others off their nodes.
pub(super) fn is_kept_apart(old: &Old, label: &str) -> bool {
    selectors(old).any(|selector| {
        let of = |key| selector.get(key);
        let labels = of("matchLabels").and_then(Yaml::entries).unwrap_or_default();
        let expressions = of("matchExpressions").and_then(Yaml::items).unwrap_or_default();
        let needs = |expression: &Yaml| {
            let text = |key| expression.get(key).and_then(Yaml::text);
            text("key") == Some(label) && matches!(text("operator"), Some("In" | "Exists"))
        };
        labels.iter().any(|(key, _)| key.text == label) || expressions.iter().any(needs)
    })
}

/// Says if Pods with the labels of this one are kept off the old one's nodes all the same.
pub(super) fn judge(old: &Old, pod: &Yaml, notes: &mut Vec<Note>) {
    let labels = pod.get("metadata").and_then(|metadata| metadata.get("labels"));
    let find = |key: &str| labels.and_then(|labels| labels.get(key)?.text());
    if selectors(old).any(|selector| selects(Some(selector), find) != Some(false)) {
        notes.push(Note::new(
            "affinity",
            Weight::First,
            "by its podAntiAffinity the old one's Pods keep the new ones off their nodes, and step nodes would wait in vain: \
             let it not select the new Pods before",
        ));
    }
}

/// The selectors of its required anti-affinity.
fn selectors(old: &Old) -> impl Iterator<Item = &Yaml> {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let anti = old.field("affinity").and_then(|affinity| affinity.get("podAntiAffinity"));
    let terms = anti.and_then(|anti| anti.get(REQUIRED)?.items()).unwrap_or_default();
    terms.iter().filter_map(|term| term.get("labelSelector")).filter(|it| !it.is_null())
}
