//! How many connections there are, and which one goes when there are too many.

use super::stream::Busy;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// The open connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    table: Mutex<Table>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<u64, Entry>,
    next: u64,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    /// When it became idle, by a clock that ticks with each such moment.
    idle_since: u64,
    busy: Busy,
    close: Arc<Notify>,
    closing: bool,
}

/// A place among the connections; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    busy: Busy,
    close: Arc<Notify>,
}

/// While it lives, the connection is answering a request.
#[derive(Debug)]
pub(super) struct Answering(Arc<Place>);

// === impl Connections ===

impl Connections {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            table: Mutex::default(),
            left: Notify::new(),
        }
    }

    /// A place for one more. At the limit the connection that has been idle for the longest is
    /// told to close; one that is answering never is. Waits while there is no room.
    pub(super) async fn admit(self: &Arc<Self>) -> Arc<Place> {
        loop {
            let left = self.left.notified();
            if let Some(place) = self.try_admit() {
                return place;
            }
            left.await;
        }
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.lock().open.len()
    }

    fn try_admit(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut table = self.lock();
        if table.open.len() >= self.most {
            let idle = table
                .open
                .values_mut()
                .filter(|entry| !entry.busy.get() && !entry.closing);
            if let Some(oldest) = idle.min_by_key(|entry| entry.idle_since) {
                oldest.closing = true;
                oldest.close.notify_one();
            }
            return None;
        }
        let number = table.next;
        table.next += 1;
        let idle_since = table.tick();
        let (busy, close) = (Busy::default(), Arc::new(Notify::new()));
        let entry = Entry {
            idle_since,
            busy: busy.clone(),
            close: Arc::clone(&close),
            closing: false,
        };
        table.open.insert(number, entry);
        Some(Arc::new(Place {
            connections: Arc::clone(self),
            number,
            busy,
            close,
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}

impl Table {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

// === impl Place ===

impl Place {
    /// Whether a request is being answered.
    pub(super) fn busy(&self) -> Busy {
        self.busy.clone()
    }

    /// Waits until the connection should make room for another.
    pub(super) async fn asked_to_close(&self) {
        self.close.notified().await;
    }

    /// Marks the connection as answering until the result is dropped.
    pub(super) fn answer(self: &Arc<Self>) -> Answering {
        self.busy.set(true);
        Answering(Arc::clone(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().open.remove(&self.number);
        self.connections.left.notify_one();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let Place {
            connections,
            number,
            busy,
            ..
        } = &*self.0;
        let mut table = connections.lock();
        let now = table.tick();
        if let Some(entry) = table.open.get_mut(number) {
            entry.idle_since = now;
        }
        busy.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    async fn closes(place: &Place) -> bool {
        tokio::select! {
            biased;
            () = place.asked_to_close() => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_idle_one_makes_room() {
        let connections = Arc::new(Connections::new(3));
        let busy = connections.admit().await;
        let _answering = busy.answer();
        let used_lately = connections.admit().await;
        let oldest = connections.admit().await;
        drop(used_lately.answer());

        let waiting = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move {
                let _place = connections.admit().await;
                pending::<()>().await;
            }
        });
        tokio::task::yield_now().await;
        assert!(closes(&oldest).await);
        assert!(!closes(&busy).await && !closes(&used_lately).await);
        assert_eq!(connections.open(), 3);
        drop(oldest);
        tokio::task::yield_now().await;
        assert_eq!(connections.open(), 3, "the new one has the place");
        waiting.abort();
    }
}
