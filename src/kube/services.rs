//! The watches of Services: as far as the questions reach.

use super::kind::Scope;
use super::parts::Parts;
use super::reflector::Context;
use super::tasks::LOOK_EVERY;
use crate::demand::Demand;
use crate::index::{Change, Snapshot, Snapshots};
use crate::objects::{Reach, Resource, Service};
use crate::status::Phase;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Opens and closes the watches of Services as the demand grows. Dropping it ends them.
pub(super) struct ServiceWatches {
    context: Context,
    demand: Arc<Demand>,
    snapshots: Arc<Snapshots>,
    parts: Parts<Service>,
}

// === impl ServiceWatches ===

impl ServiceWatches {
    pub(super) fn new(context: Context, demand: Arc<Demand>, snapshots: Arc<Snapshots>) -> Self {
        let parts = Parts::new(context.clone(), Scope::services);
        Self { context, demand, snapshots, parts }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(mut self) {
        let mut wanted = self.demand.services();
        let mut versions = self.snapshots.subscribe();
        self.let_questions_come(&mut wanted).await;
        loop {
            let reaches = wanted.borrow_and_update().clone();
            versions.borrow_and_update();
            self.parts.follow(&reaches, Duration::ZERO).await; // a question waits for it
            if !reaches.contains(&Reach::Cluster) {
                self.context.board.of(Resource::Services).set_phase(Phase::Watching);
            }
            let snapshot = self.snapshots.load();
            if *snapshot.services_watched != reaches && is_known(&snapshot, &reaches) {
                self.context.tell(Change::ServicesWatched(reaches)).await;
            }
            tokio::select! {
                changed = versions.changed() => if changed.is_err() { return },
                changed = wanted.changed() => if changed.is_err() { return },
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// A Prometheus that starts asks for all its jobs at once. What they need together may be the cluster, and
    /// then no namespace needs to be listed for itself.
    async fn let_questions_come(&self, wanted: &mut tokio::sync::watch::Receiver<BTreeSet<Reach>>) {
        let all = wanted.wait_for(|reaches| reaches.contains(&Reach::Cluster));
        let _ = tokio::time::timeout(self.context.timing.questions, all).await;
    }
}

/// Whether Services have been listed there, and, once foreign slices are known, also those that these
/// Services ask for. Before that, the first sync of foreign slices waits for Services.
fn is_known(snapshot: &Snapshot, reaches: &BTreeSet<Reach>) -> bool {
    let waits = snapshot.follows_services() && snapshot.synced.contains(Resource::EndpointSlices);
    reaches.is_subset(&snapshot.services_listed) && (!waits || snapshot.has_foreign_slices())
}
