//! Watches: initial events, changes, bookmarks, and how they end.

use super::body::Body;
use super::faults::Fault;
use super::kind::Kind;
use super::output::{End, Output};
use super::request::Options;
use super::server::Simulator;
use super::status::Status;
use super::store::{Change, Store};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The API server draws the length of a watch from 30 to 60 minutes where the client names none.
/// Always the shortest here, so that a test says the same thing twice.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// A watch under way.
pub(super) struct Watch {
    simulator: Simulator,
    kind: &'static Kind,
    options: Options,
    start: Start,
    /// The server that it was opened at.
    epoch: u64,
    /// Changes up to this version are sent, or are none of this watch's business.
    cursor: u64,
}

enum Start {
    /// These objects exist already.
    Objects(Vec<Arc<Value>>),
    /// The version is expired.
    Expired(Status),
}

/// Counts as an open watch while it lives.
struct Open(Simulator);

// === impl Watch ===

impl Watch {
    /// Decides what comes first; afterwards nothing that happens in the store is missed.
    pub(super) fn new(
        simulator: Simulator,
        store: &Store,
        kind: &'static Kind,
        options: Options,
    ) -> Result<Self, Status> {
        let current = store.version();
        let wanted = options.resource_version.unwrap_or(0);
        let existing = match options.send_initial_events {
            Some(true) if wanted > current => {
                return Err(Status::version_too_large(wanted, current));
            }
            Some(initial) => initial,
            None => wanted == 0,
        };
        let (start, cursor) = if existing {
            let objects = store.at(kind, current).unwrap_or_default();
            let selected =
                objects.into_values().filter(|object| options.selection.matches(kind, object));
            (Start::Objects(selected.collect()), current)
        } else if wanted == 0 {
            (Start::Objects(Vec::new()), current)
        } else if wanted < store.floor() {
            (Start::Expired(Status::expired(wanted, store.floor())), current)
        } else {
            // A version that is still to come is taken as it is: changes up to it are skipped.
            (Start::Objects(Vec::new()), wanted)
        };
        Ok(Self { simulator, kind, options, start, epoch: store.epoch(), cursor })
    }

    /// The body that carries it.
    pub(super) fn into_body(self, faults: Vec<Fault>) -> Body {
        let open = Open::new(&self.simulator);
        Body::written(|chunks| async move {
            let _open = open;
            let output = Output::new(self.kind, faults, chunks);
            End::of(self.run(output).await)
        })
    }

    async fn run(mut self, mut output: Output) -> Result<(), End> {
        let deadline = Instant::now() + self.options.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let interval = self.simulator.bookmark_interval();
        let mut bookmark_at = Instant::now() + interval;
        let mut changed = self.simulator.subscribe();

        output.begin().await?;
        match &self.start {
            Start::Expired(status) => {
                output.event("ERROR", &status.to_object()).await?;
                return Err(End::InOrder);
            }
            Start::Objects(objects) => {
                for object in objects {
                    let object = self.options.representation.object(object);
                    output.event("ADDED", &object).await?;
                }
            }
        }
        if self.options.send_initial_events == Some(true) {
            self.bookmark(&mut output, true).await?;
        }
        loop {
            changed.mark_unchanged();
            let (changes, version) =
                self.simulator.changes_after(self.kind, self.cursor, self.epoch).ok_or(End::Cut)?;
            for change in changes {
                if let Some((kind, object)) = self.event_of(&change) {
                    output.event(kind, &object).await?;
                }
            }
            self.cursor = self.cursor.max(version);
            tokio::select! {
                // In this order, so that a change at the very end is still told.
                biased;
                // The sender lives as long as the simulator, and so as this watch.
                _ = changed.changed() => {}
                () = sleep_until(deadline) => {
                    if self.options.bookmarks {
                        self.bookmark(&mut output, false).await?;
                    }
                    return Err(End::InOrder);
                }
                () = sleep_until(bookmark_at), if self.options.bookmarks => {
                    self.bookmark(&mut output, false).await?;
                    bookmark_at += interval;
                }
            }
        }
    }

    /// None is sent while the server is behind the version that the watch began from.
    async fn bookmark(&self, output: &mut Output, initial_end: bool) -> Result<(), End> {
        if self.simulator.resource_version() < self.cursor {
            return Ok(());
        }
        let representation = self.options.representation;
        let object = representation.bookmark(self.kind, self.cursor, initial_end);
        output.event("BOOKMARK", &object).await
    }

    /// What a change is for a watch that sees only the selected objects.
    fn event_of(&self, change: &Change) -> Option<(&'static str, Value)> {
        let selected = |object: &Option<Arc<Value>>| {
            object.clone().filter(|object| self.options.selection.matches(self.kind, object))
        };
        let (kind, object) = match (selected(&change.before), selected(&change.after)) {
            (None, None) => return None,
            (None, Some(after)) => ("ADDED", after),
            (Some(_), Some(after)) => ("MODIFIED", after),
            (Some(before), None) => ("DELETED", before),
        };
        let mut object = self.options.representation.object(&object);
        // A deletion shows the object as it was, with the version that made it go.
        object["metadata"]["resourceVersion"] = json!(change.version.to_string());
        Some((kind, object))
    }
}

// === impl Open ===

impl Open {
    fn new(simulator: &Simulator) -> Self {
        simulator.count_watch(1);
        Self(simulator.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.count_watch(-1);
    }
}
