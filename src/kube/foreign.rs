//! The watches of foreign slices: those that cannot be derived.
//!
//! In most clusters there is none to open. Where some are needed they are few and lie in few
//! namespaces, and a watch of a namespace costs the API server only that namespace's slices; a
//! cluster-wide one is shown every slice of the cluster and hands out those that match. So each
//! namespace has a watch of its own, until there are more than a few.

use super::kind::Scope;
use super::reflector::{Context, Reflector};
use super::tasks::{LOOK_EVERY, end};
use super::timing::part_of;
use super::version;
use crate::demand::UNUSED_AFTER;
use crate::index::{Change, ForeignSlices, Snapshot, Snapshots};
use crate::objects::{EndpointSlice, Reach, Resource};
use crate::status::Phase;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tracing::info;

/// Opens and closes the watches of foreign slices as Services without a selector come and go.
/// Dropping it ends them.
pub(super) struct ForeignWatches {
    which: ForeignSlices,
    context: Context,
    snapshots: Arc<Snapshots>,
    /// When each namespace was last seen to need a watch. One that no longer does keeps its watch
    /// for as long as any that is no longer asked for: Services that are deleted often come back.
    last_needed: BTreeMap<Arc<str>, Instant>,
    open: BTreeMap<Reach, AbortHandle>,
    tasks: JoinSet<()>,
}

/// With more namespaces there is one watch for all: each watch is a connection's stream and a list
/// after each restart of the API server.
const MOST_NAMESPACES: usize = 3;

/// How often the version is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(60 * 60);

const SLICES: Resource = Resource::EndpointSlices;

// === impl ForeignWatches ===

impl ForeignWatches {
    pub(super) fn new(which: ForeignSlices, context: Context, snapshots: Arc<Snapshots>) -> Self {
        let (last_needed, open, tasks) = (BTreeMap::new(), BTreeMap::new(), JoinSet::new());
        Self { which, context, snapshots, last_needed, open, tasks }
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
                self.follow(&wanted, is_first).await;
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
            while self.tasks.try_join_next().is_some() {} // closed ones
        }
    }

    /// What is to be watched; `None` as long as that is not known.
    fn wanted(&mut self, snapshot: &Snapshot) -> Option<BTreeSet<Reach>> {
        match self.which {
            ForeignSlices::Off => return Some(BTreeSet::new()),
            ForeignSlices::All => return Some([Reach::Cluster].into()),
            ForeignSlices::Auto if !snapshot.synced.contains(Resource::Services) => return None,
            ForeignSlices::Auto => {}
        }
        let now = Instant::now();
        for namespace in &snapshot.derived.needing_foreign_slices {
            self.last_needed.insert(Arc::clone(namespace), now);
        }
        self.last_needed.retain(|_, last| now.duration_since(*last) < UNUSED_AFTER);
        Some(if self.last_needed.len() > MOST_NAMESPACES {
            [Reach::Cluster].into()
        } else {
            self.last_needed.keys().cloned().map(Reach::Namespace).collect()
        })
    }

    /// Closes first: of two watches of one object the slower one would bring back an older state.
    /// The first watches are opened at once, because a question waits for them; later ones are
    /// opened by all nodes, which see the same Service come, and not at the same moment.
    async fn follow(&mut self, wanted: &BTreeSet<Reach>, is_first: bool) {
        let unwanted = self.open.keys().filter(|reach| !wanted.contains(*reach));
        for reach in unwanted.cloned().collect::<Vec<_>>() {
            if let Some(task) = self.open.remove(&reach) {
                info!(namespace = reach.namespace(), "closing a watch of foreign slices");
                end(&task).await;
                self.context.board.close_part(SLICES, &reach);
            }
        }
        for reach in wanted {
            if !self.open.contains_key(reach) {
                info!(namespace = reach.namespace(), "opening a watch of foreign slices");
                let entry = self.context.board.part(SLICES, reach);
                let scope = Scope::foreign_slices(reach.clone());
                let reflector = Reflector::<EndpointSlice>::new(self.context.clone(), scope, entry);
                let jitter = self.context.timing.open_jitter;
                let wait = if is_first { Duration::ZERO } else { part_of(jitter) };
                let task = self.tasks.spawn(async move {
                    sleep(wait).await;
                    reflector.run().await;
                });
                self.open.insert(reach.clone(), task);
            }
        }
    }
}
