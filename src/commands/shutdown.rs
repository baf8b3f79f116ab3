//! When to stop.

use super::error::CommandError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the process in order.
pub(super) struct Shutdown {
    terminate: Signal,
    interrupt: Signal,
}

impl Shutdown {
    /// Takes over SIGTERM and SIGINT.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn new() -> Result<Self, CommandError> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                CommandError::Failure(format!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn requested(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
