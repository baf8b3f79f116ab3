//! The metrics of a sidecar that keeps its state on disk.

use super::debug::unix_seconds;
use super::samples::{Labels, counter, gauge};
use crate::state::Keeper;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt::Error;
use std::sync::Arc;

/// Reads the status when it is asked.
#[derive(Debug)]
pub(super) struct StateMetrics(pub(super) Arc<Keeper>);

impl Collector for StateMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let to = &mut encoder;
        let status = self.0.status();
        let one = |count: u64| [(Labels::new(), count)];
        counter(to, "state_writes", "States saved", one(status.writes))?;
        let failures = one(status.failures);
        counter(to, "state_write_failures", "States that could not be saved", failures)?;
        let written = status.written.map(|at| (Labels::new(), unix_seconds(at)));
        gauge(to, "state_written_timestamp_seconds", "When the state on disk was saved", written)
    }
}
