//! Accepting connections and answering on them until it is time to stop.

use super::connections::{Connections, Place};
use super::response::Answer;
use super::stream::Deadlined;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// What a listener serves.
pub trait Routes: Send + Sync + 'static {
    /// Answers a request that came in at `local`. The body is never read: nothing here takes one.
    fn answer(
        &self,
        request: http::request::Parts,
        local: SocketAddr,
    ) -> impl Future<Output = Answer> + Send;

    /// How many connections there are now.
    fn connections(&self, _open: usize) {}
}

/// What a listener puts up with.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// From the first byte of a request to the end of its headers.
    pub headers: Duration,
    /// Between two requests; zero closes a connection after its first answer.
    pub idle: Duration,
    /// Without progress while an answer is written.
    pub write: Duration,
    /// For requests that are being answered when it is time to stop.
    pub grace: Duration,
}

/// The largest head of a request. More is answered by hyper itself with 431 or 414.
const HEAD: usize = 128 * 1024;
/// After an error of `accept`, such as too many open files: at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

impl Limits {
    /// For http_sd. Each job of a Prometheus has a connection of its own, and 5,000 of them must
    /// fit. Prometheus closes a connection that was idle for five minutes; we close it later, so
    /// that no request meets a connection that is about to go.
    pub fn sd() -> Self {
        Self {
            connections: 8192,
            headers: Duration::from_secs(10),
            idle: Duration::from_secs(330),
            write: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }

    /// For health checks and metrics: a request per connection.
    pub fn admin() -> Self {
        Self {
            connections: 128,
            headers: Duration::from_secs(5),
            idle: Duration::ZERO,
            write: Duration::from_secs(30),
            grace: Duration::from_secs(1),
        }
    }
}

/// Serves until `shutdown` completes, then answers what has been asked, and returns.
pub async fn serve<R: Routes>(
    listener: TcpListener,
    routes: Arc<R>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let connections = Arc::new(Connections::new(limits.connections));
    let (stop, stopping) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = connections.admit() => place,
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        while tasks.try_join_next().is_some() {} // those that have ended
        match accepted {
            Ok((stream, _)) => {
                let (routes, limits) = (Arc::clone(&routes), limits.clone());
                routes.connections(connections.open());
                tasks.spawn(connection(stream, routes, limits, place, stopping.clone()));
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(limits.grace, all_ended).await.is_err() {
        warn!(
            open = connections.open(),
            "connections are cut that did not end in time"
        );
    }
}

async fn connection<R: Routes>(
    stream: TcpStream,
    routes: Arc<R>,
    limits: Limits,
    place: Arc<Place>,
    stopping: watch::Receiver<bool>,
) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        return;
    };
    let _ = stream.set_nodelay(true); // an answer is one write; waiting for more gains nothing
    let stream = Deadlined::new(stream, place.busy(), limits.headers, limits.write);
    let service = service_fn(|request: Request<Incoming>| {
        let (routes, answering) = (Arc::clone(&routes), place.answer());
        async move {
            let answer = routes.answer(request.into_parts().0, local).await;
            drop(answering);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle.max(limits.headers))
            .keep_alive(!limits.idle.is_zero())
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(stream), service)
    );
    let result = tokio::select! {
        result = &mut connection => result,
        () = place.asked_to_close() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = stopped(stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        debug!(%peer, error = ?error, "a connection ended early");
    }
}

/// Waits until it is time to stop.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await; // an error is the end of the listener
}
