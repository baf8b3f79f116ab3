//! Labels of series that change with the Pod. A DaemonSet's Pod names are random: each rollout would make all
//! series new.

use super::finding::{Finding, Verdict};
use super::set::Set;
use crate::operator::Manifest;
use crate::yaml::Yaml;

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for agent in &set.nodes {
        // Whose `global` the agent has: its own, or that of the shadow if that is all it reads.
        let global = if agent.by_operator { vec![agent.object] } else { agent.shadows.clone() };
        for owner in global {
            replica_label(owner, owner != agent.object, findings);
            pod_names(owner, findings);
        }
    }
}

/// By default the operator adds `prometheus_replica: $(POD_NAME)`. An agent of the operator that sets another
/// name is judged with its fields.
fn replica_label(owner: &Manifest, is_shadow: bool, findings: &mut Vec<Finding>) {
    let name = owner.field(&["spec", "replicaExternalLabelName"]).and_then(Yaml::text);
    let harmful = match name {
        None => true,
        Some(name) => is_shadow && !name.is_empty(),
    };
    if harmful {
        let finding = Finding::of(Verdict::Half, owner, "spec.replicaExternalLabelName");
        findings.push(
            finding
                .because("each series carries the Pod's random name, and each rollout makes all series new")
                .instead("set it to \"\""),
        );
    }
}

fn pod_names(owner: &Manifest, findings: &mut Vec<Finding>) {
    let labels = owner.field(&["spec", "externalLabels"]).and_then(Yaml::entries);
    for (name, value) in labels.unwrap_or_default() {
        if value.text().is_some_and(|text| text.contains("$(POD_NAME)")) {
            let finding =
                Finding::of(Verdict::Half, owner, format!("spec.externalLabels.{}", name.text));
            findings.push(
                finding
                    .because("it is the Pod's random name, and each rollout makes all series new")
                    .instead("use $(NODE_NAME), or leave it out"),
            );
        }
    }
}
