//! Targets and watches as JSON, with what they came from and how they are doing.

use super::app::App;
use super::caller::{header, patience, refuse_query};
use super::response::{self, Answer};
use crate::index::Snapshot;
use crate::sd::{NotSynced, QueryError, parse_with_role};
use crate::targets::{Query, Reason, Role, Target, Targets, build};
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
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
        Err(refusal) => refusal.answer(),
    }
}

/// `/debug/unassigned`: what a query finds and no node serves.
pub(super) async fn unassigned(app: &App, query: Option<&str>, headers: &HeaderMap) -> Answer {
    let (snapshot, targets) = match built(app, query, Some(Role::EndpointSlice), headers).await {
        Ok(built) => built,
        Err(refusal) => return refusal.answer(),
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

/// Why a query has no targets to show.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBuilt {
    #[error(transparent)]
    Query(QueryError),
    #[error(transparent)]
    NotSynced(NotSynced),
}

/// What a query finds, as far as it is watched; waits for the first sync.
pub(super) async fn built(
    app: &App,
    query: Option<&str>,
    default: Option<Role>,
    headers: &HeaderMap,
) -> Result<(Arc<Snapshot>, Targets), NotBuilt> {
    let latest = app.snapshots.load();
    let query: Query = parse_with_role(query, default, latest.endpoints_from)
        .map_err(NotBuilt::Query)?
        .as_watched(&latest.services_watched);
    let profile = app.compat.profile(&query, header(headers, USER_AGENT));
    let snapshot =
        app.answers.synced(&query, patience(headers)).await.map_err(NotBuilt::NotSynced)?;
    let targets = build(&snapshot, &query, profile);
    Ok((snapshot, targets))
}

// === impl NotBuilt ===

impl NotBuilt {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Query(error) => refuse_query(error),
            Self::NotSynced(reason) => response::not_ready(reason.to_string()),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.answer().status()
    }
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
