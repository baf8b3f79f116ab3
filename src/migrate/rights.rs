//! The account, what it may do, and who may speak to the Pods.

use super::edit::{at, push, set, string, texts};
use super::names::{INSTANCE, Names};
use super::notes::{Note, Weight};
use super::old::Old;
use super::own_metrics;
use crate::yaml::{self, Document, Yaml};

/// The sidecar's account and role, and the role of Prometheus when it scrapes.
const RBAC: [&str; 2] = [
    include_str!("../../manifests/rbac/rbac.yaml"),
    include_str!("../../manifests/rbac/scraping.yaml"),
];
const COMMON: [&str; 2] = [
    include_str!("../../manifests/common/network-policy.yaml"),
    include_str!("../../manifests/common/pod-monitor.yaml"),
];

/// All of it.
pub(super) fn rights(old: &Old, names: &Names, notes: &mut Vec<Note>) -> Vec<Yaml> {
    let account = old.text("serviceAccountName");
    let mut objects = Vec::new();
    for (text, role) in RBAC.into_iter().zip(&names.roles) {
        for mut object in documents(text) {
            match object.get("kind").and_then(Yaml::text) {
                Some("ServiceAccount") => {
                    if account.is_some() {
                        continue; // it is there
                    }
                    set(&mut object, &["metadata", "name"], string(&names.account));
                    set(&mut object, &["metadata", "namespace"], string(&old.namespace));
                }
                Some("ClusterRoleBinding") => {
                    let subject = [
                        ("kind", string("ServiceAccount")),
                        ("name", string(account.unwrap_or(&names.account))),
                        ("namespace", string(&old.namespace)),
                    ];
                    set(&mut object, &["metadata", "name"], string(role));
                    set(&mut object, &["roleRef", "name"], string(role));
                    set(&mut object, &["subjects"], Yaml::Sequence(vec![Yaml::mapping(subject)]));
                }
                _ => {
                    set(&mut object, &["metadata", "name"], string(role));
                    if *role == names.roles[0] {
                        push(&mut object, &["rules"], of_the_complement());
                    }
                }
            }
            objects.push(object);
        }
    }
    notes.push(Note::new(
        "serviceAccountName",
        Weight::Changed,
        match account {
            Some(account) => format!("{account} keeps its rights, and gets those of the sidecar"),
            None => format!(
                "{}, which has the rights of manifests/rbac: the account \"default\" may have had others",
                names.account
            ),
        },
    ));
    for text in COMMON {
        objects.extend(documents(text).map(|object| common(object, old, names, notes)));
    }
    objects
}

/// What Prometheus itself asks the API server for beside the complement's sidecar: jobs with the roles service and
/// ingress are no node's.
fn of_the_complement() -> Yaml {
    let list = |items: &[&str]| texts(items.iter().map(|item| (*item).to_owned()));
    Yaml::mapping([
        ("apiGroups", list(&["networking.k8s.io"])),
        ("resources", list(&["ingresses"])),
        ("verbs", list(&["list", "watch"])),
    ])
}

/// The NetworkPolicy and the PodMonitor, for the Pods of this migration.
fn common(mut object: Yaml, old: &Old, names: &Names, notes: &mut Vec<Note>) -> Yaml {
    set(&mut object, &["metadata", "name"], string(&names.nodes));
    set(&mut object, &["metadata", "namespace"], string(&old.namespace));
    for selector in ["podSelector", "selector"] {
        if object.get("spec").and_then(|spec| spec.get(selector)).is_some() {
            let labels = at(&mut object, &["spec", selector, "matchLabels"]);
            set(labels, &[INSTANCE], string(&names.base));
        }
    }
    if object.get("kind").and_then(Yaml::text) == Some("PodMonitor") {
        notes.extend(own_metrics::label(&mut object, &names.nodes, old));
    }
    object
}

fn documents(text: &str) -> impl Iterator<Item = Yaml> {
    let documents = yaml::read_all(text).expect("a manifest of ours is YAML");
    documents.into_iter().map(|Document { yaml, .. }| yaml)
}
