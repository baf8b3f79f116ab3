//! What was asked, for tests that bound it.

use super::request::{Route, Verb};
use http::Method;
use http::header::HeaderMap;
use http::request::Parts;
use std::collections::VecDeque;
use tokio::time::Instant;

/// A day of a client that asks every five seconds; a longer `simulate` forgets the oldest.
const KEPT: usize = 20_000;

/// A request, as it came in.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// When.
    pub at: Instant,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// All headers, credentials included.
    pub headers: HeaderMap,
    /// What is asked.
    pub verb: Verb,
    /// Plural name of the resource; empty for discovery.
    pub resource: &'static str,
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Recorder(VecDeque<RecordedRequest>);

// === impl RecordedRequest ===

impl RecordedRequest {
    pub(super) fn new(head: &Parts, route: &Route) -> Self {
        Self {
            at: Instant::now(),
            method: head.method.clone(),
            target: head.uri.path_and_query().map_or("/", |t| t.as_str()).to_owned(),
            headers: head.headers.clone(),
            verb: route.verb,
            resource: route.resource(),
        }
    }

    /// The value of a query parameter, decoded; the first if there are several.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The value of a header; empty if it is missing or no text.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

// === impl Recorder ===

impl Recorder {
    pub(super) fn add(&mut self, request: RecordedRequest) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(request);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RecordedRequest> {
        self.0.iter()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
