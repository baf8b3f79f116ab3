//! The simulator behind a socket: plain HTTP/1.1, no TLS.

use super::server::Simulator;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Out of file descriptors, above all: trying again at once would spin.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Serves until `shutdown`. Open connections are cut then: watches would never end by themselves.
/// A failed accept is logged and tried again.
pub async fn serve(
    simulator: Simulator,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new(); // dropping it is what cuts them
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(simulator.clone(), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "simulator: failed to accept a connection");
                    tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(simulator: Simulator, stream: TcpStream) {
    let service = service_fn(|request: http::Request<Incoming>| {
        let simulator = simulator.clone();
        async move { simulator.respond(&request.into_parts().0).await }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "simulator: connection closed"); // faults do this on purpose
    }
}
