//! `/debug/explain`: why a Pod is, or is not, a target.

use super::html::Html;
use super::layout::{Page, Tab};
use super::parts::{Tone, badge};
use crate::explain::{Asked, AskedError, Chain, Explanation, Outcome, Step, Verdict};
use crate::http::app::App;
use crate::http::caller::{header, patience};
use crate::http::debug_agent::without_secrets;
use crate::targets::Role;
use form_urlencoded::{Serializer, parse};
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use std::collections::BTreeSet;

const TITLE: &str = "Explain";

/// The fields of the form, in their order.
const FIELDS: [(&str, &str, &str); 3] = [
    ("pod", "Pod", "namespace/name"),
    ("job", "Job (optional)", "a job of the configuration"),
    ("query", "or query (optional)", "/sd/pod?namespace=shop"),
];

/// The page.
pub(in crate::http) async fn explain(app: &App, query: Option<&str>, headers: &HeaderMap) -> Page {
    // A field that is left empty says nothing.
    let given: Vec<(String, String)> = parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let query = Serializer::new(String::new()).extend_pairs(&given).finish();
    let from = app.snapshots.load().endpoints_from;
    let explained = match Asked::parse(Some(&query), from) {
        Err(AskedError::NoPod) if given.is_empty() => None,
        Err(error) => Some(Err(error.to_string())),
        Ok(asked) => {
            let agent = header(headers, USER_AGENT);
            let explained = app.explain(&asked, agent, patience(headers)).await;
            Some(explained.map(without_secrets).map_err(|error| error.to_string()))
        }
    };
    let page = Page::new(Tab::Explain, TITLE, |html| {
        html.leaf("h1", &[], TITLE);
        let lead = "Why a Pod is, or is not, a target: of a job, of a query, or of any.";
        html.leaf("p", &[("class", "lead")], lead);
        form(app, html, &given);
        // Not followed live: each look can be a request to the API server.
        html.element("div", &[], |live| match &explained {
            None => {}
            Some(Err(refused)) => {
                live.leaf("p", &[("class", "refused"), ("role", "alert")], refused);
            }
            Some(Ok(explanation)) => shown(live, explanation),
        });
    });
    match explained {
        Some(Err(_)) => page.with_status(StatusCode::BAD_REQUEST),
        _ => page,
    }
}

fn form(app: &App, html: &mut Html, given: &[(String, String)]) {
    let snapshot = app.snapshots.load();
    let pods: BTreeSet<String> =
        snapshot.pods.iter().take(MOST_PODS).map(|pod| pod.meta.key.to_string()).collect();
    html.element("form", &[("method", "get"), ("action", "/debug/explain")], |form| {
        for (name, text, hint) in FIELDS {
            let value = given.iter().find(|(given, _)| given == name);
            form.element("label", &[("class", "wide")], |label| {
                label.leaf("span", &[], text);
                label.void(
                    "input",
                    &[
                        ("name", name),
                        ("id", if name == "pod" { "q" } else { name }),
                        ("value", value.map_or("", |(_, value)| value)),
                        ("placeholder", hint),
                        ("list", if name == "pod" { "pods" } else { "" }),
                        ("autocomplete", "off"),
                        ("spellcheck", "false"),
                    ],
                );
            });
        }
        form.element("datalist", &[("id", "pods")], |list| {
            for name in &pods {
                list.void("option", &[("value", name)]);
            }
        });
        form.leaf("button", &[("type", "submit")], "Explain");
    });
}

/// So many are offered to choose from.
const MOST_PODS: usize = 500;

fn shown(html: &mut Html, explanation: &Explanation) {
    html.element("section", &[("class", "verdict")], |section| {
        section.element("h2", &[], |h2| {
            verdict(h2, explanation.verdict);
            h2.text(format_args!(" {}", explanation.headline));
        });
        section.element("p", &[("class", "quiet")], |p| {
            p.text(format_args!("{}; {}", explanation.share, explanation.question));
        });
        steps(section, &explanation.steps);
    });
    for chain in &explanation.chains {
        html.element("section", &[("class", "verdict")], |section| chain_of(section, chain));
    }
}

fn chain_of(html: &mut Html, chain: &Chain) {
    html.element("h2", &[], |h2| {
        verdict(h2, chain.verdict);
        h2.text(" ");
        h2.leaf("code", &[], &chain.query);
    });
    html.leaf("p", &[], &chain.headline);
    steps(html, &chain.steps);
    if !chain.targets.is_empty() {
        html.element("ul", &[("class", "found")], |list| {
            for target in &chain.targets {
                list.element("li", &[], |li| {
                    li.leaf("span", &[("class", "address")], &target.address);
                    li.text(format_args!(" {}", target.from));
                });
            }
        });
    }
    let role = chain.query.trim_start_matches("/sd/").split('?').next().unwrap_or_default();
    if Role::ALL.iter().any(|known| known.name() == role) {
        let (_, query) = chain.query.split_once('?').unwrap_or_default();
        let given: Vec<_> = parse(query.as_bytes()).collect();
        let mut pairs = vec![("role", role)];
        pairs.extend(given.iter().map(|(name, value)| (&**name, &**value)));
        html.element("p", &[], |p| {
            p.link("/debug/targets", &pairs, &[], "All targets of this query");
        });
    }
}

fn steps(html: &mut Html, steps: &[Step]) {
    html.element("ol", &[("class", "steps")], |list| {
        for Step { what, outcome, why, hint } in steps {
            let (class, mark) = match outcome {
                Outcome::Passed => ("passed", "passed"),
                Outcome::Failed => ("failed", "failed"),
                Outcome::Unknown => ("unknown", "not known"),
            };
            list.element("li", &[("class", class)], |li| {
                li.element("p", &[], |p| {
                    p.leaf("b", &[], what);
                    p.leaf("span", &[("class", "hidden")], format_args!(": {mark}"));
                });
                li.leaf("p", &[("class", "quiet")], why);
                if let Some(hint) = hint {
                    li.leaf("p", &[("class", "hint")], hint);
                }
            });
        }
    });
}

fn verdict(html: &mut Html, verdict: Verdict) {
    let (tone, text) = match verdict {
        Verdict::Target => (Tone::Good, "target"),
        Verdict::Unknown => (Tone::Warning, "not known"),
        Verdict::NotTarget => (Tone::Bad, "no target"),
    };
    badge(html, tone, text);
}
