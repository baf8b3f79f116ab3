//! What all routes share.

use super::long_poll::LongPoll;
use crate::agent::AgentState;
use crate::demand::Demand;
use crate::file_sd::FileSdState;
use crate::history::History;
use crate::index::Snapshots;
use crate::kube::Lookups;
use crate::sd::{Answers, Compat};
use crate::sidecar::Sidecar;
use crate::state::Keeper;
use crate::status::Board;
use crate::targets::Role;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The state that answers are made from, and the counters of what was answered.
#[derive(Debug)]
pub struct App {
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) demand: Arc<Demand>,
    pub(super) board: Arc<Board>,
    pub(super) history: Arc<History>,
    pub(super) answers: Arc<Answers>,
    pub(super) long_poll: LongPoll,
    pub(super) lookups: Lookups,
    pub(super) compat: Compat,
    pub(super) agent: Option<Arc<AgentState>>,
    pub(super) file_sd: Option<Arc<FileSdState>>,
    pub(super) keeper: Option<Arc<Keeper>>,
    pub(super) connections: AtomicU64,
    queries: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

// === impl App ===

impl App {
    /// Serves that sidecar, and says how its agent's configuration is doing, if it has one.
    pub fn new(sidecar: &Sidecar, compat: Compat, agent: Option<Arc<AgentState>>) -> Self {
        let Sidecar { snapshots, demand, board, history, keeper, lookups, .. } = sidecar;
        let answers = Answers::new(Arc::clone(snapshots), Arc::clone(demand), Arc::clone(board));
        let answers = Arc::new(answers);
        Self {
            snapshots: Arc::clone(snapshots),
            demand: Arc::clone(demand),
            board: Arc::clone(board),
            history: Arc::clone(history),
            long_poll: LongPoll::new(Arc::clone(&answers)),
            answers,
            lookups: lookups.clone(),
            compat,
            agent,
            file_sd: None,
            keeper: keeper.clone(),
            connections: AtomicU64::new(0),
            queries: Mutex::default(),
        }
    }

    /// The same with files that are written beside it, whose state is shown too.
    #[must_use]
    pub fn with_file_sd(self, file_sd: Option<Arc<FileSdState>>) -> Self {
        Self { file_sd, ..self }
    }

    /// Counts an answer to an http_sd query. Roles come from outside, so unknown ones are one.
    pub(super) fn count_query(&self, role: &str, code: u16) {
        let role = Role::ALL.map(Role::name).into_iter().find(|name| *name == role);
        let mut queries = self.queries.lock().expect("nothing panics while it holds this lock");
        *queries.entry((role.unwrap_or("other"), code)).or_default() += 1;
    }

    /// Answers so far, by role and status.
    pub(super) fn queries(&self) -> BTreeMap<(&'static str, u16), u64> {
        self.queries.lock().expect("nothing panics while it holds this lock").clone()
    }

    /// Connections of the http_sd listener that are open now.
    pub(super) fn open_connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}
