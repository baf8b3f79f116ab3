//! The sidecar, put together: watches feed the index, the index publishes snapshots.
//!
//! It takes everything that it touches from outside (node, client, timing), so that tests and
//! `demo` run the same thing against an API server of their own.

use crate::coverage::{self, AgentPods};
use crate::demand::Demand;
use crate::index::{self, EndpointsFrom, Excluded, Index, Snapshot, Snapshots};
use crate::kube::{self, ApiServer, Timing, Watches};
use crate::status::Board;
use std::sync::Arc;
use tokio::sync::mpsc;
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
    _tasks: JoinSet<()>,
}

/// Changes on their way to the index. A full queue makes the watches wait, which makes the API
/// server wait; nothing is lost.
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
        let share = first.share.clone();
        let index = Index::after(first.clone());
        let snapshots = Arc::new(Snapshots::after(first));
        let demand = Arc::new(Demand::new());
        let board = Arc::new(Board::default());
        let (changes, queue) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(index::maintain(index, queue, Arc::clone(&snapshots)));
        if let Some(agents) = agents {
            let (demand, snapshots) = (Arc::clone(&demand), Arc::clone(&snapshots));
            tasks.spawn(coverage::follow(agents, demand, snapshots, changes.clone()));
        }
        tasks.spawn(kube::follow(Watches {
            server: server.into(),
            share,
            timing,
            demand: Arc::clone(&demand),
            board: Arc::clone(&board),
            changes,
            snapshots: Arc::clone(&snapshots),
        }));
        Self { snapshots, demand, board, _tasks: tasks }
    }
}
