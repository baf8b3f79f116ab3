//! What a connection remembers from one request to the next, and what may cut a request short.

use super::connections::{Slot, Stage};
use crate::sd::Tag;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// A Prometheus has one URL on each connection. Of a client with more, the latest are remembered; to the
/// others the answer is given at once.
const URLS: usize = 8;

/// The requests of one connection, one after the other; each carries it among its extensions.
#[derive(Debug)]
pub(super) struct Conversation {
    slot: Arc<Slot>,
    stopping: watch::Receiver<bool>,
    /// What was sent last, by the hash of the URL; the latest last. Two URLs of one hash look like one, of which the
    /// answer has changed, or is the same anyway.
    sent: Mutex<Vec<(u64, Tag)>>,
}

/// Why a request is answered before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It is time to stop.
    Shutdown,
    /// Its connection must make room for another.
    Room,
}

/// A request that is held; no longer when it is dropped.
#[derive(Debug)]
pub(super) struct Held<'a>(&'a Conversation);

// === impl Conversation ===

impl Conversation {
    pub(super) fn new(slot: Arc<Slot>, stopping: watch::Receiver<bool>) -> Self {
        Self { slot, stopping, sent: Mutex::default() }
    }

    /// Which answer to that URL was sent last on this connection.
    pub(super) fn sent(&self, url: &str) -> Option<Tag> {
        let url = hash(url);
        self.all_sent().iter().find(|(of, _)| *of == url).map(|(_, tag)| *tag)
    }

    /// Remembers which answer is being sent.
    pub(super) fn remember(&self, url: &str, tag: Tag) {
        let url = hash(url);
        let mut sent = self.all_sent();
        sent.retain(|(of, _)| *of != url);
        if sent.len() == URLS {
            sent.remove(0);
        }
        if sent.capacity() == 0 {
            sent.reserve_exact(1); // all that most connections need
        }
        sent.push((url, tag));
    }

    /// The request is held from now on.
    pub(super) fn hold(&self) -> Held<'_> {
        self.slot.set_stage(Stage::Held);
        Held(self)
    }

    fn all_sent(&self) -> MutexGuard<'_, Vec<(u64, Tag)>> {
        self.sent.lock().expect("nothing panics while it holds this lock")
    }
}

fn hash(url: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    url.hash(&mut hasher);
    hasher.finish()
}

// === impl Held ===

impl Held<'_> {
    /// Resolves when the request must be answered now, whatever there is.
    pub(super) async fn cut(&self) -> Cut {
        let mut stopping = self.0.stopping.clone();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => Cut::Shutdown, // an error is the end of the listener
            () = self.0.slot.must_answer() => Cut::Room,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.slot.set_stage(Stage::Request);
    }
}

#[cfg(test)]
mod tests {
    use super::super::connections::Connections;
    use super::*;
    use crate::sd::Rendered;

    fn tag(text: &'static str) -> Tag {
        Rendered::from(bytes::Bytes::from_static(text.as_bytes())).tag
    }

    #[tokio::test]
    async fn the_latest_urls_are_remembered() {
        let slot = Arc::new(Connections::new(1).admit().await);
        let conversation = Conversation::new(slot, watch::channel(false).1);
        assert_eq!(conversation.sent("/0"), None);
        let url = |number: usize| format!("/{number}");
        for number in 0..URLS {
            conversation.remember(&url(number), tag("[]"));
        }
        conversation.remember("/0", tag("[1]"));
        conversation.remember("/more", tag("[2]"));
        assert_eq!(conversation.sent("/0"), Some(tag("[1]")));
        assert_eq!(conversation.sent("/1"), None, "the oldest has made room");
        assert_eq!(conversation.sent("/2"), Some(tag("[]")));
        assert_eq!(conversation.sent("/more"), Some(tag("[2]")));
    }
}
