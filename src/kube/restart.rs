//! What becomes of a saved state once the API server answers.

use super::identity;
use super::reflector::Context;
use super::resume::Resume;
use super::timing::part_of;
use crate::index::Change;
use crate::objects::{Reach, Resource};
use std::collections::BTreeMap;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

/// What the loops need where state is kept.
#[derive(Debug)]
pub struct Keeping {
    /// What this run began with, if an earlier one left anything.
    pub saved: Option<Saved>,
    /// Where the identity of the cluster is told, once it is known.
    pub identity: watch::Sender<Option<String>>,
}

/// What the saved state says of the API server.
#[derive(Debug)]
pub struct Saved {
    /// Which cluster it was.
    pub identity: String,
    /// How far each watch had come.
    pub versions: BTreeMap<(Resource, Reach), Box<str>>,
}

// === impl Keeping ===

impl Keeping {
    /// Where the watches may resume, if the API server is the one that the state is of.
    pub(super) fn resume(&mut self) -> Resume {
        Resume::new(
            self.saved
                .as_mut()
                .map(|saved| std::mem::take(&mut saved.versions))
                .unwrap_or_default(),
        )
    }

    /// Makes sure that what was saved is of this cluster, before any watch is opened: a version says nothing to
    /// another one. If it is not, all of it goes.
    pub(super) async fn begin(self, context: &Context, tasks: &mut JoinSet<()>) {
        let Self { saved, identity } = self;
        let Some(saved) = saved else {
            let context = context.clone();
            tasks.spawn(async move {
                sleep(part_of(context.timing.start_jitter)).await;
                identity.send_replace(identity::find(&context).await);
            });
            return;
        };
        sleep(part_of(context.timing.start_jitter)).await;
        let found = identity::find(context).await;
        match &found {
            Some(uid) if *uid == saved.identity => info!("resuming from the saved state"),
            Some(_) => {
                warn!("the saved state is of another Node or another cluster; it is dropped");
                context.resume.clear();
                drop_all(context).await;
            }
            // A list says what is there, whatever cluster this is.
            None => context.resume.clear(),
        }
        for owners in [Resource::ReplicaSets, Resource::Jobs] {
            context.board.of(owners).confirm(); // whose owner an owner is does not change
        }
        identity.send_replace(found);
    }
}

async fn drop_all(context: &Context) {
    for resource in Resource::ALL {
        context.board.close(resource);
        context.tell(Change::Closed(resource)).await;
    }
}
