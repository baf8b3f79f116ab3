//! What is remembered of one published snapshot.

use crate::objects::{ObjectKey, Resource};
use crate::targets::Role;
use std::time::{Duration, SystemTime};

/// One publication: what came, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The version of the snapshot.
    pub version: u64,
    /// When it was published.
    pub at: SystemTime,
    /// From the arrival of the first of its changes to its publication.
    pub took: Duration,
    /// What came, in its order.
    pub events: Few<Event>,
    /// What became of targets, for each role that was compared; `None` if there was too much to compare.
    pub effects: Option<Vec<Effect>>,
}

/// What a watch told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Of which kind of objects.
    pub resource: Resource,
    /// What happened to them.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A complete list came, with so many objects.
    Listed(usize),
    /// An object that was not there before.
    Added(ObjectKey),
    /// An object that was there, or was not kept.
    Changed(ObjectKey),
    /// An object was deleted.
    Deleted(ObjectKey),
    /// An owner of Pods was read.
    Read(ObjectKey),
    /// All that is needed of them is known.
    Synced,
    /// They are watched no longer, and forgotten.
    Closed,
}

/// What became of the targets of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The role.
    pub role: Role,
    /// Addresses that came.
    pub added: Few<Box<str>>,
    /// Addresses that went.
    pub removed: Few<Box<str>>,
    /// Addresses whose labels are others now.
    pub relabelled: Few<Box<str>>,
}

/// The first few of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T> {
    /// These.
    pub shown: Vec<T>,
    /// How many more there were.
    pub more: usize,
}

/// So many of each are remembered.
const SHOWN: usize = 8;

// === impl Entry ===

impl Entry {
    /// Whether targets may differ.
    pub fn changed_targets(&self) -> bool {
        self.effects.as_ref().is_none_or(|effects| !effects.is_empty())
    }

    /// About how many bytes it takes, without what the allocator adds.
    pub fn bytes(&self) -> usize {
        let events = self.events.shown.iter().map(|event| {
            size_of::<Event>()
                + event.what.key().map_or(0, |key| key.namespace.len() + key.name.len())
        });
        let texts = |few: &Few<Box<str>>| -> usize {
            few.shown.iter().map(|text| size_of::<Box<str>>() + text.len()).sum()
        };
        let effects = self.effects.iter().flatten().map(|effect| {
            let Effect { added, removed, relabelled, .. } = effect;
            size_of::<Effect>() + texts(added) + texts(removed) + texts(relabelled)
        });
        size_of::<Self>() + events.sum::<usize>() + effects.sum::<usize>()
    }
}

// === impl What ===

impl What {
    /// The object, if it is about one.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::Added(key) | Self::Changed(key) | Self::Deleted(key) | Self::Read(key) => {
                Some(key)
            }
            Self::Listed(_) | Self::Synced | Self::Closed => None,
        }
    }

    /// Lower-case name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Listed(_) => "listed",
            Self::Added(_) => "added",
            Self::Changed(_) => "changed",
            Self::Deleted(_) => "deleted",
            Self::Read(_) => "read",
            Self::Synced => "synced",
            Self::Closed => "closed",
        }
    }
}

// === impl Effect ===

impl Effect {
    /// Whether nothing became of them.
    pub fn is_empty(&self) -> bool {
        [&self.added, &self.removed, &self.relabelled].iter().all(|few| few.count() == 0)
    }
}

// === impl Few ===

impl<T> Few<T> {
    /// How many there were.
    pub fn count(&self) -> usize {
        self.shown.len() + self.more
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { shown: Vec::new(), more: 0 }
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            if self.shown.len() < SHOWN {
                self.shown.push(item);
            } else {
                self.more += 1;
            }
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::default();
        few.extend(items);
        few
    }
}
