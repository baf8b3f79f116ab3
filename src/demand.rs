//! Which resources the questions need: queries say what they need, the watches follow.

use crate::index::Needs;
use crate::objects::{Reach, Resource, ResourceSet};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A watch that no query has needed for this long is closed. Longer than any sensible refresh
/// interval, so that a slow Prometheus does not close and open watches all the time.
pub const UNUSED_AFTER: Duration = Duration::from_secs(15 * 60);

/// When each resource was last needed. Own Pods always are: readiness needs them.
#[derive(Debug)]
pub struct Demand {
    last_needed: Mutex<[Option<Instant>; Resource::ALL.len()]>,
    grew: Notify,
    services: watch::Sender<BTreeSet<Reach>>,
}

// === impl Demand ===

impl Demand {
    /// Nobody has asked for anything.
    pub fn new() -> Self {
        let services = watch::Sender::new(BTreeSet::new());
        Self { last_needed: Mutex::default(), grew: Notify::new(), services }
    }

    /// Says that a query needs this now.
    pub fn need(&self, needs: &Needs) {
        let now = Instant::now();
        let mut fresh = ResourceSet::EMPTY;
        let mut last_needed = self.lock();
        for resource in needs.resources.iter() {
            let last = &mut last_needed[resource.index()];
            if !last.is_some_and(|last| now.duration_since(last) < UNUSED_AFTER) {
                fresh = fresh.with(resource);
            }
            *last = Some(now);
        }
        if needs.resources.contains(Resource::Services) {
            self.need_services(&needs.services, fresh.contains(Resource::Services));
        }
        drop(last_needed);
        if !fresh.is_empty() {
            self.grew.notify_one();
        }
    }

    /// What is watched of Services only grows for as long as any query needs one: each change costs all nodes
    /// a list.
    fn need_services(&self, parts: &BTreeSet<Reach>, is_first: bool) {
        self.services.send_if_modified(|watched| {
            if !is_first && Reach::cover(watched, parts) {
                return false;
            }
            let before = if is_first { BTreeSet::new() } else { std::mem::take(watched) };
            *watched = Reach::joined(before.into_iter().chain(parts.iter().cloned()).collect());
            true
        });
    }

    /// Of which parts of the cluster Services are needed.
    pub fn services(&self) -> watch::Receiver<BTreeSet<Reach>> {
        self.services.subscribe()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn services_of(namespaces: &[&str]) -> Needs {
        let namespace = |name: &&str| Reach::Namespace((*name).into());
        let services = match namespaces {
            [] => [Reach::Cluster].into(),
            names => names.iter().map(namespace).collect(),
        };
        Needs { resources: ResourceSet::EMPTY.with(Resource::Services), services }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_watched_of_services_grows_until_nobody_asks() {
        let demand = Demand::new();
        let services = demand.services();
        let watched = || services.borrow().clone();
        demand.need(&services_of(&["a"]));
        assert_eq!(watched(), services_of(&["a"]).services);
        demand.need(&services_of(&["b", "c"]));
        demand.need(&services_of(&["b"]));
        assert_eq!(watched(), services_of(&["a", "b", "c"]).services);
        demand.need(&services_of(&["d"]));
        assert_eq!(watched(), services_of(&[]).services, "four namespaces are too many");
        demand.need(&services_of(&["a"]));
        assert_eq!(watched(), services_of(&[]).services);

        tokio::time::advance(UNUSED_AFTER).await;
        demand.need(&services_of(&["a"]));
        assert_eq!(watched(), services_of(&["a"]).services, "the old watches were closed");
    }
}
