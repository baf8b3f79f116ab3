//! The task that owns the index, and the place where its snapshots are published.

use super::arrivals::Arrival;
use super::endpoints_from::EndpointsFrom;
use super::excluded::Excluded;
use super::progress::Progress;
use super::snapshot::Snapshot;
use super::state::Index;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::Instant;

/// The latest snapshot. Reading never blocks and never waits.
#[derive(Debug)]
pub struct Snapshots {
    latest: ArcSwap<Snapshot>,
    version: watch::Sender<u64>,
    progress: watch::Sender<Progress>,
}

// === impl Snapshots ===

impl Snapshots {
    /// Starts with an empty snapshot of that node.
    pub fn new(node: &str, endpoints_from: EndpointsFrom) -> Self {
        Self::after(Snapshot::of(node, endpoints_from, Excluded::default()))
    }

    /// Starts with that snapshot.
    pub fn after(first: Snapshot) -> Self {
        let version = watch::Sender::new(first.version);
        let progress = watch::Sender::new(Progress::default());
        Self { latest: ArcSwap::from_pointee(first), version, progress }
    }

    /// The latest snapshot.
    pub fn load(&self) -> Arc<Snapshot> {
        self.latest.load_full()
    }

    /// Tells of each later version. Subscribe before [`load`](Self::load), so that no change falls
    /// between the two.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// How far the watches have come. Look at it before [`load`](Self::load): then the snapshot has at least
    /// that.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Says how far the watches have come; after the snapshot that has it.
    pub fn publish_progress(&self, progress: &Progress) {
        self.progress.send_if_modified(|last| {
            let moved = last != progress;
            if moved {
                last.clone_from(progress);
            }
            moved
        });
    }

    /// Puts a snapshot in the place of the latest.
    pub fn publish(&self, snapshot: Snapshot) {
        let version = snapshot.version;
        self.latest.store(Arc::new(snapshot));
        self.version.send_replace(version);
    }
}

/// Who is told what came and what was published, for people. Nothing that is served depends on it.
pub trait Witness {
    /// A change is about to be applied; `before` is the latest snapshot.
    fn came(&mut self, arrival: &Arrival, before: &Snapshot);

    /// What came since the last snapshot has changed nothing.
    fn nothing_changed(&mut self);

    /// What came since the last snapshot is in this one, which was published then.
    fn published(&mut self, before: &Snapshot, after: &Snapshot, at: Instant);
}

/// Applies changes until the last sender is gone; publishes after each batch, that is, whatever
/// has queued up while the batch before was applied. The witness is told after those who wait for a snapshot.
pub async fn maintain(
    mut index: Index,
    mut changes: mpsc::Receiver<Arrival>,
    snapshots: Arc<Snapshots>,
    mut witness: impl Witness,
) {
    const BATCH: usize = 256; // a snapshot may lag this many changes behind, no more
    let mut batch = Vec::with_capacity(BATCH);
    while changes.recv_many(&mut batch, BATCH).await > 0 {
        let before = snapshots.load();
        for arrival in batch.drain(..) {
            witness.came(&arrival, &before);
            index.apply(arrival.change);
        }
        let snapshot = index.take_snapshot();
        let published = snapshot.map(|snapshot| {
            snapshots.publish(snapshot);
            Instant::now()
        });
        snapshots.publish_progress(index.progress());
        match published {
            Some(at) => {
                yield_now().await;
                witness.published(&before, &snapshots.load(), at);
            }
            None => witness.nothing_changed(),
        }
    }
}
