//! Sending a request, and reading its answer in chunks, with a deadline on every step.

use super::decode::Status;
use super::failure::Failure;
use bytes::Bytes;
use http_body_util::BodyExt;
use kube::client::Body;
use std::error::Error;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A body that arrives in chunks.
pub(super) struct Chunks {
    body: Body,
    silence: Duration,
    until: Instant,
}

/// How an object is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole.
    Full,
    /// Whole, and as protobuf, if the server has that form of it.
    Compact,
    /// Its metadata.
    Metadata,
    /// The metadata of each item of a list.
    MetadataList,
}

/// How much of an error's body is read.
const ERROR_LIMIT: usize = 64 * 1024;
/// How much of it is shown.
const MESSAGE_LIMIT: usize = 300;

/// Builds a GET request. Watches ask for no compression: newer servers compress each event apart,
/// which costs both sides and saves little.
pub(super) fn get(uri: &str, form: Form, compressed: bool) -> Result<http::Request<Body>, Failure> {
    let accept = match form {
        Form::Full => "application/json",
        Form::Compact => "application/vnd.kubernetes.protobuf, application/json",
        Form::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        Form::MetadataList => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    };
    http::Request::get(uri)
        .header(http::header::ACCEPT, accept)
        .header(http::header::ACCEPT_ENCODING, if compressed { "gzip" } else { "identity" })
        .body(Body::empty())
        .map_err(|error| Failure::Garbled(format!("{uri} is no request: {error}")))
}

/// Sends a request and waits for the headers of a good answer.
pub(super) async fn send(
    client: &kube::Client,
    request: http::Request<Body>,
    headers: Duration,
) -> Result<http::Response<Body>, Failure> {
    let answer = timeout(headers, client.send(request))
        .await
        .map_err(|_| Failure::NoAnswer { after: headers })?
        .map_err(|error| Failure::Connection(chain(&error)))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let retry_after = answer
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let text = beginning(answer.into_body(), headers).await;
    Err(refusal(status, retry_after, &text))
}

/// Whether an answer is protobuf.
pub(super) fn is_protobuf(answer: &http::Response<Body>) -> bool {
    let content_type = answer.headers().get(http::header::CONTENT_TYPE);
    content_type
        .is_some_and(|value| value.as_bytes().starts_with(b"application/vnd.kubernetes.protobuf"))
}

/// The failure that a `Status` object, or whatever a proxy sends in its place, stands for.
pub(super) fn refusal(
    http: http::StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Failure {
    let status: Status = serde_json::from_slice(body).unwrap_or_default();
    let details = status.details.unwrap_or_default();
    let reason = status.reason;
    let message = status.message.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        if text.is_empty() {
            http.canonical_reason().unwrap_or("no reason").to_owned()
        } else {
            text.to_owned()
        }
    });
    Failure::Status {
        code: if http.is_success() { status.code.unwrap_or(500) } else { http.as_u16() },
        message: message.chars().filter(|c| !c.is_control()).take(MESSAGE_LIMIT).collect(),
        reason,
        retry_after: retry_after.or_else(|| details.retry_after_seconds.map(Duration::from_secs)),
        version_too_large: details
            .causes
            .unwrap_or_default()
            .iter()
            .any(|cause| cause.reason.as_deref() == Some("ResourceVersionTooLarge")),
    }
}

async fn beginning(body: Body, deadline: Duration) -> Vec<u8> {
    let mut chunks = Chunks::new(body, deadline, Instant::now() + deadline);
    let mut text = Vec::new();
    while text.len() < ERROR_LIMIT
        && let Ok(Some(chunk)) = chunks.next().await
    {
        text.extend_from_slice(&chunk[..chunk.len().min(ERROR_LIMIT - text.len())]);
    }
    text
}

// === impl Chunks ===

impl Chunks {
    /// A body that fails after a silence, or when it has not ended by `until`.
    pub(super) fn new(body: Body, silence: Duration, until: Instant) -> Self {
        Self { body, silence, until }
    }

    /// All that is left, if it is no more than `limit` bytes.
    pub(super) async fn all(mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        while let Some(chunk) = self.next().await? {
            text.extend_from_slice(&chunk);
            if text.len() > limit {
                return Err(Failure::Garbled("the object is too large".to_owned()));
            }
        }
        Ok(text)
    }

    /// The next chunk; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let now = Instant::now();
            let deadline = self.until.min(now + self.silence);
            match tokio::time::timeout_at(deadline, self.body.frame()).await {
                Err(_) if deadline == self.until => {
                    return Err(Failure::Silence { what: "end", after: deadline - now });
                }
                Err(_) => {
                    return Err(Failure::Silence { what: "data", after: self.silence });
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(Failure::Connection(chain(&error))),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    } // else trailers, which say nothing to us
                }
            }
        }
    }
}

/// An error and its causes in one line: the cause ("connection refused") is what helps.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
