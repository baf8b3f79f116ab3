//! A connection's bytes, with a deadline for each thing that a peer can drag out.
//!
//! hyper has one timeout for the headers of a request, and it also runs while a kept-alive
//! connection waits for its next request. Prometheus asks every few seconds or every few minutes
//! on one connection, so the two need different times: a request that has begun must be complete
//! soon; a connection between requests may be quiet for long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Whether a request is being answered; shared between a stream and its handler.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<AtomicBool>);

/// A stream that fails when a request's headers, or the reading of an answer, take too long.
pub(super) struct Deadlined<T> {
    stream: T,
    busy: Busy,
    headers: Timer,
    write: Timer,
}

/// A deadline that is set when something begins and cleared when it has ended.
struct Timer {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

// === impl Busy ===

impl Busy {
    pub(super) fn set(&self, busy: bool) {
        self.0.store(busy, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Timer ===

impl Timer {
    fn new(limit: Duration) -> Self {
        Self { limit, sleep: None }
    }

    fn start(&mut self) {
        let limit = self.limit;
        self.sleep.get_or_insert_with(|| Box::pin(sleep(limit)));
    }

    fn stop(&mut self) {
        self.sleep = None;
    }

    /// An error once the deadline has passed; else the task is woken then.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let passed = self
            .sleep
            .as_mut()
            .is_some_and(|sleep| sleep.as_mut().poll(context).is_ready());
        if passed {
            Err(io::Error::from(io::ErrorKind::TimedOut))
        } else {
            Ok(())
        }
    }
}

// === impl Deadlined ===

impl<T> Deadlined<T> {
    /// `headers`: from the first byte of a request to its handler; `write`: without progress while
    /// an answer is written.
    pub(super) fn new(stream: T, busy: Busy, headers: Duration, write: Duration) -> Self {
        Self {
            stream,
            busy,
            headers: Timer::new(headers),
            write: Timer::new(write),
        }
    }

    fn written(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.write.stop();
            return result;
        }
        self.write.start();
        self.write.check(context)?;
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Deadlined<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.busy.get() {
            this.headers.stop(); // the request that had begun is complete
        }
        let before = buffer.filled().len();
        let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(context, buffer) else {
            this.headers.check(context)?;
            return Poll::Pending;
        };
        if buffer.filled().len() > before && !this.busy.get() {
            this.headers.start();
            this.headers.check(context)?; // also for one that trickles without a pause
        }
        Poll::Ready(result)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Deadlined<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
