//! The agents on the nodes.

use super::edit::{at, items, name, push, set, string};
use super::names::{INSTANCE, Names};
use super::notes::Note;
use super::old::Old;
use super::pods;
use super::settings::Settings;
use crate::yaml::{self, Yaml};

const TEMPLATE: &str = include_str!("../../manifests/daemonset/daemonset.yaml");
/// Labels of a node without which an image of another kind would be started there.
const PLATFORM: [&str; 2] = ["kubernetes.io/os", "kubernetes.io/arch"];

/// The DaemonSet.
pub(super) fn daemonset(
    old: &Old,
    names: &Names,
    settings: &Settings,
    notes: &mut Vec<Note>,
) -> Yaml {
    let mut set_of_nodes = template(TEMPLATE, old, names, &names.nodes);
    let pod = at(&mut set_of_nodes, &["spec", "template"]);
    pods::edit(pod, old, names, settings, notes);
    for container in items(pod, &["spec", "initContainers"]) {
        if name(container) == pods::SIDECAR {
            push(container, &["args"], string("--leave-to-complement"));
        }
    }
    let node_selector = old.field("nodeSelector").and_then(Yaml::entries).unwrap_or_default();
    for (key, value) in node_selector {
        if PLATFORM.contains(&&*key.text) {
            set(pod, &["spec", "nodeSelector", &key.text], value.clone());
        }
    }
    set_of_nodes
}

/// That manifest of ours under that name, for the Pods of this migration.
pub(super) fn template(manifest: &str, old: &Old, names: &Names, called: &str) -> Yaml {
    const NAME: &str = "app.kubernetes.io/name";
    let mut template = yaml::read(manifest).expect("a manifest of ours is YAML");
    set(&mut template, &["metadata", "name"], string(called));
    set(&mut template, &["metadata", "namespace"], string(&old.namespace));
    for labels in [
        &["metadata", "labels"][..],
        &["spec", "selector", "matchLabels"],
        &["spec", "template", "metadata", "labels"],
    ] {
        let labels = at(&mut template, labels);
        set(labels, &[NAME], string(called));
        set(labels, &[INSTANCE], string(&names.base));
    }
    if let Some(seconds) = old.field("minReadySeconds") {
        set(&mut template, &["spec", "minReadySeconds"], seconds.clone());
    }
    template
}
