//! `/`: how things are, in one look.

use super::html::Html;
use super::layout::{Page, Tab};
use super::parts::{Tone, badge, count, grouped};
use super::{changes, parts};
use crate::http::app::App;
use crate::http::debug_agent::followed;
use crate::index::{EndpointsFrom, Snapshot};
use crate::targets::{Profile, Query, Role, build};

/// So many changes fit below the rest.
const CHANGES: usize = 8;

/// The page.
pub(in crate::http) fn overview(app: &App) -> Page {
    let snapshot = app.snapshots.load();
    Page::new(Tab::Overview, "Overview", |html| {
        html.element("h1", &[], |h1| h1.text(format_args!("Targets of {}", snapshot.share)));
        html.element("ul", &[("class", "cards"), ("id", "cards"), ("data-live", "")], |cards| {
            for role in Role::ALL {
                role_card(app, cards, &snapshot, role);
            }
            watches_card(app, cards, &snapshot);
            jobs_card(app, cards);
        });
        html.element("section", &[("aria-labelledby", "latest")], |section| {
            section.leaf("h2", &[("id", "latest")], "Latest changes");
            let entries = app.history.entries();
            changes::list(section, entries.iter().take(CHANGES).map(|entry| &**entry));
            section.element("p", &[], |p| p.link("/debug/changes", &[], &[], "All changes"));
        });
        facts(app, html, &snapshot);
    })
}

fn role_card(app: &App, html: &mut Html, snapshot: &Snapshot, role: Role) {
    let query = Query::all(role).as_watched(&snapshot.services_watched);
    let needs = query.needs(snapshot.endpoints_from);
    let missing = snapshot.lacks(&needs);
    let built = missing.is_empty().then(|| build(snapshot, &query, Profile::Latest));
    let needed = app.demand.needed();
    let is_asked_for = needs.resources.iter().all(|resource| needed.contains(resource));
    html.element("li", &[("data-key", role.name())], |li| {
        li.link("/debug/targets", &[("role", role.name())], &[("class", "name")], role.name());
        match &built {
            Some(targets) => {
                li.leaf("strong", &[], grouped(targets.own.len() as u64));
                li.leaf("span", &[], if targets.own.len() == 1 { "target" } else { "targets" });
                if !targets.unassigned.is_empty() {
                    let text = format!("{} unassigned", grouped(targets.unassigned.len() as u64));
                    let query = [("role", role.name())];
                    li.link("/debug/unassigned", &query, &[("class", "badge warning")], text);
                }
            }
            None if is_asked_for => {
                li.leaf("strong", &[], "–");
                let trouble = missing.iter().find_map(|resource| app.board.trouble(resource));
                let tone = if trouble.is_some() { Tone::Bad } else { Tone::Warning };
                badge(li, tone, "not synced");
                if let Some(trouble) = trouble {
                    li.leaf("p", &[("class", "trouble")], trouble.message);
                }
            }
            None => {
                li.leaf("strong", &[], "–");
                li.leaf("span", &[], "nobody has asked lately");
            }
        }
    });
}

fn watches_card(app: &App, html: &mut Html, snapshot: &Snapshot) {
    let needed = app.demand.needed();
    let entries = app.board.entries();
    let open = needed.iter().count();
    let synced = needed.iter().filter(|resource| snapshot.synced.contains(*resource)).count();
    let failing = entries.iter().filter(|(.., entry)| entry.view().trouble.is_some()).count();
    html.element("li", &[("data-key", "watches")], |li| {
        li.link("/debug/watches", &[], &[("class", "name")], "watches");
        li.leaf("strong", &[], format_args!("{synced}/{open}"));
        li.leaf("span", &[], "resources synced");
        if failing > 0 {
            badge(li, Tone::Bad, format_args!("{failing} failing"));
        }
    });
}

fn jobs_card(app: &App, html: &mut Html) {
    let Some(view) = followed(app) else { return };
    let jobs = view.jobs;
    html.element("li", &[("data-key", "jobs")], |li| {
        li.link("/debug/jobs", &[], &[("class", "name")], "jobs");
        li.leaf("strong", &[], grouped(jobs.rewritten));
        li.leaf("span", &[], "ask this sidecar");
        if jobs.refused > 0 {
            badge(li, Tone::Bad, format_args!("{} left out", jobs.refused));
        }
        if jobs.last_good > 0 {
            badge(li, Tone::Warning, format_args!("{} in last good form", jobs.last_good));
        }
        if view.held_until.is_some() {
            badge(li, Tone::Warning, "a change is held");
        }
    });
}

fn facts(app: &App, html: &mut Html, snapshot: &Snapshot) {
    let from = match snapshot.endpoints_from {
        EndpointsFrom::Pods(_) => "Pods and Services",
        EndpointsFrom::Slices => "EndpointSlices",
    };
    let connections = app.open_connections() as usize;
    let rows = [
        ("Endpoints come from", from.to_owned()),
        ("Objects held", objects(snapshot)),
        ("Connections", count(connections, "connection is open", "connections are open")),
    ];
    html.element("dl", &[("class", "facts"), ("id", "facts"), ("data-live", "")], |list| {
        for (name, value) in rows {
            list.element("div", &[("data-key", name)], |pair| {
                pair.leaf("dt", &[], name);
                pair.leaf("dd", &[], value);
            });
        }
    });
}

fn objects(snapshot: &Snapshot) -> String {
    let pods = parts::count(snapshot.pods.len(), "Pod", "Pods");
    let services = parts::count(snapshot.services.len(), "Service", "Services");
    format!("{pods}, {services}")
}
