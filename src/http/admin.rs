//! The admin listener: health checks and metrics. It serves no target data, so it may listen on
//! all addresses.

use super::app::App;
use super::metrics::Metrics;
use super::response::{self, Answer};
use super::serve::Routes;
use crate::objects::Resource;
use http::StatusCode;
use http::request::Parts;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Serves `/livez`, `/readyz` and `/metrics`.
#[derive(Debug)]
pub struct Admin {
    app: Arc<App>,
    metrics: Metrics,
    /// Once ready, ready for good: a failure later is a matter of metrics, and taking the Pod out
    /// of service would help nobody.
    was_ready: AtomicBool,
}

// === impl Admin ===

impl Admin {
    /// Of that state.
    pub fn new(app: Arc<App>) -> Self {
        let metrics = Metrics::new(Arc::clone(&app));
        Self { app, metrics, was_ready: AtomicBool::new(false) }
    }

    fn readiness(&self, verbose: bool) -> Answer {
        let snapshot = self.app.snapshots.load();
        if snapshot.synced.contains(Resource::Pods) {
            self.was_ready.store(true, Ordering::Relaxed);
        }
        let ready = self.was_ready.load(Ordering::Relaxed);
        let mut sentence = if ready {
            "ready".to_owned()
        } else {
            let trouble = self.app.board.of(Resource::Pods).view().trouble;
            let reason = trouble.map_or_else(
                || "the first list is still under way".to_owned(),
                |trouble| trouble.message,
            );
            format!("not ready: the Pods of node {} have not synced: {reason}", snapshot.node)
        };
        if verbose {
            sentence.push_str(&self.watches());
        }
        if ready { response::text(StatusCode::OK, sentence) } else { response::not_ready(sentence) }
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
                || "nothing heard yet".to_owned(),
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
            "/metrics" => self.metrics.answer(),
            path => response::text(
                StatusCode::NOT_FOUND,
                format!("{path} is not served here: use /livez, /readyz or /metrics"),
            ),
        }
    }
}
