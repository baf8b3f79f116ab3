//! Telling Prometheus, or config-reloader, that there is a new configuration.

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Collected, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::time::timeout;

/// Prometheus answers when the new configuration is in use, which takes seconds with many jobs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is kept of a refusal.
const MOST_BYTES: usize = 4096;

/// Posts to that URL.
///
/// # Errors
/// What the answer says if it is not 2xx; why there is none.
pub(super) async fn reload(url: &Uri) -> Result<(), String> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(Method::POST).uri(url.clone());
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let ask = async {
        let answer = client.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        Err(format!("{status}: {}", String::from_utf8_lossy(&body).trim()))
    };
    timeout(PATIENCE, ask).await.unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}")))
}
