//! Responses.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use http_body_util::Full;

/// A whole response.
pub type Answer = Response<Full<Bytes>>;

/// A body of that type.
pub(super) fn of_type(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache")); // state, not a document
    answer
}

/// JSON; exactly the type that Prometheus accepts.
pub(super) fn json(body: impl Into<Bytes>) -> Answer {
    of_type("application/json", body)
}

/// A sentence for people.
pub(super) fn text(status: StatusCode, sentence: impl Into<String>) -> Answer {
    let mut answer = of_type("text/plain; charset=utf-8", sentence.into() + "\n");
    *answer.status_mut() = status;
    answer
}

/// 503 with a reason, and when to come back.
pub(super) fn not_ready(reason: impl Into<String>) -> Answer {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, reason);
    // Prometheus does not read it, and comes back at its next tick; people's tools do.
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// Gives the answer that tag; 304 and no body if it is among those that the caller has.
pub(super) fn unless_known(answer: &mut Answer, etag: &str, known: &str) {
    let matches = |tag: &str| {
        let tag = tag.trim();
        tag == "*" || tag.trim_start_matches("W/") == etag
    };
    if known.split(',').any(matches) {
        // Prometheus never asks so; for it a 304 would be an error.
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.body_mut() = Full::default();
    }
    if let Ok(etag) = HeaderValue::from_str(etag) {
        answer.headers_mut().insert(ETAG, etag);
    }
}

/// 405 unless the method reads.
pub(super) fn refuse_other_methods(method: &Method) -> Option<Answer> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let mut answer =
        text(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not served: use GET"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(answer)
}
