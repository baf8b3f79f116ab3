//! What outlives a restart beside the configuration itself: since when a change waits.

use super::files;
use crate::config::Waiting;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// [`Waiting`] in a file, in seconds since 1970.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Kept {
    changed: Option<u64>,
    shrinking: Option<u64>,
}

impl Kept {
    const NAME: &str = "config.json";

    /// What an earlier run has kept; nothing, if that cannot be read.
    pub(super) fn read(folder: Option<&PathBuf>) -> Waiting {
        let text = folder.and_then(|folder| std::fs::read(folder.join(Self::NAME)).ok());
        let kept: Self =
            text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let time = |seconds: u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        Waiting { changed: kept.changed.and_then(time), shrinking: kept.shrinking.and_then(time) }
    }

    /// Keeps it for the next run.
    pub(super) fn write(folder: &Path, waiting: Waiting) -> std::io::Result<()> {
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
        };
        let kept = Self {
            changed: waiting.changed.map(seconds),
            shrinking: waiting.shrinking.map(seconds),
        };
        files::replace(&folder.join(Self::NAME), &serde_json::to_string(&kept)?)
    }
}
