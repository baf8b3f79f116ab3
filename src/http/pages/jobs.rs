//! `/debug/jobs`: what became of the jobs of the agent's configuration.

use super::html::Html;
use super::layout::{Page, Tab};
use super::parts::{Tone, badge, cell, count, has_all, nothing, search, table, time};
use super::question::Asked;
use crate::agent::View;
use crate::config::masked_text;
use crate::http::app::App;
use crate::http::debug_agent::{JobShown, followed, of_view};
use crate::targets::Role;

const TITLE: &str = "Jobs";

/// The page.
pub(in crate::http) fn jobs(app: &App, query: Option<&str>) -> Page {
    let asked = Asked::read("/debug/jobs", query, Role::Pod);
    Page::new(Tab::Jobs, TITLE, |html| {
        html.leaf("h1", &[], TITLE);
        match followed(app) {
            Some(view) => {
                let lead =
                    "What became of each job of the agent's configuration, and what it asks here.";
                html.leaf("p", &[("class", "lead")], lead);
                facts(html, &view);
                listed(html, &asked, &of_view(&view));
            }
            None => nothing(
                html,
                "nothing",
                "This sidecar follows no configuration. Jobs ask it all the same, by their http_sd_configs; with \
                 --config-in it would rewrite them, and this page would say what became of each.",
            ),
        }
    })
}

fn facts(html: &mut Html, view: &View) {
    let Some(settings) = view.settings.as_deref() else { return };
    let mut files = vec![settings.config_in.display().to_string()];
    files.extend(settings.jobs_from.iter().map(|file| file.display().to_string()));
    html.element("dl", &[("class", "facts"), ("id", "facts"), ("data-live", "")], |list| {
        let mut fact = |name: &str, inside: &dyn Fn(&mut Html)| {
            list.element("div", &[("data-key", name)], |pair| {
                pair.leaf("dt", &[], name);
                pair.element("dd", &[], inside);
            });
        };
        fact("Read from", &|dd| dd.text(files.join(", ")));
        fact("Written to", &|dd| dd.text(settings.config_out.display()));
        fact("Last written", &|dd| match view.applied_at {
            Some(at) => time(dd, at),
            None if view.has_config => dd.text("by an earlier run"),
            None => dd.text("never"),
        });
        fact("Reloads", &|dd| {
            dd.text(format_args!("{} succeeded, {} failed", view.reloads, view.reload_failures));
        });
        if let Some(until) = view.held_until {
            fact("Held until", &|dd| {
                time(dd, until);
                dd.text(" ");
                badge(dd, Tone::Warning, "it would remove many targets");
            });
        }
        if let Some(trouble) = &view.trouble {
            fact("Trouble", &|dd| badge(dd, Tone::Bad, masked_text(trouble)));
        }
    });
}

fn listed(html: &mut Html, asked: &Asked, jobs: &[JobShown]) {
    let form = [("method", "get"), ("action", asked.path), ("role", "search"), ("data-follow", "")];
    html.element("form", &form, |form| {
        search(form, &asked.search, "name, state, reason …");
        form.leaf("button", &[("type", "submit")], "Search");
    });
    let found: Vec<&JobShown> =
        jobs.iter().filter(|job| has_all(&text_of(job), &asked.search)).collect();
    let attributes = [("class", "count"), ("id", "count"), ("role", "status"), ("data-live", "")];
    html.element("p", &attributes, |p| {
        let all = count(jobs.len(), "job", "jobs");
        if found.len() < jobs.len() {
            p.text(format_args!("{} of {all}", found.len()));
        } else {
            p.text(all);
        }
    });
    let columns = ["Job", "State", "Asks", "Remarks"];
    table(html, "jobs", "Jobs and what became of them", &columns, |rows| {
        for (number, job) in found.iter().enumerate() {
            row(rows, job, &format!("{} {number}", job.name));
        }
    });
}

fn row(rows: &mut Html, job: &JobShown, key: &str) {
    rows.element("tr", &[("data-key", key)], |row| {
        row.leaf("th", &[("scope", "row")], &job.name);
        cell(row, "State", |cell| {
            let (tone, text) = state(job.state);
            badge(cell, tone, text);
        });
        cell(row, "Asks", |cell| {
            for question in &job.questions {
                cell.element("p", &[], |p| link(p, question));
            }
        });
        cell(row, "Remarks", |cell| {
            for remark in job.why.iter().chain(&job.dropped) {
                cell.leaf("p", &[], remark);
            }
        });
    });
}

/// To the targets of a question.
fn link(html: &mut Html, question: &str) {
    let (role, query) = question.split_once('?').unwrap_or((question, ""));
    let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let mut pairs = vec![("role", role)];
    pairs.extend(parameters.iter().map(|(name, value)| (&**name, &**value)));
    html.link("/debug/targets", &pairs, &[], question);
}

fn state(name: &'static str) -> (Tone, &'static str) {
    match name {
        "rewritten" => (Tone::Good, "rewritten"),
        "kept" => (Tone::Quiet, "kept as it is"),
        "dropped" => (Tone::Quiet, "not for nodes"),
        "last_good" => (Tone::Warning, "last good form"),
        "refused" => (Tone::Bad, "left out"),
        other => (Tone::Quiet, other),
    }
}

fn text_of(job: &JobShown) -> String {
    let (_, state) = state(job.state);
    let parts = [&*job.name, job.state, state].into_iter();
    let texts = job.why.iter().chain(&job.dropped).chain(&job.questions).map(String::as_str);
    parts.chain(texts).collect::<Vec<_>>().join(" ").to_lowercase()
}
