//! The agent beside us: its configuration, and telling it that there is a new one.
//!
//! ```text
//! --config-in, --jobs-from ──files──▶ config::rewrite ──▶ config::Guard ──files──▶ --config-out
//!                                          │                   ▲                        │
//!                                          └── questions ──▶ targets of this node       ▼
//!                                                                             --reload-url (reload)
//! ```
//!
//! Whatever fails here, what has been written stays: an agent is never left with less than it had.

mod expected;
mod files;
mod follow;
mod kept;
mod own_targets;
mod reload;
mod report;
mod settings;
mod state;
mod stopgap;
#[cfg(test)]
mod tests;

pub use settings::Settings;
pub use state::{AgentState, JobCounts, View};

use crate::sidecar::Sidecar;
use follow::Follower;
use own_targets::OwnTargets;
use std::sync::Arc;
use std::time::SystemTime;

/// Follows the files for good, beside that sidecar.
pub fn follow(
    settings: Settings,
    sidecar: &Sidecar,
    state: Arc<AgentState>,
) -> impl Future<Output = ()> + use<> {
    let targets = OwnTargets {
        node: settings.node.clone(),
        snapshots: Arc::clone(&sidecar.snapshots),
        demand: Arc::clone(&sidecar.demand),
        compat: settings.compat,
    };
    Follower::new(settings, targets, state, SystemTime::now()).run()
}
