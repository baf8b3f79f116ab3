//! `/debug/targets` and `/debug/unassigned`: what a query finds here.

use super::html::Html;
use super::layout::{Page, Tab};
use super::parts::{count, search};
use super::question::Asked;
use super::reasons;
use super::target_list::{MOST_SHOWN, found, list};
use crate::http::app::App;
use crate::http::debug::{NotBuilt, built};
use crate::targets::{Reason, Role, Target, Targets};
use http::HeaderMap;
use std::collections::BTreeSet;

const UNASSIGNED: &str = "/debug/unassigned";

/// What is served.
pub(in crate::http) async fn targets(app: &App, query: Option<&str>, headers: &HeaderMap) -> Page {
    let asked = Asked::read("/debug/targets", query, Role::Pod);
    let lead =
        "What this sidecar serves for a query, with the labels that kubernetes_sd would give.";
    page(app, headers, (Tab::Targets, "Targets", lead), &asked, |targets| {
        targets.own.iter().map(|target| (target, None)).collect()
    })
    .await
}

/// What no node serves.
pub(in crate::http) async fn unassigned(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Page {
    let asked = Asked::read(UNASSIGNED, query, Role::EndpointSlice);
    let lead = "What a query finds and no node serves, as far as this sidecar can tell.";
    page(app, headers, (Tab::Unassigned, "Unassigned endpoints", lead), &asked, |targets| {
        targets.unassigned.iter().map(|one| (&one.target, Some(one.reason))).collect()
    })
    .await
}

type Listed<'a> = Vec<(&'a Target, Option<Reason>)>;

async fn page(
    app: &App,
    headers: &HeaderMap,
    (tab, title, lead): (Tab, &'static str, &'static str),
    asked: &Asked,
    listed: impl FnOnce(&Targets) -> Listed<'_>,
) -> Page {
    let built = built(app, Some(&asked.query()), Some(asked.default), headers).await;
    let status = built.as_ref().err().map(NotBuilt::status);
    let page = Page::new(tab, title, |html| {
        html.leaf("h1", &[], title);
        html.leaf("p", &[("class", "lead")], lead);
        match &built {
            Ok((_, targets)) => {
                let listed = listed(targets);
                let namespaces: BTreeSet<&str> = listed
                    .iter()
                    .filter_map(|(target, _)| target.labels.get("__meta_kubernetes_namespace"))
                    .map(|namespace| &**namespace)
                    .collect();
                asked.form(html, &namespaces);
                results(html, asked, &listed);
            }
            Err(refused) => {
                asked.form(html, &BTreeSet::new());
                html.element("div", &[("id", "targets"), ("data-live", "")], |live| {
                    live.leaf("p", &[("class", "refused"), ("role", "alert")], refused);
                });
            }
        }
    });
    match status {
        Some(status) => page.with_status(status),
        None => page,
    }
}

fn results(html: &mut Html, asked: &Asked, listed: &Listed<'_>) {
    let matching: BTreeSet<*const Target> =
        found(listed.iter().map(|(target, _)| *target), &asked.search)
            .into_iter()
            .map(std::ptr::from_ref)
            .collect();
    let shown: Listed<'_> = listed
        .iter()
        .filter(|(target, _)| matching.contains(&std::ptr::from_ref(*target)))
        .take(MOST_SHOWN)
        .copied()
        .collect();
    html.element(
        "p",
        &[("class", "count"), ("id", "count"), ("role", "status"), ("data-live", "")],
        |p| {
            let all = count(listed.len(), "target", "targets");
            if asked.search.trim().is_empty() {
                p.text(all);
            } else {
                p.text(format_args!("{} of {all}", matching.len()));
            }
            if shown.len() < matching.len() {
                p.text(format_args!(
                    "; the first {MOST_SHOWN} are shown: a search finds the others"
                ));
            }
        },
    );
    if asked.path == UNASSIGNED {
        reasons::explained(html, &listed.iter().filter_map(|(_, reason)| *reason).collect());
    }
    list(html, &shown);
}

impl Asked {
    /// Roles to choose from, and what to look for.
    fn form(&self, html: &mut Html, namespaces: &BTreeSet<&str>) {
        html.element("div", &[("class", "controls")], |controls| {
            let attributes =
                [("class", "roles"), ("aria-label", "Role"), ("id", "roles"), ("data-live", "")];
            controls.element("nav", &attributes, |nav| {
                for role in Role::ALL {
                    if self.path == UNASSIGNED && matches!(role, Role::Pod | Role::Node) {
                        continue;
                    }
                    let current: &[(&'static str, &str)] =
                        if self.role() == role.name() { &[("aria-current", "true")] } else { &[] };
                    nav.link(self.path, &self.of_role(role), current, role.name());
                }
            });
            let form =
                [("method", "get"), ("action", self.path), ("role", "search"), ("data-follow", "")];
            controls.element("form", &form, |form| {
                for (name, value) in self.kept() {
                    form.void("input", &[("type", "hidden"), ("name", name), ("value", value)]);
                }
                search(form, &self.search, "address, name, label=value …");
                if self.role() != Role::Node.name() {
                    self.namespace_field(form, namespaces);
                }
                form.leaf("button", &[("type", "submit")], "Search");
            });
        });
    }

    fn namespace_field(&self, form: &mut Html, namespaces: &BTreeSet<&str>) {
        form.element("label", &[("class", "namespace")], |label| {
            label.leaf("span", &[], "Namespace");
            let value = self.namespace().unwrap_or_default();
            label.void(
                "input",
                &[
                    ("name", "namespace"),
                    ("value", value),
                    ("list", "namespaces"),
                    ("placeholder", "all"),
                    ("autocomplete", "off"),
                    ("spellcheck", "false"),
                    ("data-settle", ""),
                ],
            );
        });
        form.element("datalist", &[("id", "namespaces")], |list| {
            for name in namespaces {
                list.void("option", &[("value", name)]);
            }
        });
    }
}
