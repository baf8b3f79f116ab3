//! What every route that takes a query reads off its caller, and tells it.

use super::response::{self, Answer};
use crate::sd::{self, QueryError};
use http::{HeaderMap, HeaderName, StatusCode};
use std::time::Duration;

/// How long the caller can wait.
pub(super) fn patience(headers: &HeaderMap) -> Duration {
    let interval = headers.get("x-prometheus-refresh-interval-seconds");
    sd::patience(interval.and_then(|value| value.to_str().ok()))
}

/// What is wrong with a query: 404 for a role, 400 for all else.
pub(super) fn refuse_query(error: &QueryError) -> Answer {
    let status =
        if error.is_about_the_role() { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
    response::text(status, error.to_string())
}

/// A header's text; empty if it is missing or no text.
pub(super) fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
