//! Watches of one resource that reach parts of the cluster.

use super::kind::{Kind, Scope};
use super::reflector::{Context, Reflector};
use super::tasks::end;
use super::timing::part_of;
use crate::objects::Reach;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tracing::info;

/// The watches of a resource, one for each part. Dropping it ends them.
pub(super) struct Parts<K> {
    context: Context,
    scope: fn(Reach) -> Scope,
    open: BTreeMap<Reach, AbortHandle>,
    tasks: JoinSet<()>,
    kind: std::marker::PhantomData<fn() -> K>,
}

// === impl Parts ===

impl<K: Kind> Parts<K> {
    /// None is open. `scope` says what a watch of a part asks for.
    pub(super) fn new(context: Context, scope: fn(Reach) -> Scope) -> Self {
        let (open, tasks) = (BTreeMap::new(), JoinSet::new());
        Self { context, scope, open, tasks, kind: std::marker::PhantomData }
    }

    /// Opens and closes watches, so that those parts are watched and no others. What is opened waits a random
    /// part of `jitter`.
    ///
    /// Closes first: of two watches of one object the slower one would bring back an older state.
    pub(super) async fn follow(&mut self, wanted: &BTreeSet<Reach>, jitter: Duration) {
        let unwanted = self.open.keys().filter(|reach| !wanted.contains(*reach));
        for reach in unwanted.cloned().collect::<Vec<_>>() {
            if let Some(task) = self.open.remove(&reach) {
                info!(resource = %K::RESOURCE, namespace = reach.namespace(), "closing the watch of a part");
                end(&task).await;
                self.context.board.close_part(K::RESOURCE, &reach);
            }
        }
        while self.tasks.try_join_next().is_some() {} // closed ones
        for reach in wanted {
            if !self.open.contains_key(reach) {
                info!(resource = %K::RESOURCE, namespace = reach.namespace(), "opening the watch of a part");
                let entry = self.context.board.part(K::RESOURCE, reach);
                let scope = (self.scope)(reach.clone());
                let reflector = Reflector::<K>::new(self.context.clone(), scope, entry);
                // Going on costs the server little.
                let wait = if reflector.resumes() { Duration::ZERO } else { part_of(jitter) };
                let task = self.tasks.spawn(async move {
                    sleep(wait).await;
                    reflector.run().await;
                });
                self.open.insert(reach.clone(), task);
            }
        }
        for reach in self.context.resume.forget(K::RESOURCE) {
            if !self.open.contains_key(&reach) {
                self.context.board.close_part(K::RESOURCE, &reach); // of a saved state, and of no use
            }
        }
    }
}
