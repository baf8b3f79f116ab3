//! How following is going, for metrics and for those who ask about a job.

use super::files;
use super::settings::Settings;
use crate::config::{Config, Job};
use crate::index::Needs;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

/// Written by the follower, read by `/metrics` and `/debug/explain`.
#[derive(Debug, Default)]
pub struct AgentState(Mutex<View>);

/// What there is to say.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Jobs of the configuration that was read last.
    pub jobs: JobCounts,
    /// Targets that the agent should scrape, of each job that asks this sidecar and has some.
    pub targets: BTreeMap<String, usize>,
    /// What became of each of them.
    pub fates: Arc<[Job]>,
    /// What is followed.
    pub settings: Option<Arc<Settings>>,
    /// Whether the agent has a configuration.
    pub has_config: bool,
    /// What the first configuration of this run asks for.
    pub needs: Needs,
    /// Why the files cannot be used, if they cannot.
    pub trouble: Option<String>,
    /// When a configuration was written last.
    pub applied_at: Option<SystemTime>,
    /// Until when a change is held because of the targets that it removes.
    pub held_until: Option<SystemTime>,
    /// Configurations written.
    pub writes: u64,
    /// Reloads that succeeded.
    pub reloads: u64,
    /// Reloads that failed.
    pub reload_failures: u64,
}

/// Jobs by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Without discovery of Kubernetes, or with it kept.
    pub kept: u64,
    /// They ask this sidecar.
    pub rewritten: u64,
    /// Not for nodes.
    pub dropped: u64,
    /// In their last good form.
    pub last_good: u64,
    /// Left out.
    pub refused: u64,
}

impl AgentState {
    /// A copy of all.
    pub fn view(&self) -> View {
        self.lock().clone()
    }

    /// The configuration that the agent has. It is read from its file, which nobody else needs in memory.
    pub fn applied(&self) -> Option<Config> {
        let settings = self.view().settings?;
        let bytes = files::read(&settings.config_out).ok()?;
        Config::read(&String::from_utf8(bytes).ok()?).ok()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, View> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
