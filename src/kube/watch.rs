//! One watch, from its request to its end.

use super::bounded::Piece;
use super::decode::{self, Event, EventKind, OBJECT_LIMIT};
use super::failure::Failure;
use super::kind::Kind;
use super::lines::LineSplitter;
use super::reflector::Reflector;
use super::request::{self, Chunks, Form};
use super::timing::part_of;
use crate::index::Update;
use crate::status::Verb;
use kube::client::Body;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::Instant;

/// What became of a watch.
#[derive(Debug)]
pub(super) struct Watched {
    /// How long it lived after it was accepted; `None` if it never was.
    pub(super) lived: Option<Duration>,
    /// Whether it told anything that could be read, be it a bookmark.
    pub(super) told: bool,
    /// Whether it ended in order.
    pub(super) result: Result<(), Failure>,
}

/// A watch that told nothing and lived less than this was not meant as one.
pub(super) const TOO_SHORT: Duration = Duration::from_secs(1);

impl<K: Kind> Reflector<K> {
    /// Watches from that version, which moves on with each event and bookmark, until the watch
    /// ends. Events that came before a failure have been applied.
    pub(super) async fn watch(&mut self, version: &mut String, headers: Duration) -> Watched {
        self.pacer.wait(self.turn()).await;
        let length = self.timing.watch_length + part_of(self.timing.watch_length);
        let watched = match self.open(version, length, headers).await {
            Ok(body) => {
                let accepted = Instant::now();
                let until = accepted + length + self.timing.watch_overrun;
                let chunks = Chunks::new(body, self.timing.watch_silence, until);
                let mut told = false;
                let result = self.read(chunks, version, accepted, &mut told).await;
                Watched { lived: Some(accepted.elapsed()), told, result }
            }
            Err(failure) => Watched { lived: None, told: false, result: Err(failure) },
        };
        self.count(Verb::Watch, watched.result.as_ref().err());
        watched
    }

    async fn open(
        &mut self,
        version: &str,
        length: Duration,
        headers: Duration,
    ) -> Result<Body, Failure> {
        let form = if self.scope.metadata_only { Form::Metadata } else { Form::Full };
        let request = request::get(&self.watch_uri(version, length), form, false)?;
        Ok(self.send(request, headers).await?.into_body())
    }

    async fn read(
        &mut self,
        mut chunks: Chunks,
        version: &mut String,
        accepted: Instant,
        told: &mut bool,
    ) -> Result<(), Failure> {
        let mut lines = LineSplitter::new(OBJECT_LIMIT);
        while let Some(chunk) = chunks.next().await? {
            // Collected, because handing one on may have to wait and the splitter cannot.
            let mut updates = Vec::new();
            let mut moved = false;
            let mut failure = None;
            lines.push(&chunk, |line| {
                if failure.is_none() {
                    match self.read_line(line, version) {
                        Ok(update) => {
                            (*told, moved) = (true, true);
                            updates.extend(update);
                        }
                        Err(error) => failure = Some(error),
                    }
                }
            });
            for update in updates {
                self.tell(K::change(update)).await;
            }
            if moved {
                self.reached(version).await;
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
            self.calm_after(accepted.elapsed());
        }
        if lines.is_cut() {
            return Err(Failure::Garbled("the watch ended in the middle of an event".to_owned()));
        }
        let lived = accepted.elapsed();
        if !*told && lived < TOO_SHORT {
            return Err(Failure::Closed { after: lived });
        }
        self.calm_after(lived);
        Ok(())
    }

    fn watch_uri(&self, version: &str, length: Duration) -> String {
        let mut query = self.scope.query();
        query
            .append_pair("watch", "true")
            .append_pair("resourceVersion", version)
            .append_pair("allowWatchBookmarks", "true")
            .append_pair("timeoutSeconds", &length.as_secs().to_string());
        format!("{}?{}", self.scope.path, query.finish())
    }

    /// Reads one event. `None` where nothing follows from it for the index.
    pub(super) fn read_line(
        &mut self,
        line: Piece<'_>,
        version: &mut String,
    ) -> Result<Option<Update<K>>, Failure> {
        match line {
            Piece::Whole(text) => match serde_json::from_slice::<Event<'_>>(text) {
                Ok(Event { kind: EventKind::Error, object }) => {
                    Err(request::refusal(http::StatusCode::OK, None, object.get().as_bytes()))
                }
                Ok(Event { kind, object }) => self.read_event(kind, object, version),
                Err(error) => Err(Failure::Garbled(format!("a line that is no event: {error}"))),
            },
            Piece::TooLong(start) => {
                // Of what, and whether it is a deletion: without both, only a list can tell.
                let (Some(kind), Some(head)) = decode::head_of_event(start) else {
                    return Err(Failure::Garbled("an event that is too long to read".to_owned()));
                };
                self.move_on(&head.resource_version, version)?;
                if kind == EventKind::Deleted {
                    return Ok(Some(Update::Delete(head.key)));
                }
                self.report_bad_object(Some(&head.key), None);
                Ok(None)
            }
        }
    }

    fn read_event(
        &mut self,
        kind: EventKind,
        object: &RawValue,
        version: &mut String,
    ) -> Result<Option<Update<K>>, Failure> {
        let text = object.get().as_bytes();
        let named = |head: &decode::Head| !head.key.name.is_empty() || kind == EventKind::Bookmark;
        let Some(head) = decode::head(text).filter(named) else {
            if kind == EventKind::Unknown {
                return Ok(None);
            }
            // Not even its name: what changed is not known, so only a list can tell.
            return Err(Failure::Garbled("an event about an object without metadata".to_owned()));
        };
        let update = match kind {
            EventKind::Bookmark | EventKind::Unknown => None,
            EventKind::Deleted => Some(Update::Delete(head.key)),
            _ => match K::decode(text, self.node()) {
                Ok(mut object) => {
                    self.entry().count_dropped_endpoints(object.take_dropped_endpoints());
                    self.bad_objects.remove(object.key());
                    Some(Update::Apply(object))
                }
                Err(error) => {
                    self.report_bad_object(Some(&head.key), Some(&error));
                    None
                }
            },
        };
        if kind != EventKind::Unknown {
            self.move_on(&head.resource_version, version)?;
        }
        Ok(update)
    }

    fn move_on(&self, seen: &str, version: &mut String) -> Result<(), Failure> {
        self.entry().count_event();
        if is_older(seen, version) {
            return Err(Failure::Older);
        }
        if !seen.is_empty() {
            seen.clone_into(version);
        }
        self.entry().heard(version);
        Ok(())
    }
}

/// Whether the server is behind us, because it was restored or replaced: then it skips everything up
/// to our version without a word. Versions are numbers that grow (Kubernetes 1.35 promises it, etcd
/// always did); of others nothing can be said.
fn is_older(seen: &str, known: &str) -> bool {
    matches!((seen.parse::<u64>(), known.parse::<u64>()), (Ok(seen), Ok(known)) if seen < known)
}
