//! What every route that takes a query reads off its caller, and tells it.

use super::response::{self, Answer};
use crate::sd::{self, QueryError, Tag};
use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderName, StatusCode};
use std::time::Duration;

/// How often the caller asks, if it says so.
pub(super) fn refresh_interval(headers: &HeaderMap) -> Option<Duration> {
    let interval = headers.get("x-prometheus-refresh-interval-seconds");
    sd::refresh_interval(interval.and_then(|value| value.to_str().ok()))
}

/// How long the caller can wait.
pub(super) fn patience(headers: &HeaderMap) -> Duration {
    sd::patience(refresh_interval(headers))
}

/// Whether the caller says that it has this answer already; `None` if it does not say what it has.
pub(super) fn has(headers: &HeaderMap, answer: Tag) -> Option<bool> {
    headers.get(IF_NONE_MATCH)?;
    let answer = answer.to_string();
    let mut tags = header(headers, IF_NONE_MATCH).split(',').map(str::trim);
    Some(tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == answer))
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
