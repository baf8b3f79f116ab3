//! `/debug/changes`: what came lately, and what it did to targets.

use super::html::Html;
use super::layout::{Page, Tab};
use super::parts::{Tone, badge, count, has_all, search, span, time};
use super::question::Asked;
use crate::history::{Effect, Entry, Event, Few, What};
use crate::http::app::App;
use crate::objects::Resource;
use crate::targets::Role;

const TITLE: &str = "Changes";

/// The page.
pub(in crate::http) fn changes(app: &App, query: Option<&str>) -> Page {
    let asked = Asked::read("/debug/changes", query, Role::Pod);
    let only = asked.kept().any(|(name, _)| name == "targets");
    let entries = app.history.entries();
    let found: Vec<_> = entries
        .iter()
        .filter(|entry| !only || entry.changed_targets())
        .filter(|entry| asked.search.trim().is_empty() || has_all(&text_of(entry), &asked.search))
        .collect();
    Page::new(Tab::Changes, TITLE, |html| {
        html.leaf("h1", &[], TITLE);
        html.leaf(
            "p",
            &[("class", "lead")],
            "What came lately, what it did to the targets of the roles pod and endpointslice without any filter, \
             and how long that took from arrival to publication.",
        );
        let form =
            [("method", "get"), ("action", asked.path), ("role", "search"), ("data-follow", "")];
        html.element("form", &form, |form| {
            search(form, &asked.search, "name, address …");
            form.element("label", &[("class", "check")], |label| {
                let checked: &[_] = if only { &[("checked", "")] } else { &[] };
                let input =
                    [&[("type", "checkbox"), ("name", "targets"), ("value", "changed")], checked];
                label.void("input", &input.concat());
                label.leaf("span", &[], "only what changed targets");
            });
            form.leaf("button", &[("type", "submit")], "Search");
        });
        let attributes =
            [("class", "count"), ("id", "count"), ("role", "status"), ("data-live", "")];
        html.element("p", &attributes, |p| p.text(count(found.len(), "change", "changes")));
        list(html, found.iter().map(|entry| &***entry));
    })
}

/// Entries, followed live.
pub(super) fn list<'a>(html: &mut Html, entries: impl Iterator<Item = &'a Entry>) {
    html.element("ol", &[("class", "changes"), ("id", "changes"), ("data-live", "")], |list| {
        for entry in entries {
            list.element("li", &[("data-key", &entry.version.to_string())], |li| item(li, entry));
        }
    });
}

fn item(html: &mut Html, entry: &Entry) {
    html.element("p", &[("class", "when")], |p| {
        time(p, entry.at);
        p.leaf("span", &[("class", "took")], format_args!("published in {}", span(entry.took)));
    });
    html.element("p", &[("class", "what")], |p| {
        for (number, what) in entry.events.shown.iter().enumerate() {
            p.text(if number > 0 { ", " } else { "" });
            event(p, what);
        }
        if entry.events.more > 0 {
            p.text(format_args!(", and {} more", entry.events.more));
        }
    });
    html.element("div", &[("class", "effect")], |div| match &entry.effects {
        None => badge(div, Tone::Quiet, "too much to compare"),
        Some(effects) if effects.is_empty() => {
            div.leaf("span", &[("class", "quiet")], "no target changed");
        }
        Some(effects) => effects.iter().for_each(|of_role| effect(div, of_role)),
    });
}

fn event(html: &mut Html, Event { resource, what }: &Event) {
    let kind = kind(*resource);
    match what {
        What::Listed(objects) => {
            html.text(format_args!("listed {}", count(*objects, kind, resource_plural(*resource))));
        }
        What::Synced => html.text(format_args!("{} synced", resource_plural(*resource))),
        What::Closed => html.text(format_args!("{} no longer watched", resource_plural(*resource))),
        What::Added(key) | What::Changed(key) | What::Deleted(key) | What::Read(key) => {
            html.text(format_args!("{kind} "));
            html.leaf("b", &[], key);
            html.text(format_args!(" {}", what.name()));
        }
    }
}

fn effect(html: &mut Html, effect: &Effect) {
    html.element("p", &[], |p| {
        p.leaf("span", &[("class", "role")], effect.role.name());
        p.element("span", &[], |span| {
            addresses(span, ("ins", "+", "added"), &effect.added);
            addresses(span, ("del", "−", "removed"), &effect.removed);
            addresses(span, ("span", "~", "with other labels"), &effect.relabelled);
        });
    });
}

/// With a sign for the eye and a word for a screen reader.
fn addresses(
    html: &mut Html,
    (element, sign, word): (&'static str, &'static str, &'static str),
    few: &Few<Box<str>>,
) {
    for address in &few.shown {
        let class = if element == "span" { "address relabelled" } else { "address" };
        html.element(element, &[("class", class), ("title", word)], |inside| {
            inside.leaf("span", &[("aria-hidden", "true")], format_args!("{sign} "));
            inside.leaf("span", &[("class", "hidden")], format_args!("{word} "));
            inside.text(address);
        });
        html.text(" ");
    }
    if few.more > 0 {
        html.text(format_args!("{sign} {} more", few.more));
    }
}

fn text_of(entry: &Entry) -> String {
    let mut html = String::new();
    for Event { resource, what } in &entry.events.shown {
        html.push_str(&format!("{} {} ", kind(*resource), what.name()));
        html.extend(what.key().map(|key| format!("{key} ")));
    }
    for Effect { role, added, removed, relabelled } in entry.effects.iter().flatten() {
        html.push_str(role.name());
        for address in added.shown.iter().chain(&removed.shown).chain(&relabelled.shown) {
            html.push(' ');
            html.push_str(address);
        }
    }
    html.to_lowercase()
}

fn kind(resource: Resource) -> &'static str {
    match resource {
        Resource::Pods => "Pod",
        Resource::Nodes => "Node",
        Resource::Services => "Service",
        Resource::EndpointSlices => "EndpointSlice",
        Resource::Endpoints => "Endpoints",
        Resource::Namespaces => "Namespace",
        Resource::ReplicaSets => "ReplicaSet",
        Resource::Jobs => "Job",
    }
}

fn resource_plural(resource: Resource) -> &'static str {
    match resource {
        Resource::Pods => "Pods",
        Resource::Nodes => "Nodes",
        Resource::Services => "Services",
        Resource::EndpointSlices => "EndpointSlices",
        Resource::Endpoints => "Endpoints",
        Resource::Namespaces => "Namespaces",
        Resource::ReplicaSets => "ReplicaSets",
        Resource::Jobs => "Jobs",
    }
}
