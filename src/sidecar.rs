//! The sidecar, put together: watches feed the index, the index publishes snapshots.
//!
//! It takes everything that it touches from outside (node, client, timing), so that tests and
//! `demo` run the same thing against an API server of their own.

use crate::coverage::{self, AgentPods};
use crate::demand::Demand;
use crate::history::{History, Recorder};
use crate::index::{self, EndpointsFrom, Excluded, Index, Needs, Progress, Snapshot, Snapshots};
use crate::kube::{self, ApiServer, Keeping, Lookups, Saved, Timing, Watches};
use crate::objects::Resource;
use crate::state::{Keeper, Restored, StateFile};
use crate::status::Board;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running sidecar without its listeners. Dropping it ends its tasks.
#[derive(Debug)]
pub struct Sidecar {
    /// What is known.
    pub snapshots: Arc<Snapshots>,
    /// What is asked for.
    pub demand: Arc<Demand>,
    /// How the watches are doing.
    pub board: Arc<Board>,
    /// What has happened lately.
    pub history: Arc<History>,
    /// What is kept for the next run, where there is a place for it.
    pub keeper: Option<Arc<Keeper>>,
    /// Where Pods of other nodes are.
    pub lookups: Lookups,
    _tasks: JoinSet<()>,
}

/// A place for the state, and what was found there.
#[derive(Debug)]
pub struct Kept {
    /// The place.
    pub file: StateFile,
    /// What an earlier run left, if it may be used.
    pub restored: Option<Restored>,
}

/// Changes on their way to the index.
const QUEUE: usize = 1024;

impl Sidecar {
    /// Starts to watch what belongs to that node. Must be called within a runtime.
    pub fn start(
        node: &str,
        endpoints_from: EndpointsFrom,
        server: impl Into<ApiServer>,
        timing: Timing,
    ) -> Self {
        Self::after(Snapshot::of(node, endpoints_from, Excluded::default()), None, server, timing)
    }

    /// The same with what an empty snapshot says of whose targets are served, and how they are found. The
    /// complement is told of `agents`, if there may be nodes without one.
    pub fn after(
        first: Snapshot,
        agents: Option<AgentPods>,
        server: impl Into<ApiServer>,
        timing: Timing,
    ) -> Self {
        Self::kept(first, agents, server, timing, None)
    }

    /// The same with a place on disk where the state is kept, and what was there. It is served at once.
    pub fn kept(
        first: Snapshot,
        agents: Option<AgentPods>,
        server: impl Into<ApiServer>,
        timing: Timing,
        kept: Option<Kept>,
    ) -> Self {
        let share = first.share.clone();
        let (file, restored) = kept.map(|Kept { file, restored }| (file, restored)).unzip();
        let restored = restored.flatten();
        let written = restored.as_ref().and_then(|restored| restored.written);
        let (mut index, identity) = match restored {
            Some(Restored { index, identity, .. }) => (index, Some(identity)),
            None => (Index::after(first.clone()), None),
        };
        let snapshots = Arc::new(Snapshots::after(index.take_snapshot().unwrap_or(first)));
        snapshots.publish_progress(index.progress());
        let demand = Arc::new(Demand::new());
        let board = Arc::new(Board::default());
        let history = Arc::new(History::new());
        let saved = identity.map(|identity| {
            take_up(&snapshots.load(), index.progress(), &demand, &board);
            Saved { identity, versions: index.progress().versions.clone() }
        });
        let (changes, queue) = index::arrivals(QUEUE);
        let mut tasks = JoinSet::new();
        let (keeper, keeping) = file
            .map(|file| {
                let (tell, identity) = watch::channel(None);
                let keeper = Keeper::new(file, (&snapshots, &board), identity, written);
                (Arc::new(keeper), Keeping { saved, identity: tell })
            })
            .unzip();
        if let Some(keeper) = &keeper {
            tasks.spawn(Keeper::keep(Arc::clone(keeper)));
        }
        let recorder = Recorder::new(Arc::clone(&history));
        tasks.spawn(index::maintain(index, queue, Arc::clone(&snapshots), recorder));
        if let Some(agents) = agents {
            let (demand, snapshots) = (Arc::clone(&demand), Arc::clone(&snapshots));
            tasks.spawn(coverage::follow(agents, demand, snapshots, changes.clone()));
        }
        let (lookups, asked) = Lookups::new();
        tasks.spawn(kube::follow(Watches {
            server: server.into(),
            share,
            timing,
            demand: Arc::clone(&demand),
            board: Arc::clone(&board),
            changes,
            snapshots: Arc::clone(&snapshots),
            keeping,
            lookups: asked,
        }));
        Self { snapshots, demand, board, history, keeper, lookups, _tasks: tasks }
    }
}

/// What was watched is needed again, and is not confirmed until the API server says so.
fn take_up(snapshot: &Snapshot, progress: &Progress, demand: &Demand, board: &Board) {
    let services = BTreeSet::clone(&snapshot.services_watched);
    demand.need(&Needs { resources: snapshot.synced, services });
    for ((resource, reach), version) in &progress.versions {
        board.part(*resource, reach).restore(version);
    }
    for owners in [Resource::ReplicaSets, Resource::Jobs] {
        if snapshot.synced.contains(owners) {
            board.of(owners).restore("");
        }
    }
}
