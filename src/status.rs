//! How the watches are doing: written by the watch loops, read by health checks, metrics and
//! debug pages. Plain values and atomics; nothing that a watch needs is ever locked for a reader.

use crate::objects::{Reach, Resource};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The status of every resource.
#[derive(Debug, Default)]
pub struct Board {
    entries: [Arc<Entry>; Resource::ALL.len()],
    /// Of watches that reach one namespace only.
    parts: Mutex<BTreeMap<(Resource, Reach), Arc<Entry>>>,
}

/// The status of one watch, or of what is read in place of one.
#[derive(Debug, Default)]
pub struct Entry {
    /// Those of the resource: a watch comes and goes, a counter must not.
    counters: Arc<Counters>,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: [[AtomicU64; Outcome::ALL.len()]; Verb::ALL.len()],
    events: AtomicU64,
    relists: AtomicU64,
    undecodable: AtomicU64,
    oversized: AtomicU64,
    dropped_endpoints: AtomicU64,
}

#[derive(Clone, Debug, Default)]
struct Now {
    phase: Phase,
    last_event: Option<(Instant, SystemTime)>,
    trouble: Option<Trouble>,
    resource_version: String,
    impersonating: Option<bool>,
    stale: bool,
}

/// What a watch loop is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// No query needs it.
    #[default]
    Closed,
    /// A list is under way, or about to be.
    Listing,
    /// Synced, and events flow.
    Watching,
    /// The last request failed; the next one waits for its turn.
    Waiting,
}

/// What went wrong last, and how it may be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Since when nothing has gone right.
    pub since: SystemTime,
    /// One sentence: what failed, on what, and what to do where that is known.
    pub message: String,
}

/// What was asked of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// One object by name.
    Get,
    /// A list, or one page of it.
    List,
    /// A watch.
    Watch,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered in full; a watch: ended in order.
    Ok,
    /// 410, as a status or inside a watch.
    Gone,
    /// 429.
    Throttled,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// Any other 4xx.
    Refused,
    /// 5xx.
    ServerError,
    /// No connection, or cut off.
    Connection,
    /// No answer, or silence, for too long.
    Timeout,
    /// An answer that cannot be read.
    Garbled,
}

/// A copy of an [`Entry`], for readers.
#[derive(Clone, Debug)]
pub struct View {
    /// What the loop is doing.
    pub phase: Phase,
    /// How long ago the last event, bookmark or list came.
    pub last_event_age: Option<Duration>,
    /// When that was.
    pub last_event: Option<SystemTime>,
    /// What is wrong, if anything is.
    pub trouble: Option<Trouble>,
    /// The version from which a watch would resume.
    pub resource_version: String,
    /// Whether it is read as the node rather than as ourselves; nothing, if it is not of a node.
    pub impersonating: Option<bool>,
    /// Whether what is known comes from a saved state, and the API server has not confirmed it yet.
    pub stale: bool,
    /// Events received since the start, bookmarks included.
    pub events: u64,
    /// Lists begun because a version had expired.
    pub relists: u64,
    /// Objects that could not be decoded.
    pub undecodable: u64,
    /// Objects over the size limit.
    pub oversized: u64,
    /// Endpoints of other nodes, dropped while decoding.
    pub dropped_endpoints: u64,
}

// === impl Board ===

impl Board {
    /// The entry of one resource.
    pub fn of(&self, resource: Resource) -> &Arc<Entry> {
        &self.entries[resource.index()]
    }

    /// The entry of the watch of one resource that reaches so far.
    pub fn part(&self, resource: Resource, reach: &Reach) -> Arc<Entry> {
        let whole = self.of(resource);
        if *reach == Reach::Cluster {
            return Arc::clone(whole);
        }
        let mut parts = self.lock();
        let part = parts.entry((resource, reach.clone())).or_insert_with(|| {
            Arc::new(Entry { counters: Arc::clone(&whole.counters), now: Mutex::default() })
        });
        Arc::clone(part)
    }

    /// All entries in the order of their resources: that of the resource, then those of its parts.
    pub fn entries(&self) -> Vec<(Resource, Reach, Arc<Entry>)> {
        let parts = self.lock();
        let of = |resource: Resource| {
            let whole = (resource, Reach::Cluster, Arc::clone(self.of(resource)));
            let parts = parts.iter().filter(move |((of, _), _)| *of == resource);
            let parts = parts.map(|((of, reach), entry)| (*of, reach.clone(), Arc::clone(entry)));
            std::iter::once(whole).chain(parts)
        };
        Resource::ALL.into_iter().flat_map(of).collect()
    }

    /// What is wrong with a resource, or with a part of it.
    pub fn trouble(&self, resource: Resource) -> Option<Trouble> {
        let entries = self.entries().into_iter().filter(|(of, ..)| *of == resource);
        entries.filter_map(|(_, _, entry)| entry.view().trouble).next()
    }

