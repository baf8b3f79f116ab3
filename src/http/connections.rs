//! How many connections may be open, and which one makes room for the next.
//!
//! Only a connection that nobody misses is closed to make room: one without a request in flight, the one that has
//! been so for the longest first; if there is none, one whose request is held, the longest held first, and not before
//! that has its answer. Prometheus opens a new connection then, at its next poll. Where all are
//! busy, the next client waits in the queue of the kernel.

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
    /// Connections that can make room, and how to tell them to; the first is the first to go.
    spare: BTreeMap<Since, Arc<Notify>>,
    moments: u64,
}

/// Why a connection can make room, and since which moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Since {
    Idle(u64),
    Held(u64),
}

/// One open connection; dropping it gives its place free.
#[derive(Debug)]
pub(super) struct Slot {
    connections: Arc<Connections>,
    close: Arc<Notify>,
    answer: Arc<Notify>,
    place: Mutex<Place>,
}

#[derive(Debug)]
struct Place {
    stage: Stage,
    /// Its key among the spare ones. One that is no longer there has been told to go.
    spare_since: Option<Since>,
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
    /// Its answer is the one that the client has, and is kept until it changes.
    Held,
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
        let since = table.add(Since::Idle, &close);
        drop(table);
        Slot {
            connections: Arc::clone(self),
            close,
            answer: Arc::default(),
            place: Mutex::new(Place { stage: Stage::Idle, spare_since: Some(since) }),
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
            && let Some((_, oldest)) = table.spare.pop_first()
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
    fn add(&mut self, since: fn(u64) -> Since, tell: &Arc<Notify>) -> Since {
        self.moments += 1;
        let since = since(self.moments);
        self.spare.insert(since, Arc::clone(tell));
        since
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
        let add: (fn(u64) -> Since, _) = match (stage, place.spare_since) {
            // One that was told to go is no longer in the table, and stays out of it.
            (Stage::Request | Stage::Response, Some(since)) => {
                if table.spare.remove(&since).is_some() {
                    place.spare_since = None;
                }
                return;
            }
            (Stage::Idle, None) => (Since::Idle, &self.close),
            (Stage::Held, None) => (Since::Held, &self.answer),
            _ => return,
        };
        place.spare_since = Some(table.add(add.0, add.1));
        self.connections.changed.notify_one();
    }

    /// Resolves when the connection, which is idle, must make room.
    pub(super) async fn must_close(&self) {
        self.close.notified().await;
    }

    /// Resolves when the request, which is held, must be answered to make room.
    pub(super) async fn must_answer(&self) {
        self.answer.notified().await;
    }

    /// Whether the connection must end with the answer that is being written.
    pub(super) fn is_told_to_go(&self) -> bool {
        let since = self.place().spare_since;
        since.is_some_and(|since| !self.connections.lock().spare.contains_key(&since))
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let spare_since = self.place().spare_since;
        let mut table = self.connections.lock();
        table.open -= 1;
        if let Some(since) = spare_since
            && table.spare.remove(&since).is_none()
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
        assert_eq!((table.open, table.closing, table.spare.len()), (0, 0, 0));
    }
}
