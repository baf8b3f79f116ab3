//! How long is waited for what must become true: Pods start, and other suites may go on beside this one.

use super::support::http::eventually_within;
use std::time::Duration;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(180);
/// One attempt takes no longer, or who never answers would be waited for for ever.
const ANSWER: Duration = Duration::from_secs(30);

/// Tries until `attempt` gives a value; the last reason for none is what fails the test.
pub(crate) async fn eventually<T, F>(what: &str, mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let attempt = || {
        let attempt = timeout(ANSWER, attempt());
        async { attempt.await.map_err(|_| format!("no answer within {ANSWER:?}"))? }
    };
    eventually_within(DEADLINE, what, attempt).await
}
