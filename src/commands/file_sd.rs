//! The files of file_sd, as the flags say.

use super::error::CommandError;
use crate::cli::FileSdArgs;
use crate::file_sd::{self, FileSdState, Settings};
use crate::index::EndpointsFrom;
use crate::sd::Compat;
use crate::sidecar::Sidecar;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What is written, if anything is.
///
/// # Errors
/// If a query is wrong, or a name is given twice.
pub(super) fn settings(
    args: &FileSdArgs,
    from: EndpointsFrom,
    compat: Compat,
) -> Result<Option<Settings>, CommandError> {
    let Some(folder) = args.file_sd_dir.clone() else { return Ok(None) };
    let mut names = BTreeSet::new();
    let outputs = args.file_sd.iter().map(|file| {
        let wrong = |why: String| CommandError::Usage(format!("--file-sd {}: {why}", file.name));
        if !names.insert(&file.name) {
            return Err(wrong("the name is given twice: each is a file of its own".to_owned()));
        }
        file.output(from, compat).map_err(|error| wrong(error.to_string()))
    });
    let outputs = outputs.collect::<Result<_, _>>()?;
    Ok(Some(Settings { folder, outputs }))
}

/// Writes them beside that sidecar, as one of these tasks; says how it is going.
pub(super) fn start(
    settings: Option<Settings>,
    sidecar: &Sidecar,
    tasks: &mut JoinSet<()>,
) -> Option<Arc<FileSdState>> {
    let state = Arc::new(FileSdState::default());
    tasks.spawn(file_sd::follow(settings?, sidecar, Arc::clone(&state)));
    Some(state)
}
