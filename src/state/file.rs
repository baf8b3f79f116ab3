//! The file of a state.

use super::format::{self, Restored, State};
use super::header::Setup;
use crate::files;
use crate::index::Snapshot;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tracing::{info, warn};

/// Annotations may hold what others must not see.
const MODE: u32 = 0o600;

/// Where the state is, and what it must be of.
#[derive(Clone, Debug)]
pub struct StateFile {
    folder: PathBuf,
    setup: Setup,
}

// === impl StateFile ===

impl StateFile {
    /// In that folder, which is made when the first state is written.
    pub fn new(folder: &Path, setup: Setup) -> Self {
        Self { folder: folder.to_owned(), setup }
    }

    /// What an earlier run has saved, for an index that begins with `first`. Nothing if there is no state, or
    /// none that may be used; the log says why.
    pub fn read(&self, first: &Snapshot, now: SystemTime) -> Option<Restored> {
        let path = self.path();
        let file = match File::open(&path) {
            Ok(file) => file,
            // A folder that is none is told when it is written.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return None;
            }
            Err(error) => {
                warn!("{}: {error}; everything is listed", path.display());
                return None;
            }
        };
        match format::read(file, &self.setup, first, now) {
            Ok(restored) => {
                info!("{}: serving the saved state", path.display());
                Some(restored)
            }
            Err(refusal) => {
                warn!("{}: not used, because it {refusal}; everything is listed", path.display());
                None
            }
        }
    }

    /// Puts a state in the place of the last one. A reader sees the one or the other, also after a crash.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, state: &State, now: SystemTime) -> io::Result<()> {
        let temporary = self.folder.join(".objects.new");
        files::replace(&self.path(), &temporary, MODE, |file| {
            format::write(file, state, &self.setup, now)
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join("objects.gz")
    }
}
