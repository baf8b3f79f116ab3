//! A small HTTP client for tests over sockets.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// The body of a good answer, or why there is none.
pub(crate) async fn get(url: &str) -> Result<String, String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = url.parse().expect("a URL of the test's own");
    let answer = client.get(uri).await.map_err(|error| format!("{url}: {error:?}"))?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| format!("{url}: {error}"))?;
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    if status.is_success() { Ok(text) } else { Err(format!("{url}: {status}: {text}")) }
}

/// Tries until `attempt` gives a value; the last reason for none is what fails the test.
pub(crate) async fn eventually<T, F>(what: &str, attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    eventually_within(Duration::from_secs(60), what, attempt).await
}

/// The same, for what takes longer on a machine that is busy.
pub(crate) async fn eventually_within<T, F>(
    deadline: Duration,
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let began = tokio::time::Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(reason) if began.elapsed() > deadline => panic!("{what}: {reason}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await, // between two looks
        }
    }
}
