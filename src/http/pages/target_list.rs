//! Targets, one line each, with what they came from and all labels inside.

use super::html::Html;
use super::parts::{Tone, badge, has_all};
use super::reasons::words;
use crate::targets::{Labels, ObjectRef, Reason, Target};
use std::collections::HashMap;
use std::fmt::Write as _;

/// More than these are not shown: a page that a browser can still show, and a search finds the rest.
pub(super) const MOST_SHOWN: usize = 1000;

/// What every label of a target begins with.
const META: &str = "__meta_kubernetes_";

/// What is seen of a target before it is opened.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    /// The Pod, or else the Service or the Node.
    object: String,
    /// The Service, or the container.
    via: String,
    port: String,
    ready: String,
}

/// The targets that have all words of the search.
pub(super) fn found<'a>(
    targets: impl Iterator<Item = &'a Target>,
    search: &str,
) -> Vec<&'a Target> {
    if search.trim().is_empty() {
        return targets.collect();
    }
    targets.filter(|target| has_all(&text_of(target), search)).collect()
}

/// A list that is followed live; with the reason of each target that no node serves.
pub(super) fn list(html: &mut Html, targets: &[(&Target, Option<Reason>)]) {
    html.element("div", &[("class", "columns"), ("aria-hidden", "true")], |columns| {
        for name in ["Address", "Object", "Service or container", "Port", ""] {
            columns.leaf("span", &[], name);
        }
    });
    html.element("div", &[("class", "targets"), ("id", "targets"), ("data-live", "")], |list| {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (target, reason) in targets {
            // One address may have several targets.
            let number = seen.entry(&target.address).or_default();
            *number += 1;
            item(list, target, *reason, &format!("{} {number}", target.address));
        }
    });
}

fn item(html: &mut Html, target: &Target, reason: Option<Reason>, key: &str) {
    let line = Line::of(&target.labels);
    html.element("details", &[("class", "target"), ("data-key", key)], |details| {
        details.element("summary", &[], |summary| {
            summary.leaf("span", &[("class", "address")], &target.address);
            summary.leaf("span", &[("class", "object")], &line.object);
            summary.leaf("span", &[("class", "via")], &line.via);
            summary.leaf("span", &[("class", "port")], &line.port);
            summary.element("span", &[("class", "ready")], |ready| match (reason, &*line.ready) {
                (Some(reason), _) => badge(ready, Tone::Warning, words(reason)),
                (None, "true") => badge(ready, Tone::Good, "ready"),
                (None, "false") => badge(ready, Tone::Warning, "not ready"),
                (None, _) => {}
            });
        });
        details.element("div", &[("class", "inside")], |inside| {
            sources(inside, &target.sources);
            labels(inside, &target.labels);
        });
    });
}

fn sources(html: &mut Html, sources: &[ObjectRef]) {
    html.element("p", &[("class", "sources")], |p| {
        p.text("Made from ");
        for (number, ObjectRef { kind, key }) in sources.iter().enumerate() {
            p.text(if number > 0 { ", " } else { "" });
            p.text(format_args!("{kind} "));
            if *kind == "Pod" {
                let title = [("title", "Why it is a target")];
                p.link("/debug/explain", &[("pod", &key.to_string())], &title, key);
            } else {
                p.leaf("b", &[], key);
            }
        }
    });
}

fn labels(html: &mut Html, labels: &Labels) {
    html.element("dl", &[("class", "labels")], |list| {
        for (name, value) in labels {
            list.element("div", &[], |pair| {
                pair.element("dt", &[], |dt| match name.strip_prefix(META) {
                    Some(rest) => {
                        dt.leaf("i", &[], META);
                        dt.text(rest);
                    }
                    None => dt.text(name),
                });
                pair.leaf("dd", &[], value);
            });
        }
    });
}

/// What is searched in, in lower case.
fn text_of(target: &Target) -> String {
    let Line { object, .. } = Line::of(&target.labels);
    let mut text = format!("{} {object}", target.address);
    for (name, value) in &target.labels {
        let _ = write!(text, " {name}={value}"); // a String takes all
    }
    text.to_lowercase()
}

// === impl Line ===

impl Line {
    fn of(labels: &Labels) -> Self {
        // The first of these that is there.
        let first = |names: &[&str]| {
            let name = |name: &&str| labels.get(&*format!("{META}{name}"));
            names.iter().find_map(name).map(ToString::to_string).unwrap_or_default()
        };
        let service = first(&["service_name", "endpoints_name"]);
        let name = match first(&[
            "pod_name",
            "endpoint_address_target_name",
            "endpointslice_address_target_name",
        ]) {
            name if !name.is_empty() => name,
            _ if !service.is_empty() => service.clone(),
            _ => first(&["endpointslice_name", "node_name"]),
        };
        let namespace = first(&["namespace"]);
        let object = if namespace.is_empty() { name } else { format!("{namespace}/{name}") };
        Self {
            object,
            via: if service.is_empty() { first(&["pod_container_name"]) } else { service },
            port: first(&[
                "endpointslice_port_name",
                "endpoint_port_name",
                "pod_container_port_name",
                "endpointslice_port",
                "pod_container_port_number",
            ]),
            ready: first(&[
                "endpointslice_endpoint_conditions_ready",
                "endpoint_ready",
                "pod_ready",
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(name, value)| (format!("{META}{name}").into(), (*value).into()))
            .collect()
    }

    #[test]
    fn what_is_seen_of_a_target() {
        let line = |object: &str, via: &str, port: &str, ready: &str| Line {
            object: object.to_owned(),
            via: via.to_owned(),
            port: port.to_owned(),
            ready: ready.to_owned(),
        };
        for (pairs, expected) in [
            (
                &[
                    ("namespace", "shop"),
                    ("pod_name", "web-1"),
                    ("pod_container_name", "app"),
                    ("pod_container_port_name", "http"),
                    ("pod_ready", "true"),
                ][..],
                line("shop/web-1", "app", "http", "true"),
            ),
            (
                &[
                    ("namespace", "shop"),
                    ("pod_name", "web-1"),
                    ("pod_ready", "true"),
                    ("pod_container_name", "app"),
                    ("service_name", "web"),
                    ("endpointslice_port_name", "metrics"),
                    ("endpointslice_endpoint_conditions_ready", "false"),
                ],
                line("shop/web-1", "web", "metrics", "false"),
            ),
            (
                &[("namespace", "shop"), ("service_name", "external"), ("endpoint_ready", "true")],
                line("shop/external", "external", "", "true"),
            ),
            (&[("node_name", "node-a")], line("node-a", "", "", "")),
            (&[], line("", "", "", "")),
        ] {
            assert_eq!(Line::of(&labels(pairs)), expected);
        }
    }

    #[test]
    fn a_search_looks_at_all_labels() {
        let target = |address: &str, app: &str| Target {
            address: address.to_owned(),
            labels: labels(&[("namespace", "shop"), ("pod_name", "p"), ("pod_label_app", app)]),
            sources: Vec::new(),
        };
        let targets = [target("10.0.0.1:80", "Web"), target("10.0.0.2:80", "cart")];
        for (search, expected) in
            [("", 2), ("web", 1), ("label_app=cart", 1), ("shop/p 10.0", 2), ("web cart", 0)]
        {
            assert_eq!(found(targets.iter(), search).len(), expected, "{search}");
        }
    }
}
