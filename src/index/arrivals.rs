//! The queue of changes on their way to the index, which knows since when each of them waits.

use super::change::Change;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Where changes go. A full queue makes the watches wait, which makes the API server wait; nothing is lost.
#[derive(Clone, Debug)]
pub struct Changes(mpsc::Sender<Arrival>);

/// Nobody takes changes any more: the index is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index is gone")]
pub struct NoIndex;

/// A change, and when it came.
#[derive(Debug)]
pub struct Arrival {
    /// When it was known here.
    pub at: Instant,
    /// What it says.
    pub change: Change,
}

/// A queue for so many changes.
pub fn arrivals(room: usize) -> (Changes, mpsc::Receiver<Arrival>) {
    let (sender, queue) = mpsc::channel(room);
    (Changes(sender), queue)
}

// === impl Changes ===

impl Changes {
    /// Tells the index. Waits for room.
    ///
    /// # Errors
    /// If the index is gone.
    pub async fn send(&self, change: Change) -> Result<(), NoIndex> {
        let at = Instant::now();
        self.0.send(Arrival { at, change }).await.map_err(|_| NoIndex)
    }
}
