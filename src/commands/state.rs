//! The state on disk, as the flags say.

use crate::cli::StateArgs;
use crate::index::Snapshot;
use crate::sidecar::Kept;
use crate::state::{Setup, StateFile};
use std::time::SystemTime;
use tracing::warn;

/// The place of the state and what is there, if there is to be one.
pub(super) fn kept(args: &StateArgs, first: &Snapshot) -> Option<Kept> {
    let folder = args.state_dir.as_ref()?;
    let file = &args.boot_id_file;
    let boot_id = match std::fs::read_to_string(file) {
        Ok(text) if !text.trim().is_empty() => text,
        read => {
            let problem = read.map_or_else(|error| error.to_string(), |_| "it is empty".to_owned());
            let file = file.display();
            warn!("--boot-id-file {file}: {problem}; without it no targets are kept for a restart");
            return None;
        }
    };
    let file = StateFile::new(folder, Setup::of(first, boot_id.trim()));
    let restored = file.read(first, SystemTime::now());
    Some(Kept { file, restored })
}
