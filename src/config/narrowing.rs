//! What the relabel rules of a job say about its targets before they are asked for.
//!
//! A monitor's rules drop all targets but those of some Services and of one port. A question that says so
//! has a smaller answer. The rules stay in the job, so narrowing must only never leave out a target that they
//! keep: rules whose meaning is not plain are passed over.

use super::rule::Rule;
use crate::selector::LabelSelector;

/// How a question can be narrowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Narrowing {
    /// A label selector for Services.
    pub(super) service: Option<String>,
    /// Names of ports.
    pub(super) ports: Vec<String>,
}

impl Narrowing {
    /// What the rules of a job with that role say.
    pub(super) fn of(role: &str, rules: &[Rule]) -> Self {
        let port_name = match role {
            "pod" => "__meta_kubernetes_pod_container_port_name",
            "endpoints" => "__meta_kubernetes_endpoint_port_name",
            "endpointslice" => "__meta_kubernetes_endpointslice_port_name",
            _ => return Self::default(),
        };
        let mut narrowing = Self::default();
        let mut services = Vec::new();
        // Discovery's labels as they are, because a rule has to see what discovery says.
        let unchanged = rules.iter().take_while(|rule| {
            let meta = |label: &str| label.starts_with("__meta_kubernetes_");
            !rule.writes_any_label() && !rule.written_label().is_some_and(meta)
        });
        for rule in unchanged.filter(|rule| rule.action == "keep") {
            if narrowing.ports.is_empty() && rule.source_labels == [port_name] {
                narrowing.ports = alternatives(&rule.regex).unwrap_or_default();
            }
            if role != "pod" {
                services.extend(requirement(rule));
            }
        }
        let service = services.join(",");
        let good = !service.is_empty() && LabelSelector::parse(&service).is_ok();
        narrowing.service = good.then_some(service);
        narrowing
    }
}

/// What a rule requires of a label of the Service.
fn requirement(rule: &Rule) -> Option<String> {
    const VALUE: &str = "__meta_kubernetes_service_label_";
    const PRESENT: &str = "__meta_kubernetes_service_labelpresent_";
    match rule.source_labels.as_slice() {
        [present] if rule.regex == "true" => original(present.strip_prefix(PRESENT)?),
        [value, present] if rule.separator == ";" => {
            let name = value.strip_prefix(VALUE)?;
            if present.strip_prefix(PRESENT)? != name {
                return None;
            }
            let values = alternatives(rule.regex.strip_suffix(";true")?)?;
            Some(format!("{} in ({})", original(name)?, values.join(",")))
        }
        _ => None,
    }
}

/// The label that has that name in Prometheus. Each `_` may have been any of `.`, `-`, `/` and `_`, so that
/// only names without it tell theirs.
fn original(name: &str) -> Option<String> {
    (!name.is_empty() && !name.contains('_')).then(|| name.to_owned())
}

/// The texts that an expression matches, if it is nothing but texts. A dot is none: it matches all
/// characters.
fn alternatives(expression: &str) -> Option<Vec<String>> {
    let inside = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let texts: Vec<String> = inside.unwrap_or(expression).split('|').map(str::to_owned).collect();
    let literal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    texts.iter().all(|text| !text.is_empty() && text.chars().all(literal)).then_some(texts)
}
