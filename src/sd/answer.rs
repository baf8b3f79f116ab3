//! Answering: what a question needs is asked for, waited for, and rendered.
//!
//! The first question that needs a new watch waits for its sync, as long as its caller can. Once
//! a watch has synced nobody waits for it again: what it knows is served, however old. Before
//! that the answer is an error and never an empty list, because Prometheus keeps its targets on
//! an error and drops them on an empty list.

use super::cache::{Cache, Question};
use super::render::{Rendered, render};
use crate::demand::Demand;
use crate::index::{Needs, Snapshot, Snapshots};
use crate::objects::{Resource, ResourceSet};
use crate::status::Board;
use crate::targets::{Query, build};
use prometheus_client::metrics::histogram::Histogram;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// 110 Pods with two hundred labels each are about 1 MiB; so all questions of one Prometheus fit.
const CACHE_BYTES: usize = 32 << 20;

/// How long an answer waits for the owners of fresh Pods. One read takes milliseconds; a Pod
/// whose owner cannot be read must not hold up all others.
pub(super) const FRESH_OWNERS: Duration = Duration::from_secs(1);

/// Answers questions from the latest snapshot.
#[derive(Debug)]
pub struct Answers {
    snapshots: Arc<Snapshots>,
    demand: Arc<Demand>,
    board: Arc<Board>,
    cache: Cache,
    render_seconds: Histogram,
}

/// Something that the answer needs has not been listed yet, and the caller cannot wait longer.
#[derive(Debug, PartialEq, Eq)]
pub struct NotSynced {
    /// What has not been listed, and what is wrong with it, as far as that is known.
    pub missing: Vec<(Resource, Option<String>)>,
}

/// What a snapshot lacks for a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Nothing,
    /// Owners of Pods that came after all owners had been read once.
    FreshOwners,
    Sync(ResourceSet),
}

// === impl Answers ===

impl Answers {
    /// Answers from these snapshots; says in `demand` what it needs, and takes the reasons for
    /// missing syncs from `board`.
    pub fn new(snapshots: Arc<Snapshots>, demand: Arc<Demand>, board: Arc<Board>) -> Self {
        Self {
            snapshots,
            demand,
            board,
            cache: Cache::new(CACHE_BYTES),
            // 0.1 ms to 0.4 s: a node's targets take a few milliseconds.
            render_seconds: Histogram::new([
                0.0001, 0.0004, 0.0016, 0.0064, 0.0256, 0.1024, 0.4096,
            ]),
        }
    }

    /// The rendered answer. `asked_in` is the length of the question's text in bytes, which the
    /// cache charges.
    ///
    /// # Errors
    /// If a resource that the query needs does not sync within `patience`.
    pub async fn answer(
        &self,
        question: impl Into<Arc<Question>>,
        asked_in: usize,
        patience: Duration,
    ) -> Result<Rendered, NotSynced> {
        let question = question.into();
        let snapshot = self.synced(question.query(), patience).await?;
        Ok(self.rendered(&question, asked_in, &snapshot))
    }

    /// The rendered answer as of now, for who cannot wait at all.
    ///
    /// # Errors
    /// If a resource that the query needs has not synced.
    pub fn answer_now(
        &self,
        question: &Arc<Question>,
        asked_in: usize,
    ) -> Result<Rendered, NotSynced> {
        match self.look(question.query()) {
            (_, Lack::Sync(missing)) => Err(self.not_synced(missing)),
            (snapshot, Lack::Nothing | Lack::FreshOwners) => {
                Ok(self.rendered(question, asked_in, &snapshot))
            }
        }
    }

    /// The latest snapshot, and what it lacks for that query.
    pub(super) fn look(&self, query: &Query) -> (Arc<Snapshot>, Lack) {
        let snapshot = self.snapshots.load();
        let lack = Self::lack(&snapshot, &query.needs(snapshot.endpoints_from));
        (snapshot, lack)
    }

    /// Tells of each later version of the snapshot.
    pub(super) fn versions(&self) -> watch::Receiver<u64> {
        self.snapshots.subscribe()
    }

    /// The answer that this snapshot gives; rendered once for each version.
    pub(super) fn rendered(
        &self,
        question: &Arc<Question>,
        asked_in: usize,
        snapshot: &Snapshot,
    ) -> Rendered {
        if let Some(answer) = self.cache.get(question, snapshot.version) {
            return answer;
        }
        let started = Instant::now();
        let targets = build(snapshot, question.query(), question.profile());
        let body = render(&targets.own);
        self.render_seconds.observe(started.elapsed().as_secs_f64());
        self.cache.put(question, asked_in, snapshot.version, body)
    }

    /// A snapshot from which the query can be answered.
    ///
    /// # Errors
    /// If a resource that the query needs does not sync within `patience`.
    pub async fn synced(
        &self,
        query: &Query,
        patience: Duration,
    ) -> Result<Arc<Snapshot>, NotSynced> {
        let needs = query.needs(self.snapshots.load().endpoints_from);
        self.demand.need(&needs);
        let mut versions = self.snapshots.subscribe();
        let asked = Instant::now();
        loop {
            let snapshot = self.snapshots.load();
            let lack = Self::lack(&snapshot, &needs);
            let wait = match lack {
                Lack::Nothing => return Ok(snapshot),
                Lack::FreshOwners => patience.min(FRESH_OWNERS),
                Lack::Sync(_) => patience,
            };
            let later = timeout_at(asked + wait, versions.changed()).await;
            if matches!(later, Ok(Ok(()))) {
                continue;
            }
            return match lack {
                Lack::Sync(missing) => Err(self.not_synced(missing)),
                Lack::Nothing | Lack::FreshOwners => Ok(snapshot),
            };
        }
    }

    /// The time it takes to build and render an answer, in seconds.
    pub fn render_seconds(&self) -> &Histogram {
        &self.render_seconds
    }

    fn lack(snapshot: &Snapshot, needs: &Needs) -> Lack {
        let unsynced = snapshot.lacks(needs);
        if !unsynced.is_empty() {
            Lack::Sync(unsynced)
        } else if snapshot.unread_owners(needs.resources).next().is_some() {
            Lack::FreshOwners
        } else {
            Lack::Nothing
        }
    }

    fn not_synced(&self, missing: ResourceSet) -> NotSynced {
        let missing = missing
            .iter()
            .map(|resource| {
                let trouble = self.board.trouble(resource);
                (resource, trouble.map(|trouble| trouble.message))
            })
            .collect();
        NotSynced { missing }
    }
}

// === impl NotSynced ===

impl fmt::Display for NotSynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not synced yet: ")?;
        for (i, (resource, trouble)) in self.missing.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            match trouble {
                Some(trouble) => write!(f, "{resource} ({trouble})")?,
                None => write!(f, "{resource} (the first list is still under way)")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for NotSynced {}
