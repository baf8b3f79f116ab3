//! The sidecar, put together: watches feed the index, the index publishes snapshots.
//!
//! It takes everything that it touches from outside (node, client, timing), so that tests and
//! `demo` run the same thing against an API server of their own.

use crate::demand::Demand;
use crate::index::{self, EndpointsFrom, Index, Snapshots};
use crate::kube::{self, Timing, Watches};
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
        client: ::kube::Client,
        timing: Timing,
    ) -> Self {
        let snapshots = Arc::new(Snapshots::new(node, endpoints_from));
        let demand = Arc::new(Demand::new());
        let board = Arc::new(Board::default());
        let (changes, queue) = mpsc::channel(QUEUE);
        let index = Index::new(node, endpoints_from);
        let mut tasks = JoinSet::new();
        tasks.spawn(index::maintain(index, queue, Arc::clone(&snapshots)));
        tasks.spawn(kube::follow(Watches {
            client,
            node: node.into(),
            timing,
            demand: Arc::clone(&demand),
            board: Arc::clone(&board),
            changes,
            snapshots: Arc::clone(&snapshots),
        }));
        Self { snapshots, demand, board, _tasks: tasks }
    }
}
