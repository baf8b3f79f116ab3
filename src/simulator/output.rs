//! Writes a body piece by piece and, where faults say so, wrongly.

use super::body::Disconnected;
use super::faults::{After, Fault, Line, Stop};
use super::kind::Kind;
use super::representation::text;
use super::status::Status;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// A body under way.
#[derive(Debug)]
pub(super) struct Output {
    kind: &'static Kind,
    faults: Vec<Fault>,
    chunks: mpsc::Sender<Bytes>,
    bytes: usize,
    /// Events sent or lost.
    events: usize,
    /// The first of a pair that is sent in the wrong order.
    held: Option<Bytes>,
}

/// Why a body is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is complete, or looks as if it were.
    InOrder,
    /// The connection is cut.
    Cut,
}

// === impl Output ===

impl Output {
    pub(super) fn new(
        kind: &'static Kind,
        faults: Vec<Fault>,
        chunks: mpsc::Sender<Bytes>,
    ) -> Self {
        Self { kind, faults, chunks, bytes: 0, events: 0, held: None }
    }

    /// Sends what is due before the first event.
    pub(super) async fn begin(&mut self) -> Result<(), End> {
        self.between_events().await
    }

    /// Sends an event of a watch.
    pub(super) async fn event(&mut self, kind: &str, object: &Value) -> Result<(), End> {
        let line = event_line(kind, object);
        let lost = self.faults.iter().any(|fault| match fault {
            Fault::Lose { after, count } => (*after..after + count).contains(&self.events),
            _ => false,
        });
        if lost {
            self.events += 1;
            return Ok(());
        }
        if self.faults.contains(&Fault::Reorder) {
            let Some(first) = self.held.take() else {
                self.held = Some(line);
                return Ok(());
            };
            self.line(line).await?;
            return self.line(first).await;
        }
        if self.faults.contains(&Fault::Duplicate) {
            self.line(line.clone()).await?;
        }
        self.line(line).await
    }

    async fn line(&mut self, line: Bytes) -> Result<(), End> {
        self.chunk(line).await?;
        self.events += 1;
        self.between_events().await
    }

    async fn between_events(&mut self) -> Result<(), End> {
        let due: Vec<Fault> = self
            .faults
            .iter()
            .filter(|fault| match fault {
                Fault::Say(_, after) | Fault::Stop(_, After::Events(after)) => {
                    *after == self.events
                }
                _ => false,
            })
            .cloned()
            .collect();
        for fault in due {
            match fault {
                Fault::Say(line, _) => self.say(line).await?,
                Fault::Stop(stop, _) => return Err(self.stop(stop).await),
                _ => {}
            }
        }
        Ok(())
    }

    async fn say(&mut self, line: Line) -> Result<(), End> {
        match line {
            Line::Truncated => {
                let whole = event_line("ADDED", &undecodable(self.kind));
                let mut half = whole[..whole.len() / 2].to_vec();
                half.push(b'\n');
                self.chunk(half.into()).await?;
                Err(End::InOrder)
            }
            Line::Garbage => self.chunk(Bytes::from_static(b"not JSON at all\n")).await,
            Line::UnknownType => {
                let line = event_line("SURPRISE", &undecodable(self.kind));
                self.chunk(line).await
            }
            Line::UndecodableObject => {
                self.chunk(event_line("ADDED", &undecodable(self.kind))).await
            }
            Line::Error(code) => {
                let status = Status::new(code, "simulated failure").to_object();
                self.chunk(event_line("ERROR", &status)).await?;
                Err(End::InOrder)
            }
        }
    }

    async fn stop(&self, stop: Stop) -> End {
        match stop {
            Stop::End => End::InOrder,
            Stop::Cut => {
                // Once the last chunk is taken, a pause lets the connection flush it: a cut would
                // throw it away.
                drop(self.chunks.reserve().await);
                tokio::task::yield_now().await;
                End::Cut
            }
            Stop::Hang => std::future::pending().await,
        }
    }

    /// Sends bytes, up to where a fault stops them.
    pub(super) async fn chunk(&mut self, mut bytes: Bytes) -> Result<(), End> {
        let limit = self.faults.iter().find_map(|fault| match fault {
            Fault::Stop(stop, After::Bytes(limit)) => Some((*stop, *limit)),
            _ => None,
        });
        let stop = limit.filter(|(_, limit)| *limit < self.bytes + bytes.len());
        if let Some((_, limit)) = stop {
            bytes.truncate(limit - self.bytes);
        }
        self.bytes += bytes.len();
        if !bytes.is_empty() {
            // Nobody reads on: the body is about to be dropped, and this future with it.
            self.chunks.send(bytes).await.map_err(|_| End::Cut)?;
        }
        match stop {
            Some((stop, _)) => Err(self.stop(stop).await),
            None => Ok(()),
        }
    }
}

// === impl End ===

impl End {
    /// As the result that a body ends with.
    pub(super) fn of(result: Result<(), Self>) -> Result<(), Disconnected> {
        match result {
            Ok(()) | Err(Self::InOrder) => Ok(()),
            Err(Self::Cut) => Err(Disconnected),
        }
    }
}

/// A line of a watch.
fn event_line(kind: &str, object: &Value) -> Bytes {
    // The type first, as a real server writes it: a client that stops reading has seen it.
    let mut line = format!(r#"{{"type":"{kind}","object":"#).into_bytes();
    line.extend(text(object));
    line.extend(b"}\n");
    line.into()
}

/// An object whose metadata is fine and whose content is of the wrong type everywhere.
pub(super) fn undecodable(kind: &Kind) -> Value {
    let mut object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.name,
        "metadata": {
            "name": "undecodable",
            "uid": "undecodable",
            "resourceVersion": "1",
        },
        "spec": "of the wrong type",
        "status": "of the wrong type",
        "endpoints": "of the wrong type",
    });
    if kind.namespaced {
        object["metadata"]["namespace"] = json!("default");
    }
    object
}

/// An object of which not even the name can be read.
pub(super) fn nameless() -> Value {
    json!({"metadata": "of the wrong type"})
}
