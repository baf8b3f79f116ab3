//! Response bodies: whole, or written piece by piece by a future that the body itself drives.
//!
//! No task is spawned for a watch: whoever reads the body runs it, and dropping the body is the
//! end of it. So nothing survives a closed connection, and virtual time stays exact.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// The body of a simulated answer.
pub struct Body(Content);

/// The simulated server closed the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by the simulated API server")]
pub struct Disconnected;

enum Content {
    Whole(Option<Bytes>),
    Written { writing: Option<Writing>, chunks: mpsc::Receiver<Bytes> },
}

type Writing = Pin<Box<dyn Future<Output = Result<(), Disconnected>> + Send>>;

// === impl Body ===

impl Body {
    /// A body of known length.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Content::Whole(Some(bytes.into())))
    }

    /// A body that `write` sends into the channel. Its error cuts the connection.
    pub(super) fn written<F>(write: impl FnOnce(mpsc::Sender<Bytes>) -> F) -> Self
    where
        F: Future<Output = Result<(), Disconnected>> + Send + 'static,
    {
        // One chunk: the writer runs no further ahead than the reader.
        let (sender, chunks) = mpsc::channel(1);
        Self(Content::Written { writing: Some(Box::pin(write(sender))), chunks })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Disconnected;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Disconnected>>> {
        let (writing, chunks) = match &mut self.0 {
            Content::Whole(bytes) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Content::Written { writing, chunks } => (writing, chunks),
        };
        if let Poll::Ready(Some(chunk)) = chunks.poll_recv(cx) {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        let Some(future) = writing else {
            return Poll::Ready(None);
        };
        let end = future.as_mut().poll(cx);
        // What was written before the end comes before it.
        if let Poll::Ready(Some(chunk)) = chunks.poll_recv(cx) {
            if let Poll::Ready(result) = end {
                *writing = result
                    .err()
                    .map(|error| -> Writing { Box::pin(std::future::ready(Err(error))) });
            }
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match end {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                *writing = None;
                Poll::Ready(result.err().map(Err))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Content::Written { .. } => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}
