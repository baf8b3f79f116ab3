//! How long is waited for what must become true: Pods start, and other suites may go on beside this one.

use super::support::http::eventually_within;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(180);

/// Tries until `attempt` gives a value; the last reason for none is what fails the test.
pub(crate) async fn eventually<T, F>(what: &str, attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    eventually_within(DEADLINE, what, attempt).await
}
