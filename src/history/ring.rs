//! Bounded memory for entries.

use super::entry::Entry;
use std::collections::VecDeque;
use std::sync::Arc;

/// The latest entries. What changed targets is kept apart from what did not: Services of the whole cluster
/// change all the time, and must not push out the one change that is looked for.
#[derive(Debug, Default)]
pub struct Ring {
    with_effect: Half,
    without: Half,
}

#[derive(Debug, Default)]
struct Half {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

/// Entries of each half: an hour at a change every 20 s.
const MOST_ENTRIES: usize = 200;

/// Bytes of each half, as [`Entry::bytes`] counts them. An entry has a few hundred.
const MOST_BYTES: usize = 64 * 1024;

// === impl Ring ===

impl Ring {
    /// Adds an entry, and forgets the oldest that have no room any more.
    pub fn push(&mut self, entry: Entry) {
        let half = if entry.changed_targets() { &mut self.with_effect } else { &mut self.without };
        half.push(entry);
    }

    /// All, the latest first.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        let halves = [&self.with_effect, &self.without];
        let mut all: Vec<_> = halves.iter().flat_map(|half| &half.entries).cloned().collect();
        all.sort_by_key(|entry| std::cmp::Reverse(entry.version));
        all
    }
}

// === impl Half ===

impl Half {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.entries.push_back(Arc::new(entry));
        while self.entries.len() > MOST_ENTRIES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Effect, Event, Few, What};
    use crate::objects::{ObjectKey, Resource};
    use crate::targets::Role;
    use std::time::{Duration, SystemTime};

    fn entry(version: u64, name: &str, changes_targets: bool) -> Entry {
        let what = What::Changed(ObjectKey::new("shop", name));
        let effect = Effect {
            role: Role::Pod,
            added: ["10.0.0.1:80".into()].into_iter().collect(),
            removed: Few::default(),
            relabelled: Few::default(),
        };
        Entry {
            version,
            at: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
            events: [Event { resource: Resource::Pods, what }].into_iter().collect(),
            effects: Some(if changes_targets { vec![effect] } else { Vec::new() }),
        }
    }

    #[test]
    fn what_changed_targets_outlives_what_did_not() {
        let mut ring = Ring::default();
        ring.push(entry(0, "looked-for", true));
        for version in 1..=1000 {
            ring.push(entry(version, "noise", false));
        }
        let entries = ring.entries();
        assert_eq!(entries.len(), MOST_ENTRIES + 1);
        assert_eq!((entries[0].version, entries[MOST_ENTRIES].version), (1000, 0));
        assert!(entries.is_sorted_by(|a, b| a.version > b.version));
    }

    #[test]
    fn bytes_are_bounded_whatever_the_names() {
        let mut ring = Ring::default();
        for version in 0..500 {
            ring.push(entry(version, &"x".repeat(5_000), version % 2 == 0));
        }
        let entries = ring.entries();
        let bytes: usize = entries.iter().map(|entry| entry.bytes()).sum();
        assert!(bytes <= 2 * MOST_BYTES && bytes > MOST_BYTES, "{bytes}");
        assert_eq!(entries[0].version, 499, "the latest stay");
        assert_eq!(ring.with_effect.bytes + ring.without.bytes, bytes);

        ring.push(entry(500, &"x".repeat(MOST_BYTES), true));
        assert_eq!(ring.with_effect.entries.len(), 0, "even one can be too much");
        assert_eq!(ring.with_effect.bytes, 0);
    }
}
