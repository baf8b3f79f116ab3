//! The metrics of a sidecar that writes files.

use super::debug::unix_seconds;
use super::samples::{Labels, counter, gauge};
use crate::file_sd::FileSdState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt::Error;
use std::sync::Arc;

/// Reads the state when it is asked.
#[derive(Debug)]
pub(super) struct FileSdMetrics(pub(super) Arc<FileSdState>);

impl Collector for FileSdMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let to = &mut encoder;
        let view = self.0.view();
        let writes = [("ok", view.writes), ("error", view.failures)];
        counter(
            to,
            "file_sd_writes",
            "Times that a file_sd file was, or should have been, written",
            writes.map(|(outcome, count)| (vec![("outcome", outcome.to_owned())], count)),
        )?;
        gauge(
            to,
            "file_sd_last_success_timestamp_seconds",
            "When all file_sd files were last found up to date; looked at once a minute at the least",
            view.up_to_date.map(|time| (Labels::new(), unix_seconds(time))),
        )?;
        let targets = view.targets.into_iter();
        gauge(
            to,
            "file_sd_targets",
            "Targets of each file_sd file, as it was last found up to date",
            targets.map(|(name, targets)| (vec![("file", name)], targets as f64)),
        )
    }
}
