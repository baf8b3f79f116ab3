//! Monitors that prometheus-operator accepts and whose jobs Prometheus refuses, and with one of them the whole
//! file. The sidecar leaves such a job out, and keeps the others. Each was seen with 0.93.1 and a real Prometheus
//! (`tests/e2e/operator/refused.rs`).

use super::selection::takes;
use super::set::Set;
use crate::config::check_expression;
use crate::operator::Manifest;
use crate::yaml::Yaml;

/// What Prometheus refuses.
pub(super) struct Breaking {
    /// The field.
    pub(super) field: String,
    /// Why.
    pub(super) why: String,
    /// What to do.
    pub(super) instead: &'static str,
}

/// Ways to authenticate that a monitor's entry has; `bearerTokenFile` is the one that the operator's own test of
/// there being one leaves out.
const WAYS: [&str; 5] =
    ["basicAuth", "oauth2", "authorization", "bearerTokenSecret", "bearerTokenFile"];

/// What of the monitor Prometheus refuses.
pub(super) fn find(set: &Set<'_>, monitor: &Manifest) -> Vec<Breaking> {
    let mut found = Vec::new();
    let list = match &*monitor.kind {
        "ServiceMonitor" => "endpoints",
        "PodMonitor" => "podMetricsEndpoints",
        _ => return found,
    };
    let class = class_with_authorization(set, monitor);
    for (number, entry) in monitor.items(&["spec", list]).iter().enumerate() {
        let at = |field: &str| format!("spec.{list}[{number}]{field}");
        authentications(entry, class.as_deref(), &at, &mut found);
        for field in ["port", "targetPort"] {
            if let Some(Err(error)) = text(entry, field).map(check_expression) {
                let why = format!("it goes into a regular expression as it is: {error}");
                let instead = "name a port without brackets";
                found.push(Breaking { field: at(&format!(".{field}")), why, instead });
            }
        }
    }
    let labels = monitor.items(&["spec", "targetLabels"]);
    if labels.iter().any(|label| label.text() == Some("")) {
        let why = "an empty name makes a rule without a target".to_owned();
        let instead = "take the empty name out of the list";
        found.push(Breaking { field: "spec.targetLabels".to_owned(), why, instead });
    }
    found
}

fn authentications(
    entry: &Yaml,
    class: Option<&str>,
    at: &impl Fn(&str) -> String,
    found: &mut Vec<Breaking>,
) {
    let given = |way: &&&str| {
        entry.get(way).is_some_and(|value| !value.is_null() && value.text() != Some(""))
    };
    let ways: Vec<&str> = WAYS.iter().filter(given).copied().collect();
    if ways.len() > 1 {
        let why = format!("it has more than one authentication: {}", ways.join(" and "));
        found.push(Breaking { field: at(""), why, instead: "leave one" });
    } else if let (Some(class), Some(way)) = (class, ways.iter().find(|w| **w != "authorization")) {
        let why = format!("its scrape class {class} has authorization, which is added to {way}");
        let instead = "name a scrape class without authorization";
        found.push(Breaking { field: at(&format!(".{way}")), why, instead });
    }
}

/// The scrape class that an agent of the nodes adds, if it has an authorization: that which the monitor names, or
/// the default one.
fn class_with_authorization(set: &Set<'_>, monitor: &Manifest) -> Option<String> {
    let named = monitor.text(&["spec", "scrapeClass"]).filter(|name| !name.is_empty());
    let renderers = set.renderers().chain(set.running());
    let renderers = renderers.filter(|agent| takes(set, agent, monitor) == Some(true));
    let classes = renderers.flat_map(|agent| agent.items(&["spec", "scrapeClasses"]));
    let chosen = classes.filter(|class| match named {
        Some(name) => text(class, "name") == Some(name),
        None => text(class, "default") == Some("true"),
    });
    let with = chosen.filter(|class| class.get("authorization").is_some_and(|a| !a.is_null()));
    with.filter_map(|class| text(class, "name")).next().map(str::to_owned)
}

fn text<'a>(node: &'a Yaml, key: &str) -> Option<&'a str> {
    node.get(key).and_then(Yaml::text)
}
