//! Alert rules that say nothing when a node dies. Its agent dies with it, so `up` of the node's targets is then
//! absent, and not 0.

use super::finding::{Finding, Verdict};
use super::set::{MONITORING, Set};
use super::up::relies_on_up;
use crate::yaml::Yaml;

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for object in set.all(MONITORING, "PrometheusRule") {
        for (group_number, group) in object.items(&["spec", "groups"]).iter().enumerate() {
            let rules = group.get("rules").and_then(Yaml::items).unwrap_or_default();
            for (number, rule) in rules.iter().enumerate() {
                let text = |key| rule.get(key).and_then(Yaml::text).filter(|text| !text.is_empty());
                if let (Some(alert), Some(expression)) = (text("alert"), text("expr"))
                    && relies_on_up(expression)
                {
                    let field = format!("spec.groups[{group_number}].rules[{number}].expr");
                    let why = format!(
                        "{alert}: a node that dies takes its agent along, and up is absent then, not 0"
                    );
                    findings.push(Finding::of(Verdict::Silent, object, field).because(why).instead(
                        "add an alert that starts from the nodes: kube_node_info unless on (node) up{…} == 1, \
                         where up has a label node, or kube_node_status_condition{condition=\"Ready\",status=\"true\"} == 0",
                    ));
                }
            }
        }
    }
}
