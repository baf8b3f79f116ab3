//! file_sd: what http_sd serves for some queries, as files for a Prometheus that reads rather than asks.
//!
//! ```text
//! --file-sd NAME=/sd/ROLE?QUERY ──Output──▶ Writer ──build, render──▶ files::replace ──▶ NAME.json
//!                                             ▲
//!                           latest Snapshot ──┘
//! ```
//!
//! Prometheus keeps its targets while a file cannot be read, and drops them when it vanishes or is an empty list.
//! So a file is replaced as a whole, not before all that it needs has synced, and never removed: not at the end,
//! not on a failure, and not when no flag names it any more. A file outlives both sides, so what is on disk, and
//! not what was written last, decides whether there is something to write.

mod output;
mod state;
mod writer;

pub use output::{FileQuery, Output, WrongFileQuery};
pub use state::{FileSdState, View};

use crate::sidecar::Sidecar;
use std::path::PathBuf;
use std::sync::Arc;
use writer::Writer;

/// What is written, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of all files.
    pub folder: PathBuf,
    /// The files. No two have the same name.
    pub outputs: Vec<Output>,
}

/// Writes the files for good, beside that sidecar. What they need is asked for from now on.
pub fn follow(
    settings: Settings,
    sidecar: &Sidecar,
    state: Arc<FileSdState>,
) -> impl Future<Output = ()> + use<> {
    let (snapshots, demand) = (Arc::clone(&sidecar.snapshots), Arc::clone(&sidecar.demand));
    Writer::new(settings, snapshots, demand, state).run()
}
