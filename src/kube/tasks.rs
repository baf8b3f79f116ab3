//! Loops as tasks: how they end, and when is looked whether they should.

use std::time::Duration;
use tokio::task::AbortHandle;

/// How often is looked whether a watch has become unused.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Ends a loop. When this returns its last message has been sent.
pub(super) async fn end(task: &AbortHandle) {
    task.abort();
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}
