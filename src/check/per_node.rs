//! What of a monitor has another effect where each node has an agent (`docs/monitors.md`).

use super::finding::{Finding, Verdict};
use super::monitors::no_node;
use super::set::{MONITORING, Set, values};
use crate::operator::Manifest;
use crate::yaml::Yaml;

/// Limits that an agent counts for itself.
const LIMITS: [&str; 2] = ["targetLimit", "keepDroppedTargets"];
/// Slices are computed on the nodes from Pods, and then their names are not known.
const NAME: &str = "__meta_kubernetes_endpointslice_name";

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for kind in ["ServiceMonitor", "PodMonitor"] {
        let all = set.all(MONITORING, kind);
        for monitor in all.filter(|monitor| no_node(set, monitor).is_none()) {
            limits(monitor, findings);
            if kind == "ServiceMonitor" && !all_read_slices(set) {
                names(monitor, findings);
            }
        }
    }
}

fn limits(monitor: &Manifest, findings: &mut Vec<Finding>) {
    for field in LIMITS {
        if monitor.text(&["spec", field]).is_some_and(|limit| limit != "0") {
            findings.push(
                Finding::of(Verdict::Half, monitor, format!("spec.{field}"))
                    .because("each agent counts its own targets: it is per node")
                    .instead(
                        "choose it for one node; a limit that fits the cluster is never reached",
                    ),
            );
        }
    }
}

fn names(monitor: &Manifest, findings: &mut Vec<Finding>) {
    for (number, entry) in monitor.items(&["spec", "endpoints"]).iter().enumerate() {
        let rules = entry.get("relabelings").and_then(Yaml::items).unwrap_or_default();
        for (rule_number, rule) in rules.iter().enumerate() {
            let labels = rule.get("sourceLabels").and_then(Yaml::items).unwrap_or_default();
            if labels.iter().any(|label| label.text() == Some(NAME)) {
                let field = format!("spec.endpoints[{number}].relabelings[{rule_number}]");
                findings.push(
                    Finding::of(Verdict::Half, monitor, field)
                        .because(format!("{NAME} is empty on the nodes unless slices are read"))
                        .instead("do without it, or give all sidecars --endpoints-from=slices"),
                );
            }
        }
    }
}

/// Whether the sidecars of all nodes of the set are told to.
fn all_read_slices(set: &Set<'_>) -> bool {
    let mut sidecars = set.nodes.iter().filter_map(|agent| agent.sidecar).peekable();
    sidecars.peek().is_some()
        && sidecars.all(|sidecar| values(sidecar, "--endpoints-from").last() == Some(&"slices"))
}
