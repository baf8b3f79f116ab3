//! The admin listener: health checks and metrics. It serves no target data, so it may listen on
//! all addresses.

use super::app::App;
use super::metrics::Metrics;
use super::response::{self, Answer};
use super::serve::Routes;
use crate::index::Needs;
use crate::objects::{Resource, ResourceSet};
use http::StatusCode;
use http::request::Parts;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Serves `/livez`, `/startupz`, `/readyz` and `/metrics`.
#[derive(Debug)]
pub struct Admin {
    app: Arc<App>,
    metrics: Metrics,
    /// Once ready, ready for good: a failure later is a matter of metrics, and taking the Pod out
    /// of service would help nobody.
    was_ready: AtomicBool,
    started: Instant,
}

/// How long readiness waits for what the configuration and files ask beyond own Pods. One forbidden resource must not
/// stop a rollout.
const CONFIG_PATIENCE: Duration = Duration::from_secs(60);

/// How long Prometheus' start waits for us at the most.
const START_PATIENCE: Duration = Duration::from_secs(15);

// === impl Admin ===

impl Admin {
    /// Of that state.
    pub fn new(app: Arc<App>) -> Self {
        let metrics = Metrics::new(Arc::clone(&app));
        Self { app, metrics, was_ready: AtomicBool::new(false), started: Instant::now() }
    }

    /// Ready when own Pods have synced, and what the agent's configuration and the files of file_sd ask for at the
    /// start.
    fn is_ready(&self) -> bool {
        let has_config = self.app.agent.as_ref().is_none_or(|agent| agent.view().has_config);
        if has_config && self.missing().is_empty() {
            self.was_ready.store(true, Ordering::Relaxed);
        }
        self.was_ready.load(Ordering::Relaxed)
    }

    fn missing(&self) -> ResourceSet {
        let mut asked = Needs::default();
        if self.started.elapsed() < CONFIG_PATIENCE {
            let agent = self.app.agent.as_ref().map(|agent| agent.view().needs);
            let files = self.app.file_sd.as_ref().map(|files| files.view().needs);
            asked = agent.into_iter().chain(files).fold(asked, Needs::and);
        }
        asked.resources = asked.resources.with(Resource::Pods);
        self.app.snapshots.load().lacks(&asked)
    }

    fn readiness(&self, verbose: bool) -> Answer {
        let ready = self.is_ready();
        let mut sentence = match self.missing().iter().next() {
            _ if ready => "ready".to_owned(),
            Some(missing) => self.not_ready(missing),
            None => "not ready: the agent has no configuration yet".to_owned(),
        };
        if verbose {
            sentence.push_str(&self.watches());
        }
        if ready { response::text(StatusCode::OK, sentence) } else { response::not_ready(sentence) }
    }

    fn not_ready(&self, missing: Resource) -> String {
        let share = &self.app.snapshots.load().share;
        let what = match missing {
            Resource::Pods => format!("the Pods of {share}"),
            other => other.to_string(),
        };
        let reason = self.app.board.trouble(missing).map_or_else(
            || "the first list is still under way".to_owned(),
            |trouble| trouble.message,
        );
        format!("not ready: {what} have not synced: {reason}")
    }

    /// What the kubelet waits for before it starts Prometheus. Not for ever: without us the agent still has
    /// what it had.
    fn startup(&self) -> Answer {
        if self.is_ready() {
            response::text(StatusCode::OK, "ready")
        } else if self.started.elapsed() >= START_PATIENCE {
            response::text(StatusCode::OK, "not ready, but Prometheus need not wait any longer")
        } else {
            response::not_ready("not ready yet")
        }
    }

    /// A line for each watch.
    fn watches(&self) -> String {
        let snapshot = self.app.snapshots.load();
        let mut lines = String::new();
        for (resource, reach, entry) in self.app.board.entries() {
            let view = entry.view();
            let is_synced = snapshot.has_listed(resource, &reach);
            let synced = if is_synced { "synced" } else { "not synced" };
            let age = view.last_event_age.map_or_else(
                || if view.stale { "from the saved state" } else { "nothing heard yet" }.to_owned(),
                |age| format!("last heard of {} s ago", age.as_secs()),
            );
            let trouble = view.trouble.map_or_else(String::new, |t| format!("; {}", t.message));
            let phase = view.phase.name();
            let part = reach.namespace().map_or_else(String::new, |name| format!(" in {name}"));
            lines.push_str(&format!("\n{resource}{part}: {phase}, {synced}, {age}{trouble}"));
        }
        lines
    }
}

impl Routes for Admin {
    async fn answer(&self, request: Parts, _local: SocketAddr) -> Answer {
        if let Some(refusal) = response::refuse_other_methods(&request.method) {
            return refusal;
        }
        let mut parameters =
            form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes());
        match request.uri.path() {
            "/livez" => response::text(StatusCode::OK, "alive"),
            "/readyz" => self.readiness(parameters.any(|(name, _)| name == "verbose")),
            "/startupz" => self.startup(),
            "/metrics" => self.metrics.answer(),
            path => response::text(
                StatusCode::NOT_FOUND,
                format!("{path} is not served here: use /livez, /readyz, /startupz or /metrics"),
            ),
        }
    }
}
