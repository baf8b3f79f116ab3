//! The metrics of a sidecar that rewrites its agent's configuration.

use super::debug::unix_seconds;
use super::samples::{Labels, counter, gauge};
use crate::agent::AgentState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt::Error;
use std::sync::Arc;

/// Reads the state when it is asked.
#[derive(Debug)]
pub(super) struct AgentMetrics(pub(super) Arc<AgentState>);

impl Collector for AgentMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let to = &mut encoder;
        let view = self.0.view();
        let one = |value: f64| [(Labels::new(), value)];
        let jobs = view.jobs;
        let jobs = [
            ("kept", jobs.kept),
            ("rewritten", jobs.rewritten),
            ("dropped", jobs.dropped),
            ("last_good", jobs.last_good),
            ("refused", jobs.refused),
        ];
        gauge(
            to,
            "config_jobs",
            "Jobs of the configuration that was read last, by what became of them",
            jobs.map(|(fate, count)| (vec![("fate", fate.to_owned())], count as f64)),
        )?;
        gauge(
            to,
            "config_targets",
            "Targets that the agent should scrape, for each job that asks this sidecar and has some",
            view.targets.into_iter().map(|(job, count)| (vec![("scrape_job", job)], count as f64)),
        )?;
        let failing = f64::from(u8::from(view.trouble.is_some()));
        gauge(
            to,
            "config_failing",
            "Whether the configuration cannot be read or written",
            one(failing),
        )?;
        gauge(
            to,
            "config_held_until_timestamp_seconds",
            "When a change is applied that is held because it removes targets; absent if none is held",
            view.held_until.map(|time| (Labels::new(), unix_seconds(time))),
        )?;
        gauge(
            to,
            "config_last_write_timestamp_seconds",
            "When a configuration was written last; absent before the first",
            view.applied_at.map(|time| (Labels::new(), unix_seconds(time))),
        )?;
        counter(to, "config_writes", "Configurations written", [(Labels::new(), view.writes)])?;
        let reloads = [("ok", view.reloads), ("error", view.reload_failures)];
        counter(
            to,
            "config_reloads",
            "Times that the agent was told of a new configuration",
            reloads.map(|(outcome, count)| (vec![("outcome", outcome.to_owned())], count)),
        )
    }
}
