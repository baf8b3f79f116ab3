//! The watches of foreign slices: those that cannot be derived.
//!
//! In most clusters there is none to open. Where some are needed they are few and lie in few
//! namespaces, and a watch of a namespace costs the API server only that namespace's slices; a
//! cluster-wide one is shown every slice of the cluster and hands out those that match. So each
//! namespace has a watch of its own, until there are more than a few.

use super::kind::Scope;
use super::parts::Parts;
use super::reflector::Context;
use super::tasks::LOOK_EVERY;
use super::version;
use crate::demand::UNUSED_AFTER;
use crate::index::{Change, ForeignSlices, Snapshot, Snapshots};
use crate::objects::{EndpointSlice, Reach, Resource};
use crate::status::Phase;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Opens and closes the watches of foreign slices as Services without a selector come and go.
/// Dropping it ends them.
pub(super) struct ForeignWatches {
    which: ForeignSlices,
    context: Context,
    snapshots: Arc<Snapshots>,
    /// When each namespace was last seen to need a watch. One that no longer does keeps its watch
    /// for as long as any that is no longer asked for: Services that are deleted often come back.
    last_needed: BTreeMap<Arc<str>, Instant>,
    parts: Parts<EndpointSlice>,
}

/// How often the version is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(60 * 60);

const SLICES: Resource = Resource::EndpointSlices;

// === impl ForeignWatches ===

impl ForeignWatches {
    pub(super) fn new(which: ForeignSlices, context: Context, snapshots: Arc<Snapshots>) -> Self {
        let parts = Parts::new(context.clone(), Scope::foreign_slices);
        Self { which, context, snapshots, last_needed: BTreeMap::new(), parts }
    }

    /// Runs until it is dropped. EndpointSlices are synced, for the index, once the version of the
    /// controller is known and each watch that is needed has had its first list.
    pub(super) async fn run(mut self) {
        let entry = Arc::clone(self.context.board.of(SLICES));
        let mut controller = version::controller(&self.context, &entry).await;
        self.context.tell(Change::Controller(controller)).await;
        let mut asked = Instant::now();
        let mut versions = self.snapshots.subscribe();
        loop {
            if asked.elapsed() > ASK_AGAIN {
                asked = Instant::now();
                // A cluster may be upgraded while we run, and a first answer may have been a proxy's.
                controller =
                    version::controller_now(&self.context, &entry).await.unwrap_or(controller);
                self.context.tell(Change::Controller(controller)).await;
            }
            entry.set_phase(Phase::Watching);
            versions.borrow_and_update();
            let snapshot = self.snapshots.load();
            if let Some(wanted) = self.wanted(&snapshot) {
                let is_first = !snapshot.synced.contains(SLICES);
                // The first are opened at once, and those of Services that have just been listed, because
                // questions wait for them. All nodes see a later Service come, and do not open at the same moment.
                let is_awaited = is_first || snapshot.services_listed != snapshot.services_watched;
                let timing = &self.context.timing;
                let jitter = if is_awaited { Duration::ZERO } else { timing.open_jitter };
                self.parts.follow(&wanted, jitter).await;
                // Before that what is known stays, also of namespaces whose watch has given way to
                // one for all, or the other way round.
                if wanted.is_subset(&snapshot.slices_listed) {
                    if *snapshot.slices_listed != wanted {
                        self.context.tell(Change::SlicesWatched(wanted)).await;
                    }
                    if is_first {
                        self.context.tell(Change::Synced(SLICES)).await;
                    }
                }
            }
            tokio::select! {
                changed = versions.changed() => if changed.is_err() { return },
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// What is to be watched; `None` as long as that is not known.
    fn wanted(&mut self, snapshot: &Snapshot) -> Option<BTreeSet<Reach>> {
        match self.which {
            ForeignSlices::Off => return Some(BTreeSet::new()),
            ForeignSlices::All => return Some([Reach::Cluster].into()),
            // Not whether they are synced: for that Services wait for us, once we were.
            ForeignSlices::Auto if snapshot.services_listed.is_empty() => return None,
            ForeignSlices::Auto => {}
        }
        let now = Instant::now();
        for namespace in &snapshot.derived.needing_foreign_slices {
            self.last_needed.insert(Arc::clone(namespace), now);
        }
        self.last_needed.retain(|_, last| now.duration_since(*last) < UNUSED_AFTER);
        Some(Reach::joined(self.last_needed.keys().cloned().map(Reach::Namespace).collect()))
    }
}
