//! `/debug/changes` as JSON: what came lately, and what it did to targets.

use super::app::App;
use super::debug::{pretty, unix_seconds};
use super::response::Answer;
use crate::history::{Effect, Entry, Event, Few, What};
use serde_json::{Value, json};

/// The latest changes first.
pub(super) fn changes(app: &App) -> Answer {
    let snapshot = app.snapshots.load();
    pretty(&json!({
        "node": snapshot.share.node(),
        "snapshot": snapshot.version,
        "changes": app.history.entries().iter().map(|entry| shown(entry)).collect::<Vec<_>>(),
    }))
}

fn shown(entry: &Entry) -> Value {
    json!({
        "snapshot": entry.version,
        "publishedUnixSeconds": unix_seconds(entry.at),
        "tookSeconds": entry.took.as_secs_f64(),
        "events": entry.events.shown.iter().map(event).collect::<Vec<_>>(),
        "moreEvents": entry.events.more,
        "compared": entry.effects.is_some(),
        "targets": entry.effects.iter().flatten().map(effect).collect::<Vec<_>>(),
    })
}

fn event(event: &Event) -> Value {
    let key = event.what.key();
    let count = match event.what {
        What::Listed(count) => Some(count),
        _ => None,
    };
    json!({
        "resource": event.resource.name(),
        "what": event.what.name(),
        "namespace": key.map(|key| &*key.namespace).filter(|name| !name.is_empty()),
        "name": key.map(|key| &*key.name),
        "objects": count,
    })
}

fn effect(effect: &Effect) -> Value {
    let few = |few: &Few<Box<str>>| json!({"count": few.count(), "first": few.shown});
    json!({
        "role": effect.role.name(),
        "added": few(&effect.added),
        "removed": few(&effect.removed),
        "relabelled": few(&effect.relabelled),
    })
}
