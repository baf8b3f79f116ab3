//! The recent past: what came, what it did to targets, and how long that took.
//!
//! ```text
//! index::maintain ──Arrival──▶ Recorder ──difference(before, after)──▶ Entry ──▶ Ring ──▶ /debug/changes
//! ```
//!
//! For people only: nothing that is served depends on it. The task that publishes writes it after each
//! snapshot, once those who wait for that snapshot have had their turn. What it costs is bounded: of large
//! changes the targets are not compared (see [`difference()`]), and of what was there the oldest is forgotten
//! (see [`Ring`]).

mod difference;
mod entry;
mod recorder;
mod ring;

pub use difference::difference;
pub use entry::{Effect, Entry, Event, Few, What};
pub use recorder::Recorder;
pub use ring::Ring;

use std::sync::{Arc, Mutex, MutexGuard};

/// The history of one sidecar.
#[derive(Debug, Default)]
pub struct History(Mutex<Ring>);

// === impl History ===

impl History {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    pub fn record(&self, entry: Entry) {
        self.lock().push(entry);
    }

    /// What is remembered, the latest first.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.lock().entries()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
