//! How many connections may be open, and which one makes room for the next.
//!
//! Only a connection without a request in flight is ever closed to make room, the one that has
//! been so for the longest first. Prometheus opens a new connection then, at its next poll.
//! Where all are busy, the next client waits in the queue of the kernel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// The open connections of one listener.
#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    open: usize,
    /// Told to close, but still open.
    closing: usize,
    /// Connections without a request in flight, by the moment since when.
    idle: BTreeMap<u64, Arc<Notify>>,
    moments: u64,
}

/// One open connection; dropping it gives its place free.
#[derive(Debug)]
pub(super) struct Slot {
    connections: Arc<Connections>,
    close: Arc<Notify>,
    place: Mutex<Place>,
}

#[derive(Debug)]
struct Place {
    stage: Stage,
    /// Its key among the idle ones.
    idle_since: Option<u64>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing of the next request has come.
    Idle,
    /// A part of its head has come.
    Head,
    /// A request is being answered.
    Request,
    /// The answer is being written.
    Response,
}

// === impl Connections ===

impl Connections {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, table: Mutex::default(), changed: Notify::new() })
    }

    /// A place for one more connection, when there is one. For one caller at a time.
    pub(super) async fn admit(self: &Arc<Self>) -> Slot {
        while !self.has_room() {
            self.changed.notified().await;
        }
        let close = Arc::new(Notify::new());
        let mut table = self.lock();
        table.open += 1;
        let since = table.add_idle(Arc::clone(&close));
        drop(table);
        Slot {
            connections: Arc::clone(self),
            close,
            place: Mutex::new(Place { stage: Stage::Idle, idle_since: Some(since) }),
        }
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.lock().open
    }

    /// Whether one more can be open; if not, sees to it that one closes.
    fn has_room(&self) -> bool {
        let mut table = self.lock();
        if table.open < self.limit {
            return true;
        }
        if table.open - table.closing >= self.limit
            && let Some((_, oldest)) = table.idle.pop_first()
        {
            table.closing += 1;
            oldest.notify_one();
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds this lock")
    }
}

// === impl Table ===

impl Table {
    fn add_idle(&mut self, close: Arc<Notify>) -> u64 {
        self.moments += 1;
        self.idle.insert(self.moments, close);
        self.moments
    }
}

// === impl Slot ===

impl Slot {
    /// What the connection is doing.
    pub(super) fn stage(&self) -> Stage {
        self.place().stage
    }

    /// Says what it is doing now.
    pub(super) fn set_stage(&self, stage: Stage) {
        let mut place = self.place();
        place.stage = stage;
        let mut table = self.connections.lock();
        match (stage, place.idle_since) {
            // One that was told to close is no longer in the table, and stays out of it.
            (Stage::Request, Some(since)) if table.idle.remove(&since).is_some() => {
                place.idle_since = None;
            }
            (Stage::Idle, None) => {
                place.idle_since = Some(table.add_idle(Arc::clone(&self.close)));
                self.connections.changed.notify_one();
            }
            _ => {}
        }
    }

    /// Resolves when the connection must make room.
    pub(super) async fn must_close(&self) {
        self.close.notified().await;
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let idle_since = self.place().idle_since;
        let mut table = self.connections.lock();
        table.open -= 1;
        if let Some(since) = idle_since
            && table.idle.remove(&since).is_none()
        {
            table.closing -= 1;
        }
        drop(table);
        self.connections.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    async fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
        timeout(Duration::from_secs(1), future).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_goes_first_and_a_busy_one_never() {
        let connections = Connections::new(3);
        let [busy, old, young] =
            [connections.admit().await, connections.admit().await, connections.admit().await];
        busy.set_stage(Stage::Request);
        // `old` has just answered, so now `young` is idle for longer.
        old.set_stage(Stage::Request);
        old.set_stage(Stage::Response);
        old.set_stage(Stage::Idle);

        assert!(now_or_never(connections.admit()).await.is_none());
        assert!(now_or_never(young.must_close()).await.is_some());
        assert!(now_or_never(old.must_close()).await.is_none(), "one is enough");
        drop(young);
        let fourth = now_or_never(connections.admit()).await.unwrap();

        fourth.set_stage(Stage::Request);
        old.set_stage(Stage::Request);
        assert!(now_or_never(connections.admit()).await.is_none());
        busy.set_stage(Stage::Response);
        busy.set_stage(Stage::Idle);
        assert!(now_or_never(connections.admit()).await.is_none());
        assert!(now_or_never(busy.must_close()).await.is_some());
        drop((busy, old, fourth));
        let table = connections.lock();
        assert_eq!((table.open, table.closing, table.idle.len()), (0, 0, 0));
    }
}
