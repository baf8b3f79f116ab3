//! Asking a running sidecar.

use super::error::CommandError;
use crate::kube::chain;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// Not a URL.
    #[error("--url {0}: {1}")]
    Url(String, http::uri::InvalidUri),
    /// An address alone.
    #[error("--url {0} has no scheme: add http:// before it")]
    NoScheme(String),
    /// Nobody answers there.
    #[error(
        "GET {0}: {1}; is the sidecar running there? (--url; or --node-name to ask the API server)"
    )]
    Unreachable(String, String),
    /// It does not answer the question.
    #[error("GET {url}: {status}: {reason}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: StatusCode,
        /// The sidecar's words.
        reason: String,
    },
}

impl From<FetchError> for CommandError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Url(..) | FetchError::NoScheme(..) => Self::Usage(error.to_string()),
            FetchError::Unreachable(..) | FetchError::Refused { .. } => {
                Self::Failure(error.to_string())
            }
        }
    }
}

/// The body of the answer to that URL.
///
/// # Errors
/// If there is none within `patience`, or its status is no success.
pub(super) async fn fetch(url: &str, patience: Duration) -> Result<Bytes, FetchError> {
    let failed = |reason: String| FetchError::Unreachable(url.to_owned(), reason);
    if !url.contains("://") {
        return Err(FetchError::NoScheme(url.to_owned()));
    }
    let uri: http::Uri = url.parse().map_err(|error| FetchError::Url(url.to_owned(), error))?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let exchange = async {
        let answer = client.get(uri).await.map_err(|error| failed(chain(&error)))?;
        let status = answer.status();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| failed(chain(&error)))?.to_bytes();
        Ok((status, body))
    };
    let (status, body) = tokio::time::timeout(patience, exchange)
        .await
        .map_err(|_| failed(format!("no answer for {} s", patience.as_secs())))??;
    if status.is_success() {
        return Ok(body);
    }
    let reason = String::from_utf8_lossy(&body).trim().to_owned();
    Err(FetchError::Refused { url: url.to_owned(), status, reason })
}
