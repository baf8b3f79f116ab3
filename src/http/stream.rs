//! Deadlines on a connection, by what it is doing.
//!
//! hyper has one deadline for the time between two requests and the time in which a head is
//! read. Here they must differ: Prometheus keeps its connections idle for minutes, and a client
//! that sends its head byte by byte must not be able to do the same.

use super::connections::{Slot, Stage};
use super::serve::Limits;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long, and for how many bytes, a connection is drained that is closed while its client is
/// still writing. Without that the kernel answers those bytes with a reset, and the client may
/// never see why it was refused.
const DRAIN: (Duration, usize) = (Duration::from_secs(1), 4 << 20);

/// A stream that fails with `TimedOut` when its peer takes too long.
#[derive(Debug)]
pub(super) struct TimedStream<S> {
    stream: S,
    slot: Arc<Slot>,
    limits: Limits,
    read_deadline: Pin<Box<Sleep>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
    drained: usize,
}

// === impl TimedStream ===

impl<S> TimedStream<S> {
    pub(super) fn new(stream: S, slot: Arc<Slot>, limits: Limits) -> Self {
        Self {
            stream,
            slot,
            limits,
            read_deadline: Box::pin(sleep(limits.idle)),
            write_deadline: None,
            drained: 0,
        }
    }

    /// Lets a write that cannot go on now fail once it has not gone on for too long.
    fn check_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_deadline = None;
            return result;
        }
        let stall = self.limits.write;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn restart_read_deadline(&mut self, after: Duration) {
        self.read_deadline.as_mut().reset(Instant::now() + after);
    }
}

impl<S: AsyncRead + Unpin> TimedStream<S> {
    /// Reads away what the client still sends, if it does.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
        while self.drained < DRAIN.1 {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    if self.drained == 0 {
                        self.restart_read_deadline(DRAIN.0);
                    }
                    self.drained += buffer.filled().len();
                }
                Poll::Ready(_) => break,
                Poll::Pending if self.drained == 0 => break, // a client that only listens
                Poll::Pending => return self.read_deadline.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let stage = this.slot.stage();
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            if stage == Stage::Idle && buffer.filled().len() > before {
                this.slot.set_stage(Stage::Head);
                // Not started again by later bytes: the head must be complete by then.
                this.restart_read_deadline(this.limits.headers);
            }
            return Poll::Ready(result);
        }
        match stage {
            Stage::Idle | Stage::Head => {
                ready!(this.read_deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            // Reading only notices here that the client hung up.
            Stage::Request | Stage::Held | Stage::Response => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.check_write(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        this.check_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        // hyper flushes the stream when it has written all that it has, and a body here is one
        // piece, there from the start. So this is the end of the answer.
        if matches!(result, Poll::Ready(Ok(()))) && this.slot.stage() == Stage::Response {
            this.slot.set_stage(Stage::Idle);
            this.restart_read_deadline(this.limits.idle);
            // hyper may not read again before something comes; so the deadline has to wake it.
            let _ = this.read_deadline.as_mut().poll(cx);
        }
        this.check_write(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.drained == 0 {
            let result = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.check_write(cx, result))?;
        }
        this.poll_drain(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connections::Connections;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const LIMITS: Limits = Limits {
        connections: 1,
        headers: Duration::from_secs(10),
        idle: Duration::from_secs(300),
        write: Duration::from_secs(30),
        keep_alive: true,
        grace: Duration::from_secs(5),
    };

    async fn pair() -> (DuplexStream, TimedStream<DuplexStream>, Arc<Slot>) {
        let (client, server) = duplex(16);
        let slot = Arc::new(Connections::new(1).admit().await);
        let io = TimedStream::new(server, Arc::clone(&slot), LIMITS);
        (client, io, slot)
    }

    async fn read_all(io: &mut TimedStream<DuplexStream>) -> (io::ErrorKind, Duration) {
        let started = Instant::now();
        loop {
            if let Err(error) = io.read_u8().await {
                return (error.kind(), started.elapsed());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_has_the_idle_time() {
        let (_client, mut io, _slot) = pair().await;
        assert_eq!(read_all(&mut io).await, (io::ErrorKind::TimedOut, LIMITS.idle));
    }

    #[tokio::test(start_paused = true)]
    async fn trickled_bytes_do_not_buy_time() {
        let (mut client, mut io, _slot) = pair().await;
        let trickle = async {
            loop {
                sleep(Duration::from_secs(3)).await;
                client.write_all(b"G").await.unwrap();
            }
        };
        let (kind, after) = tokio::select! {
            never = trickle => never,
            end = read_all(&mut io) => end,
        };
        assert_eq!(
            (kind, after),
            (io::ErrorKind::TimedOut, Duration::from_secs(3) + LIMITS.headers)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_has_no_deadline_and_the_next_one_starts_afresh() {
        let (mut client, mut io, slot) = pair().await;
        client.write_all(b"GET").await.unwrap();
        io.read_exact(&mut [0; 3]).await.unwrap();
        slot.set_stage(Stage::Request);
        let held = tokio::time::timeout(Duration::from_secs(3600), io.read_u8()).await;
        assert!(held.is_err(), "still open after an hour: {held:?}");

        slot.set_stage(Stage::Response);
        io.write_all(b"200").await.unwrap();
        io.flush().await.unwrap();
        assert_eq!(slot.stage(), Stage::Idle);
        assert_eq!(read_all(&mut io).await, (io::ErrorKind::TimedOut, LIMITS.idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let (_client, mut io, _slot) = pair().await;
        let started = Instant::now();
        let error = io.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed()), (io::ErrorKind::TimedOut, LIMITS.write));
    }
}
