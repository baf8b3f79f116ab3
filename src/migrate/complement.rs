//! The complement: one agent that scrapes what no node's agent does.

use super::edit::{at, items, name, set, texts};
use super::names::Names;
use super::old::Old;
use super::settings::Settings;
use super::{affinity, daemonset, pods};
use crate::yaml::Yaml;

const TEMPLATE: &str = include_str!("../../manifests/components/complement/deployment.yaml");
/// The flag of the template that names its nodes' agents.
const AGENTS: &str = "--agents=";

/// How long the complement waits before it takes over what belongs to a node without an agent, in minutes: a rollout
/// has replaced the node's agent by then.
pub(super) const AGENT_DELAY: u32 = 5;

/// The Deployment.
pub(super) fn complement(old: &Old, names: &Names, settings: &Settings) -> Yaml {
    let mut deployment = daemonset::template(TEMPLATE, old, names, &names.complement);
    let pod = at(&mut deployment, &["spec", "template"]);
    // What there is to say of the Pods is said of those on the nodes.
    pods::edit(pod, old, names, settings, &mut Vec::new());
    let spec = at(pod, &["spec"]);
    if let Some(tolerations) = old.field("tolerations") {
        set(spec, &["tolerations"], tolerations.clone());
    }
    if let Some(affinity) = affinity::of_complement(old) {
        set(spec, &["affinity"], affinity);
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
            let own = |argument: &str| match argument.strip_prefix(AGENTS) {
                Some(_) => vec![
                    format!("{AGENTS}{}/{}", old.namespace, names.node_selector()),
                    format!("--agent-delay={AGENT_DELAY}m"),
                ],
                None => vec![argument.to_owned()],
            };
            let arguments = container.get("args").and_then(Yaml::items).unwrap_or_default();
            let arguments: Vec<String> =
                arguments.iter().filter_map(Yaml::text).flat_map(own).collect();
            set(container, &["args"], texts(arguments));
        }
    }
    deployment
}