    /// Whether anything that is served comes from a saved state that has not been confirmed yet.
    pub fn is_stale(&self) -> bool {
        self.entries().iter().any(|(_, _, entry)| entry.view().stale)
    }

    /// Nothing of that resource is watched any more.
    pub fn close(&self, resource: Resource) {
        self.of(resource).close();
        self.lock().retain(|(of, _), _| *of != resource);
    }

    /// The watch that reaches so far has ended.
    pub fn close_part(&self, resource: Resource, reach: &Reach) {
        self.part(resource, reach).close();
        self.lock().remove(&(resource, reach.clone()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Resource, Reach), Arc<Entry>>> {
        self.parts.lock().expect("nothing panics while it holds this lock")
    }
}

// === impl Entry ===

impl Entry {
    /// Says what the loop is doing now.
    pub fn set_phase(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    /// The loop has ended; how it was doing is of no interest any more.
    pub fn close(&self) {
        *self.lock() = Now::default();
    }

    /// Nothing is wrong any more.
    pub fn clear_trouble(&self) {
        self.lock().trouble = None;
    }

    /// What is known comes from a saved state of this version.
    pub fn restore(&self, resource_version: &str) {
        let mut now = self.lock();
        now.stale = true;
        resource_version.clone_into(&mut now.resource_version);
    }

    /// What is known is what the API server has.
    pub fn confirm(&self) {
        self.lock().stale = false;
    }

    /// A list was completed, or an event or bookmark came: all is well, up to this version.
    pub fn heard(&self, resource_version: &str) {
        let mut now = self.lock();
        now.last_event = Some((Instant::now(), SystemTime::now()));
        now.trouble = None;
        now.stale = false;
        resource_version.clone_into(&mut now.resource_version);
    }

    /// Something went wrong. Returns true if that was not known yet: the moment to log it.
    pub fn set_trouble(&self, message: &str) -> bool {
        let mut now = self.lock();
        let since = now.trouble.as_ref().map_or_else(SystemTime::now, |trouble| trouble.since);
        let news = now.trouble.as_ref().is_none_or(|trouble| trouble.message != message);
        now.trouble = Some(Trouble { since, message: message.to_owned() });
        news
    }

    /// Says whether the server hands it out to the node rather than to ourselves.
    pub fn set_impersonating(&self, impersonating: bool) {
        self.lock().impersonating = Some(impersonating);
    }

    /// Counts a request that ended.
    pub fn count_request(&self, verb: Verb, outcome: Outcome) {
        self.counters.requests[verb as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Requests that ended, by verb and outcome, without those that never happened.
    pub fn requests(&self) -> impl Iterator<Item = (Verb, Outcome, u64)> {
        Verb::ALL.into_iter().flat_map(move |verb| {
            Outcome::ALL.into_iter().filter_map(move |outcome| {
                let counter = &self.counters.requests[verb as usize][outcome as usize];
                let count = counter.load(Ordering::Relaxed);
                (count > 0).then_some((verb, outcome, count))
            })
        })
    }

    /// Counts an event or bookmark.
    pub fn count_event(&self) {
        self.counters.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a list that became necessary because a version had expired.
    pub fn count_relist(&self) {
        self.counters.relists.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an object that could not be decoded.
    pub fn count_undecodable(&self) {
        self.counters.undecodable.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an object over the size limit.
    pub fn count_oversized(&self) {
        self.counters.oversized.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts endpoints of other nodes.
    pub fn count_dropped_endpoints(&self, dropped: usize) {
        self.counters.dropped_endpoints.fetch_add(dropped as u64, Ordering::Relaxed);
    }

    /// A copy for readers.
    pub fn view(&self) -> View {
        let Now { phase, last_event, trouble, resource_version, impersonating, stale } =
            self.lock().clone();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        View {
            phase,
            last_event_age: last_event.map(|(at, _)| at.elapsed()),
            last_event: last_event.map(|(_, at)| at),
            trouble,
            resource_version,
            impersonating,
            stale,
            events: count(&self.counters.events),
            relists: count(&self.counters.relists),
            undecodable: count(&self.counters.undecodable),
            oversized: count(&self.counters.oversized),
            dropped_endpoints: count(&self.counters.dropped_endpoints),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().expect("nothing panics while it holds this lock")
    }
}

// === impl Phase, Verb, Outcome ===

impl Phase {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Closed, Self::Listing, Self::Watching, Self::Waiting];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Listing => "listing",
            Self::Watching => "watching",
            Self::Waiting => "waiting",
        }
    }
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Get, Self::List, Self::Watch];

    /// The RBAC verb.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
        }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Gone,
        Self::Throttled,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Refused,
        Self::ServerError,
        Self::Connection,
        Self::Timeout,
        Self::Garbled,
    ];

    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Gone => "gone",
            Self::Throttled => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::ServerError => "server_error",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Garbled => "garbled",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
