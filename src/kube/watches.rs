//! Which loops run: those that the questions need.

use super::foreign::ForeignWatches;
use super::impersonation::ApiServer;
use super::kind::Kind;
use super::lookups::LookupQueue;
use super::owners::OwnerReader;
use super::pacer::Pacer;
use super::reflector::{Context, Reflector};
use super::restart::Keeping;
use super::services::ServiceWatches;
use super::tasks::{LOOK_EVERY, end};
use super::timing::Timing;
use crate::demand::Demand;
use crate::index::{Change, Changes, EndpointsFrom, Share, Snapshots};
use crate::objects::{EndpointSlice, Endpoints, Namespace, Node, Pod, Resource};
use crate::status::Board;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::{AbortHandle, JoinSet};
use tracing::info;

/// What the loops need from outside.
pub struct Watches {
    /// The API server.
    pub server: ApiServer,
    /// Whose targets are served.
    pub share: Share,
    /// Deadlines and delays.
    pub timing: Timing,
    /// Which resources are needed.
    pub demand: Arc<Demand>,
    /// Where the loops say how they are doing.
    pub board: Arc<Board>,
    /// Where changes go.
    pub changes: Changes,
    /// What came of them; tells which owners are missing.
    pub snapshots: Arc<Snapshots>,
    /// What is kept for the next run, and was by the last.
    pub keeping: Option<Keeping>,
    /// Who asks where Pods of other nodes are.
    pub lookups: LookupQueue,
}

/// Opens and closes loops as the demand asks, until it is dropped; then all loops end.
pub async fn follow(watches: Watches) {
    let Watches { server, share, timing, demand, board, changes, snapshots, mut keeping, lookups } =
        watches;
    let context = Context {
        client: server.client,
        impersonation: server.impersonation,
        share,
        timing: Arc::new(timing),
        pacer: Arc::new(Pacer::new()),
        board,
        changes,
        resume: Arc::new(keeping.as_mut().map(Keeping::resume).unwrap_or_default()),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(lookups.answer(context.clone()));
    if let Some(keeping) = keeping {
        keeping.begin(&context, &mut tasks).await;
        // An outage may outlast all questions, and what nobody watches must not be served.
        for resource in snapshots.load().synced.minus(demand.needed()).iter() {
            info!(%resource, "forgetting what was saved, because no query needs it any more");
            forget(resource, &context).await;
        }
    }
    let mut open: BTreeMap<Resource, AbortHandle> = BTreeMap::new();
    loop {
        let needed = demand.needed();
        for resource in Resource::ALL {
            match (needed.contains(resource), open.contains_key(&resource)) {
                (true, false) => {
                    info!(%resource, "opening, because a query needs it");
                    let around = (&demand, &snapshots);
                    open.insert(resource, start(resource, &context, around, &mut tasks));
                }
                // While the server cannot be asked again, what is known is all that there is.
                (false, true) if context.board.trouble(resource).is_some() => {}
                (false, true) => {
                    info!(%resource, "closing, because no query needs it any more");
                    if let Some(task) = open.remove(&resource) {
                        close(resource, &task, &context).await;
                    }
                }
                _ => {}
            }
        }
        tokio::select! {
            () = demand.grew() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        while tasks.try_join_next().is_some() {} // closed ones
    }
}

fn start(
    resource: Resource,
    context: &Context,
    (demand, snapshots): (&Arc<Demand>, &Arc<Snapshots>),
    tasks: &mut JoinSet<()>,
) -> AbortHandle {
    match resource {
        Resource::Pods => reflect::<Pod>(context, tasks),
        Resource::Nodes => reflect::<Node>(context, tasks),
        Resource::Services => {
            let (demand, snapshots) = (Arc::clone(demand), Arc::clone(snapshots));
            tasks.spawn(ServiceWatches::new(context.clone(), demand, snapshots).run())
        }
        Resource::EndpointSlices => match snapshots.load().endpoints_from {
            EndpointsFrom::Slices => reflect::<EndpointSlice>(context, tasks),
            EndpointsFrom::Pods(deriving) => {
                let snapshots = Arc::clone(snapshots);
                let which = deriving.foreign_slices;
                tasks.spawn(ForeignWatches::new(which, context.clone(), snapshots).run())
            }
        },
        Resource::Endpoints => reflect::<Endpoints>(context, tasks),
        Resource::Namespaces => reflect::<Namespace>(context, tasks),
        Resource::ReplicaSets | Resource::Jobs => {
            tasks.spawn(OwnerReader::new(resource, context.clone(), Arc::clone(snapshots)).run())
        }
    }
}

fn reflect<K: Kind>(context: &Context, tasks: &mut JoinSet<()>) -> AbortHandle {
    let entry = Arc::clone(context.board.of(K::RESOURCE));
    tasks.spawn(Reflector::<K>::new(context.clone(), K::scope(context.node()), entry).run())
}

async fn close(resource: Resource, task: &AbortHandle, context: &Context) {
    end(task).await;
    forget(resource, context).await;
}

async fn forget(resource: Resource, context: &Context) {
    context.resume.forget(resource);
    context.board.close(resource);
    context.tell(Change::Closed(resource)).await;
}
