//! Two agents that would scrape the same monitors: each target twice, and each series twice at the receiver.

use super::finding::{Finding, Verdict};
use super::selection::{KINDS, renders, takes};
use super::set::{MONITORING, Set};
use super::shadow::canonical;
use crate::operator::Manifest;
use crate::yaml::Yaml;

/// So many monitors are named.
const NAMED: usize = 3;

/// Something that scrapes, and what selects its monitors.
struct Scraper<'a> {
    object: &'a Manifest,
    selectors: Vec<&'a Manifest>,
    /// Whether it has its part, and others have theirs: those on the nodes and the complement scrape no target twice.
    has_part: bool,
}

impl<'a> Scraper<'a> {
    /// What selects its monitors of that kind.
    fn selecting(&self, kind: &str) -> impl Iterator<Item = &'a Manifest> {
        self.selectors.iter().copied().filter(move |agent| renders(agent, kind))
    }
}

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    let nodes = set.nodes.iter().map(|agent| Scraper {
        object: agent.object,
        selectors: agent.selectors().collect(),
        has_part: false,
    });
    let complements = set.complements.iter().map(|complement| Scraper {
        object: complement.object,
        selectors: complement.shadows.clone(),
        has_part: true,
    });
    let others = set.running().filter(|agent| !takes_only_the_rest(agent));
    let others =
        others.map(|agent| Scraper { object: agent, selectors: vec![agent], has_part: false });
    let scrapers: Vec<Scraper<'_>> = nodes.chain(complements).chain(others).collect();
    for (at, one) in scrapers.iter().enumerate() {
        for other in &scrapers[at + 1..] {
            for (kind, selector, namespaces) in KINDS {
                // A shadow that runs is its own finding.
                let fit =
                    one.selectors.contains(&other.object) || (other.has_part && !one.has_part);
                if !fit && let Some(what) = both(set, one, other, kind, selector, namespaces) {
                    // A DaemonSet's monitors are selected by its shadow.
                    let field = match one.selectors.first() {
                        Some(agent) if *agent != one.object => {
                            format!("{selector} of {}", agent.name)
                        }
                        _ => format!("spec.{selector}"),
                    };
                    let why = format!("{other} scrapes {what} too", other = other.object);
                    findings.push(
                        Finding::of(Verdict::Conflict, one.object, field).because(why).instead(
                            "let one of them select fewer: by a label of the monitors, for example",
                        ),
                    );
                }
            }
        }
    }
}

/// What both scrape, if that can be told: monitors of the set, or all that equal selectors select.
fn both(
    set: &Set<'_>,
    one: &Scraper<'_>,
    other: &Scraper<'_>,
    kind: &str,
    selector: &str,
    namespaces: &str,
) -> Option<String> {
    let takes = |scraper: &Scraper<'_>, monitor: &Manifest| {
        scraper.selectors.iter().any(|agent| takes(set, agent, monitor) == Some(true))
    };
    let shared: Vec<String> = set
        .all(MONITORING, kind)
        .filter(|monitor| takes(one, monitor) && takes(other, monitor))
        .map(ToString::to_string)
        .collect();
    if !shared.is_empty() {
        let more = shared.len().saturating_sub(NAMED);
        let named = shared[..shared.len() - more].join(", ");
        return Some(if more > 0 { format!("{named} and {more} more") } else { named });
    }
    let equal = one.selecting(kind).any(|one| {
        other.selecting(kind).any(|other| {
            same(one, other, selector)
                && one.field(&["spec", selector]).is_some()
                && same(one, other, namespaces)
                && (one.field(&["spec", namespaces]).is_some() || in_one_namespace(one, other))
        })
    });
    equal.then(|| format!("the same {kind}s (their selectors are equal)"))
}

fn in_one_namespace(one: &Manifest, other: &Manifest) -> bool {
    !one.namespace.is_empty() && one.namespace == other.namespace
}

fn same(one: &Manifest, other: &Manifest, field: &str) -> bool {
    let of = |agent: &Manifest| {
        let value = agent.field(&["spec", field]);
        // {} selects all, and nothing selects none.
        (value.is_some(), canonical(field, value))
    };
    of(one) == of(other)
}

/// An agent for what belongs to no node: its default scrape class drops what has one.
fn takes_only_the_rest(agent: &Manifest) -> bool {
    let text = |node: &Yaml, key: &str| node.get(key).and_then(Yaml::text).map(str::to_lowercase);
    let classes = agent.items(&["spec", "scrapeClasses"]).iter();
    let default = classes.filter(|class| text(class, "default").as_deref() == Some("true"));
    let rules = default.filter_map(|class| class.get("relabelings")?.items()).flatten();
    rules.filter(|rule| text(rule, "action").as_deref() == Some("drop")).any(|rule| {
        let labels = rule.get("sourceLabels").and_then(Yaml::items).unwrap_or_default();
        labels.iter().filter_map(Yaml::text).any(|label| label.ends_with("_node_name"))
    })
}
