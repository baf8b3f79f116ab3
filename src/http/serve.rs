//! Accepting connections and answering on them until it is time to stop.

use super::connections::{Connections, Slot, Stage};
use super::conversation::Conversation;
use super::listener::{Ends, Listener};
use super::response::{self, Answer};
use super::stream::TimedStream;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// What a listener serves.
pub trait Routes: Send + Sync + 'static {
    /// Answers a request that came in at `local`. The body is never read: nothing here takes one.
    fn answer(
        &self,
        request: request::Parts,
        local: SocketAddr,
    ) -> impl Future<Output = Answer> + Send;

    /// How many connections there are now.
    fn connections(&self, _open: usize) {}
}

/// What a listener puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// From the first byte of a request to the end of its headers.
    pub headers: Duration,
    /// Without a byte of a next, or first, request.
    pub idle: Duration,
    /// Without progress while an answer is written.
    pub write: Duration,
    /// Whether a connection may have a second request.
    pub keep_alive: bool,
    /// For requests that are being answered when it is time to stop.
    pub grace: Duration,
}

/// The largest head of a request. hyper itself answers more with 431; the longest URL that the
/// routes take is well below, so that they can say in words what is wrong.
const HEAD: usize = 64 * 1024;
/// After an error of `accept`, such as too many open files: at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

impl Limits {
    /// For http_sd. Each job of a Prometheus has a connection of its own, and 5,000 of them must
    /// fit. Prometheus closes a connection that was idle for five minutes; we close it later, so
    /// that no request meets a connection that is about to go.
    pub const SD: Self = Self {
        connections: 8192,
        headers: Duration::from_secs(10),
        idle: Duration::from_secs(330),
        write: Duration::from_secs(30),
        keep_alive: true,
        grace: Duration::from_secs(5),
    };

    /// For health checks and metrics: a request per connection.
    pub const ADMIN: Self = Self {
        connections: 128,
        headers: Duration::from_secs(5),
        idle: Duration::from_secs(5),
        write: Duration::from_secs(30),
        keep_alive: false,
        grace: Duration::from_secs(1),
    };
}

/// Serves until `shutdown` completes, then answers what has been asked, and returns.
pub async fn serve<R: Routes>(
    mut listener: impl Listener,
    routes: Arc<R>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let connections = Connections::new(limits.connections);
    let (stop, stopping) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let accept = async {
        loop {
            let (stream, ends, slot) = accept(&mut listener, &connections).await;
            while tasks.try_join_next().is_some() {} // those that have ended
            let connection = Connection {
                routes: Arc::clone(&routes),
                limits,
                slot: Arc::new(slot),
                stopping: stopping.clone(),
            };
            routes.connections(connections.open());
            let (routes, connections) = (Arc::clone(&routes), Arc::clone(&connections));
            tasks.spawn(async move {
                connection.serve(stream, ends).await;
                routes.connections(connections.open());
            });
        }
    };
    tokio::select! {
        never = accept => never,
        () = shutdown => {}
    }
    drop(listener);
    stop.send_replace(true);
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(limits.grace, all_ended).await.is_err() {
        warn!(open = connections.open(), "connections are cut that did not end in time");
    }
}

/// The next connection and its place among the others.
async fn accept<L: Listener>(
    listener: &mut L,
    connections: &Arc<Connections>,
) -> (L::Stream, Ends, Slot) {
    loop {
        match listener.accept().await {
            Ok((stream, ends)) => return (stream, ends, connections.admit().await),
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What a connection is served with.
struct Connection<R> {
    routes: Arc<R>,
    limits: Limits,
    slot: Arc<Slot>,
    stopping: watch::Receiver<bool>,
}

// === impl Connection ===

impl<R: Routes> Connection<R> {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S, ends: Ends) {
        let Self { routes, limits, slot, stopping } = self;
        let Ends { local, peer } = ends;
        let stream = TimedStream::new(stream, Arc::clone(&slot), limits);
        let conversation = Arc::new(Conversation::new(Arc::clone(&slot), stopping.clone()));
        let service = service_fn(|request: Request<Incoming>| {
            slot.set_stage(Stage::Request);
            let mut request = request.into_parts().0;
            request.extensions.insert(Arc::clone(&conversation));
            let (routes, slot, stopping) = (&routes, &slot, stopping.clone());
            async move {
                let mut answer = tokio::select! {
                    biased;
                    answer = routes.answer(request, local) => answer,
                    () = stopped(stopping) => response::not_ready("the sidecar is shutting down"),
                };
                slot.set_stage(Stage::Response);
                if slot.is_told_to_go() {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .header_read_timeout(None) // the stream has the deadlines
                .keep_alive(limits.keep_alive)
                .max_buf_size(HEAD)
                .serve_connection(TokioIo::new(stream), service)
        );
        let result = tokio::select! {
            biased; // one that is to close takes no request any more
            () = slot.must_close() => return,
            () = stopped(stopping.clone()) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            result = &mut connection => result,
        };
        if let Err(error) = result {
            debug!(%peer, error = ?error, "a connection ended early");
        }
    }
}

/// Waits until it is time to stop.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await; // an error is the end of the listener
}
