//! How the files are doing, for health checks and metrics.

use crate::index::Needs;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

/// Written by the writer, read by health checks and `/metrics`.
#[derive(Debug, Default)]
pub struct FileSdState(Mutex<View>);

/// What there is to say.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What all files together need.
    pub needs: Needs,
    /// Targets by file name (without `.json`), of the files that are on disk as they should be.
    pub targets: BTreeMap<String, usize>,
    /// Files written.
    pub writes: u64,
    /// Files that could not be written.
    pub failures: u64,
    /// When all files were last found to be as they should be.
    pub up_to_date: Option<SystemTime>,
}

// === impl FileSdState ===

impl FileSdState {
    /// A copy of all.
    pub fn view(&self) -> View {
        self.lock().clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, View> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
