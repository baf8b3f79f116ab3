//! `/debug/watches`: what is watched, and how it is doing.

use super::html::Html;
use super::layout::{Page, Tab};
use super::parts::{Tone, badge, cell, grouped, since, table, time};
use crate::http::app::App;
use crate::objects::{Reach, Resource};
use crate::status::{Entry, Phase, View};

/// What is seen of one watch.
struct Watch<'a> {
    resource: Resource,
    reach: &'a Reach,
    entry: &'a Entry,
    view: View,
    needed: bool,
    synced: bool,
    held: usize,
}

/// The page.
pub(in crate::http) fn watches(app: &App) -> Page {
    let snapshot = app.snapshots.load();
    let needed = app.demand.needed();
    Page::new(Tab::Watches, "Watches", |html| {
        html.leaf("h1", &[], "Watches");
        html.leaf(
            "p",
            &[("class", "lead")],
            "What the API server is asked for. A watch opens with the first query that needs it, and closes \
             15 minutes after the last one.",
        );
        let columns = ["Resource", "State", "Objects", "Last heard", "Version", "Requests"];
        table(html, "watches", "Watches and how they are doing", &columns, |rows| {
            for (resource, reach, entry) in &app.board.entries() {
                let watch = Watch {
                    resource: *resource,
                    reach,
                    entry,
                    view: entry.view(),
                    needed: needed.contains(*resource),
                    synced: snapshot.has_listed(*resource, reach),
                    held: snapshot.held(*resource, reach),
                };
                watch.row(rows);
            }
        });
    })
}

// === impl Watch ===

impl Watch<'_> {
    fn row(&self, rows: &mut Html) {
        let name = match self.reach.namespace() {
            Some(namespace) => format!("{} in {namespace}", self.resource),
            None => self.resource.to_string(),
        };
        let key = [("data-key", &*name)];
        rows.element("tr", &key, |row| {
            row.leaf("th", &[("scope", "row")], &name);
            cell(row, "State", |cell| self.state(cell));
            cell(row, "Objects", |cell| cell.text(grouped(self.held as u64)));
            cell(row, "Last heard", |cell| match self.view.last_event {
                Some(at) => time(cell, at),
                None if self.view.stale => cell.text("from the saved state"),
                None => cell.text("–"),
            });
            cell(row, "Version", |cell| {
                let version = &*self.view.resource_version;
                cell.leaf("code", &[], if version.is_empty() { "–" } else { version });
            });
            cell(row, "Requests", |cell| self.requests(cell));
        });
    }

    fn state(&self, html: &mut Html) {
        let (tone, text) = match (self.view.phase, self.synced) {
            _ if self.view.trouble.is_some() => (Tone::Bad, "failing"),
            _ if self.view.stale => (Tone::Warning, "not confirmed yet"),
            (Phase::Watching, _) => (Tone::Good, "watching"),
            (Phase::Listing, _) => (Tone::Warning, "listing"),
            (Phase::Waiting, _) => (Tone::Warning, "waiting"),
            (Phase::Closed, true) => (Tone::Good, "read"),
            (Phase::Closed, false) if self.needed => (Tone::Warning, "about to open"),
            (Phase::Closed, false) => (Tone::Quiet, "not needed"),
        };
        badge(html, tone, text);
        if self.needed && !self.synced {
            html.text(" ");
            badge(html, Tone::Warning, "not synced");
        }
        if self.view.impersonating == Some(true) {
            html.text(" ");
            badge(html, Tone::Quiet, "as the node");
        }
        if let Some(trouble) = &self.view.trouble {
            html.element("p", &[("class", "trouble")], |p| {
                since(p, trouble.since);
                p.text(format_args!(": {}", trouble.message));
            });
        }
    }

    fn requests(&self, html: &mut Html) {
        let requests: Vec<String> = self
            .entry
            .requests()
            .map(|(verb, outcome, count)| format!("{} {outcome} {}", verb.name(), grouped(count)))
            .collect();
        html.text(if requests.is_empty() { "–".to_owned() } else { requests.join(", ") });
        let View { events, relists, undecodable, oversized, dropped_endpoints, .. } = self.view;
        let counts = [
            ("events", events),
            ("lists after an expired version", relists),
            ("objects that could not be read", undecodable),
            ("objects that are too large", oversized),
            ("endpoints of other nodes left out", dropped_endpoints),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{} {name}", grouped(count)))
            .collect();
        if !counts.is_empty() {
            html.leaf("p", &[("class", "quiet")], counts.join(", "));
        }
    }
}
