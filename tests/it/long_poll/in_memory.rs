//! A sidecar whose http_sd listener has streams in memory for connections: all of hyper and no socket, so
//! that time can be virtual.

use crate::admin;
use crate::support::asked::Asked;
use crate::support::raw::Raw;
use crate::support::world::NODE;
use nodelocal_sd::http::{Admin, Ends, HttpSd, Limits, Listener, serve};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::Simulator;
use std::io;
use std::sync::Arc;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// What the kernel would take before it is read; more than any answer here has.
const BUFFER: usize = 1 << 20;

/// The sidecar; ends when it is dropped.
pub(crate) struct InMemory {
    clients: mpsc::Sender<DuplexStream>,
    admin: Admin,
    server: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    _asked: Asked,
}

struct Streams(mpsc::Receiver<DuplexStream>);

impl InMemory {
    /// Starts one against that simulator.
    pub(crate) fn of(simulator: &Simulator, limits: Limits) -> Self {
        let asked = Asked::start(simulator, NODE, Timing::alone());
        let app = asked.app();
        let (clients, streams) = mpsc::channel(64);
        let (stop, stopping) = oneshot::channel();
        let routes = Arc::new(HttpSd(Arc::clone(&app)));
        let stopped = async {
            let _ = stopping.await; // until the sender is dropped
        };
        let server = tokio::spawn(serve(Streams(streams), routes, limits, stopped));
        Self { clients, admin: Admin::new(app), server, stop: Some(stop), _asked: asked }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Raw<DuplexStream> {
        let (client, server) = duplex(BUFFER);
        self.clients.try_send(server).expect("it accepts");
        Raw::over(client)
    }

    /// The value of a sample, named without its prefix.
    pub(crate) async fn metric(&self, sample: &str) -> u64 {
        let metrics = admin::ask(&self.admin, "/metrics").await.1;
        let sample = format!("nodelocal_sd_{sample} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&sample));
        value.expect("it is there").trim_end_matches(".0").parse().unwrap()
    }

    /// Asks it to stop, as SIGTERM does.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(self) {
        self.server.await.unwrap();
    }
}

impl Listener for Streams {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Ends)> {
        let loopback = ([127, 0, 0, 1], 9911).into();
        let stream = self.0.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((stream, Ends { local: loopback, peer: loopback }))
    }
}
