//! The nodes and the complement share the targets out between them without a word to each other. So they must have
//! the same idea of who has which part, or some are scraped twice, and some by nobody.

use super::finding::{Finding, Verdict};
use super::set::{Complement, NodeAgent, Set, may_be_same, says, values};
use crate::objects::StringMap;
use crate::selector::LabelSelector;
use crate::yaml::Yaml;

/// Flags that must be the same, and their defaults.
const SHARED: [(&str, Option<&str>); 4] = [
    ("--exclude", None),
    ("--endpoints-from", Some("pods")),
    ("--foreign-slices", Some("auto")),
    ("--kubelet-node-address-priority", Some("internal")),
];

/// The flag by which nodes leave jobs that they would scrape alike.
const LEAVE: &str = "--leave-to-complement";

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for complement in &set.complements {
        for agent in &set.nodes {
            if let Some(sidecar) = agent.sidecar {
                flags(agent, sidecar, complement, findings);
                alike(agent, sidecar, complement, findings);
            }
        }
        agents(set, complement, findings);
    }
}

fn flags(
    agent: &NodeAgent<'_>,
    sidecar: &Yaml,
    complement: &Complement<'_>,
    findings: &mut Vec<Finding>,
) {
    for (flag, default) in SHARED {
        let of = |container| {
            let given = values(container, flag);
            if given.is_empty() { default.into_iter().collect() } else { given }
        };
        let (theirs, ours) = (of(sidecar), of(complement.sidecar));
        if theirs != ours {
            let said = |values: &[&str]| {
                if values.is_empty() { "none".to_owned() } else { values.join(", ") }
            };
            let why = format!(
                "{flag} is {} here and {} for {}: some targets are scraped twice, or by nobody",
                said(&ours),
                said(&theirs),
                agent.object
            );
            findings.push(
                Finding::of(Verdict::Conflict, complement.object, flag)
                    .because(why)
                    .instead("give both the same"),
            );
        }
    }
}

/// A shadow that renders ScrapeConfigs gives their jobs to all.
fn alike(
    agent: &NodeAgent<'_>,
    sidecar: &Yaml,
    complement: &Complement<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut fields = ["scrapeConfigSelector", "additionalScrapeConfigs"].into_iter();
    let field = fields
        .find(|field| agent.selectors().any(|shadow| shadow.field(&["spec", field]).is_some()));
    if let (Some(field), false) = (field, says(sidecar, LEAVE)) {
        let why = format!(
            "its shadow has {field}: jobs that are the same for all nodes are scraped by each of them, and by {}",
            complement.object
        );
        findings.push(
            Finding::of(Verdict::Conflict, agent.object, LEAVE)
                .because(why)
                .instead("give the nodes' sidecars --leave-to-complement"),
        );
    }
}

/// `--agents` says which Pods scrape their nodes. Nodes without one are scraped by the complement.
fn agents(set: &Set<'_>, complement: &Complement<'_>, findings: &mut Vec<Finding>) {
    let found = |verdict| Finding::of(verdict, complement.object, "--agents");
    let instead = "give it NAMESPACE/LABELSELECTOR of the nodes' agents";
    let given = values(complement.sidecar, "--agents");
    let Some(given) = given.first() else {
        findings.push(
            found(Verdict::Note)
                .because("without it, targets of nodes that have no agent are scraped by nobody"),
        );
        return;
    };
    let Some((namespace, labels)) = given.split_once('/') else { return };
    let Ok(labels) = LabelSelector::parse(labels) else { return };
    for agent in set.nodes.iter().filter(|agent| agent.sidecar.is_some()) {
        let object = agent.object;
        // The operator adds labels of its own to its Pods.
        let unknown = agent.by_operator;
        let own: StringMap = object
            .field(&["spec", "template", "metadata", "labels"])
            .and_then(Yaml::entries)
            .unwrap_or_default()
            .iter()
            .filter_map(|(key, value)| Some((&*key.text, value.text()?)))
            .collect();
        if !may_be_same(namespace, &object.namespace) || (!unknown && !labels.matches(&own)) {
            let why = format!(
                "{given} does not select the Pods of {object}: every node seems to have no agent, and all is scraped twice"
            );
            findings.push(found(Verdict::Conflict).because(why).instead(instead));
        }
    }
}
