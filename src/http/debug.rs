//! The debug pages, as JSON.

use super::app::App;
use super::caller::{header, patience, refuse_query};
use super::response::{self, Answer};
use crate::index::Snapshot;
use crate::sd::parse_with_role;
use crate::targets::{Query, Reason, Role, Target, Targets, build};
use http::HeaderMap;
use http::header::USER_AGENT;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// `/debug/targets`: what a query serves, and what each target was made from.
pub(super) async fn targets(app: &App, query: Option<&str>, headers: &HeaderMap) -> Answer {
    match built(app, query, None, headers).await {
        Ok((snapshot, targets)) => pretty(&json!({
            "node": snapshot.share.node(),
            "snapshot": snapshot.version,
            "targets": targets.own.iter().map(shown).collect::<Vec<_>>(),
        })),
        Err(refusal) => refusal,
    }
}

/// `/debug/unassigned`: what a query finds and no node serves.
pub(super) async fn unassigned(app: &App, query: Option<&str>, headers: &HeaderMap) -> Answer {
    let (snapshot, targets) = match built(app, query, Some(Role::EndpointSlice), headers).await {
        Ok(built) => built,
        Err(refusal) => return refusal,
    };
    let counts = Reason::ALL.map(|reason| {
        let count = targets.unassigned.iter().filter(|target| target.reason == reason).count();
        (reason.name().to_owned(), Value::from(count))
    });
    let listed = targets.unassigned.iter().map(|unassigned| {
        let mut target = shown(&unassigned.target);
        target["reason"] = unassigned.reason.name().into();
        target
    });
    pretty(&json!({
        "node": snapshot.share.node(),
        "snapshot": snapshot.version,
        "counts": Value::Object(counts.into_iter().collect()),
        "unassigned": listed.collect::<Vec<_>>(),
    }))
}

/// `/debug/watches`: what is watched, and how it is doing.
pub(super) fn watches(app: &App) -> Answer {
    let snapshot = app.snapshots.load();
    let needed = app.demand.needed();
    let watches = app.board.entries().into_iter().map(|(resource, reach, entry)| {
        let view = entry.view();
        let requests = entry.requests().map(|(verb, outcome, count)| {
            json!({"verb": verb.name(), "outcome": outcome.name(), "count": count})
        });
        json!({
            "resource": resource.name(),
            "namespace": reach.namespace(),
            "needed": needed.contains(resource),
            "phase": view.phase.name(),
            "synced": snapshot.has_listed(resource, &reach),
            "held": snapshot.held(resource, &reach),
            "lastEventSecondsAgo": view.last_event_age.map(|age| age.as_secs_f64()),
            "resourceVersion": view.resource_version,
            "impersonating": view.impersonating,
            "trouble": view.trouble.map(|trouble| json!({
                "sinceUnixSeconds": unix_seconds(trouble.since),
                "message": trouble.message,
            })),
            "requests": requests.collect::<Vec<_>>(),
            "events": view.events,
            "relists": view.relists,
            "undecodableObjects": view.undecodable,
            "oversizedObjects": view.oversized,
            "droppedEndpoints": view.dropped_endpoints,
        })
    });
    pretty(&json!({
        "node": snapshot.share.node(),
        "snapshot": snapshot.version,
        "watches": watches.collect::<Vec<_>>(),
    }))
}

/// Seconds since 1970; negative times are none of ours.
pub(super) fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

async fn built(
    app: &App,
    query: Option<&str>,
    default: Option<Role>,
    headers: &HeaderMap,
) -> Result<(Arc<Snapshot>, Targets), Answer> {
    let latest = app.snapshots.load();
    let query: Query = parse_with_role(query, default, latest.endpoints_from)
        .map_err(|error| refuse_query(&error))?
        .as_watched(&latest.services_watched);
    let profile = app.compat.profile(&query, header(headers, USER_AGENT));
    let snapshot = app
        .answers
        .synced(&query, patience(headers))
        .await
        .map_err(|not_synced| response::not_ready(not_synced.to_string()))?;
    let targets = build(&snapshot, &query, profile);
    Ok((snapshot, targets))
}

fn shown(target: &Target) -> Value {
    let sources = target.sources.iter().map(|source| {
        let key = &source.key;
        json!({"kind": source.kind, "namespace": *key.namespace, "name": *key.name})
    });
    json!({
        "address": target.address,
        "labels": target.labels,
        "sources": sources.collect::<Vec<_>>(),
    })
}

/// A value as JSON for people.
pub(super) fn pretty(value: &impl Serialize) -> Answer {
    let mut text = serde_json::to_vec_pretty(value).expect("strings and numbers serialise");
    text.push(b'\n');
    response::json(text)
}
