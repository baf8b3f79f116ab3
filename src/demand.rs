//! Which resources the questions need: queries say what they need, the watches follow.

use crate::objects::{Resource, ResourceSet};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A watch that no query has needed for this long is closed. Longer than any sensible refresh
/// interval, so that a slow Prometheus does not close and open watches all the time.
pub const UNUSED_AFTER: Duration = Duration::from_secs(15 * 60);

/// When each resource was last needed. Own Pods always are: readiness needs them.
#[derive(Debug)]
pub struct Demand {
    last_needed: Mutex<[Option<Instant>; Resource::ALL.len()]>,
    grew: Notify,
}

// === impl Demand ===

impl Demand {
    /// Nobody has asked for anything.
    pub fn new() -> Self {
        Self { last_needed: Mutex::default(), grew: Notify::new() }
    }

    /// Says that a query needs these resources now.
    pub fn need(&self, resources: ResourceSet) {
        let now = Instant::now();
        let mut grew = false;
        {
            let mut last_needed = self.lock();
            for resource in resources.iter() {
                let last = &mut last_needed[resource.index()];
                grew |= !last.is_some_and(|last| now.duration_since(last) < UNUSED_AFTER);
                *last = Some(now);
            }
        }
        if grew {
            self.grew.notify_one();
        }
    }

    /// What is needed now.
    pub fn needed(&self) -> ResourceSet {
        let now = Instant::now();
        let last_needed = self.lock();
        Resource::ALL
            .into_iter()
            .filter(|resource| {
                *resource == Resource::Pods
                    || last_needed[resource.index()]
                        .is_some_and(|last| now.duration_since(last) < UNUSED_AFTER)
            })
            .collect()
    }

    /// Waits until [`needed`](Self::needed) may have grown. For one waiter.
    pub async fn grew(&self) {
        self.grew.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, [Option<Instant>; Resource::ALL.len()]> {
        self.last_needed.lock().expect("nothing panics while it holds this lock")
    }
}

impl Default for Demand {
    fn default() -> Self {
        Self::new()
    }
}
