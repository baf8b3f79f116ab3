//! The complement: one agent that scrapes what no node's agent does.

use super::daemonset;
use super::edit::{at, items, name, plain, remove, set, texts};
use super::names::Names;
use super::old::Old;
use super::plan::Settings;
use super::pods;
use crate::yaml::Yaml;

/// How long the complement waits before it takes over what belongs to a node without an agent, in minutes: a rollout
/// has replaced the node's agent by then.
pub(super) const AGENT_DELAY: u32 = 5;

/// The Deployment.
pub(super) fn complement(old: &Old, names: &Names, settings: &Settings) -> Yaml {
    let mut deployment = daemonset::template(old, names, &names.complement);
    set(&mut deployment, &["kind"], plain("Deployment"));
    remove(&mut deployment, &["spec"], "updateStrategy"); // a DaemonSet's
    set(&mut deployment, &["spec", "replicas"], plain("1"));
    // Never two at once, which would scrape everything twice.
    set(&mut deployment, &["spec", "strategy"], Yaml::mapping([("type", plain("Recreate"))]));
    let pod = at(&mut deployment, &["spec", "template"]);
    // What there is to say of the Pods is said of those on the nodes.
    pods::edit(pod, old, names, settings, &mut Vec::new());
    let spec = at(pod, &["spec"]);
    remove(spec, &[], "tolerations"); // everything
    for field in ["tolerations", "affinity"] {
        if let Some(value) = old.field(field) {
            set(spec, &[field], value.clone());
        }
    }
    for (key, value) in old.field("nodeSelector").and_then(Yaml::entries).unwrap_or_default() {
        set(spec, &["nodeSelector", &key.text], value.clone());
    }
    for container in items(spec, &["containers"]) {
        if let (true, Some(resources)) =
            (name(container) == pods::PROMETHEUS, old.field("resources"))
        {
            set(container, &["resources"], resources.clone());
        }
    }
    for container in items(spec, &["initContainers"]) {
        if name(container) == pods::SIDECAR {
            let own = [
                "--complement".to_owned(),
                format!("--agents={}/{}", old.namespace, names.node_selector()),
                format!("--agent-delay={AGENT_DELAY}m"),
            ];
            let arguments = container.get("args").and_then(Yaml::items).unwrap_or_default();
            let mut arguments: Vec<String> =
                arguments.iter().filter_map(Yaml::text).map(str::to_owned).collect();
            arguments.splice(1..1, own); // after "run"
            set(container, &["args"], texts(arguments));
            if let Yaml::Sequence(variables) = at(container, &["env"]) {
                variables.retain(|variable| name(variable) != "NODE_NAME");
            }
        }
    }
    deployment
}
