//! The shadow: an agent without Pods, for which the operator renders what the old one scrapes.

use super::edit::{at, overlay, plain, set, string};
use super::fields::{Fate, fate};
use super::names::Names;
use super::notes::{Note, Weight};
use super::old::Old;
use crate::yaml::{self, Yaml};

const TEMPLATE: &str = include_str!("../../manifests/shadow/shadow.yaml");
const AGREED: &str = include_str!("../../manifests/agreed/agreed.yaml");

/// Fields that are carried in another way than [`Fate::Shadow`], and whose text is the same.
const SAME: [&str; 2] = ["enforcedTargetLimit", "targetLimit"];

/// The label that names the agent, if it does not say another one.
const PROMETHEUS: &str = "prometheus";

/// The shadow of the old one.
pub(super) fn shadow(old: &Old, names: &Names, notes: &mut Vec<Note>) -> Yaml {
    let mut shadow = yaml::read(TEMPLATE).expect("a manifest of ours is YAML");
    set(&mut shadow, &["metadata", "name"], string(&names.shadow));
    set(&mut shadow, &["metadata", "namespace"], string(&old.namespace));
    let spec = at(&mut shadow, &["spec"]);
    // The template selects everything.
    if let Yaml::Mapping(entries) = spec {
        entries.retain(|(key, _)| matches!(&*key.text, "mode" | "replicas"));
    }
    // The operator ends jobs that it shards with rules that say so, and ScrapeConfigs and additional jobs only if there
    // is more than one shard. By these rules a node knows that static targets are not its own.
    set(spec, &["shards"], plain("2"));
    for (field, value) in old.fields() {
        if fate(field) == Some(Fate::Shadow) || SAME.contains(&field) {
            set(spec, &[field], value.clone());
        }
    }
    if old.field("version").is_none() && old.field("image").is_none() {
        let version = version();
        notes.push(Note::new(
            "version",
            Weight::Changed,
            format!("{version}, because it is missing, and Pods and shadow must have the same"),
        ));
        set(spec, &["version"], string(version));
    }
    if let Some(window) = old.field("tsdb").and_then(|tsdb| tsdb.get("outOfOrderTimeWindow")) {
        set(spec, &["tsdb", "outOfOrderTimeWindow"], window.clone());
    }
    set(spec, &["replicaExternalLabelName"], string(""));
    set(spec, &["prometheusExternalLabelName"], string(""));
    if let Some((label, value)) = agent_label(old) {
        overlay(spec, &["externalLabels"], &Yaml::mapping([(label, string(value))]));
    }
    shadow
}

/// The label that names the old one in what it sends, and its value, if there is one. The new ones have it too.
pub(super) fn agent_label(old: &Old) -> Option<(&str, String)> {
    let label = old.text("prometheusExternalLabelName").unwrap_or(PROMETHEUS);
    (!label.is_empty()).then(|| (label, format!("{}/{}", old.namespace, old.name)))
}

/// The version of Prometheus that manifests/ has.
pub(super) fn version() -> String {
    let agreed = yaml::read(AGREED).expect("a manifest of ours is YAML");
    let version = agreed.get("spec").and_then(|spec| spec.get("version")).and_then(Yaml::text);
    version.unwrap_or_default().to_owned()
}
