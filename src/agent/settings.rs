//! What is to be followed.

use crate::config::{Options, Waits};
use crate::sd::Compat;
use http::Uri;
use std::path::PathBuf;

/// Where configurations come from, where the rewritten one goes, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The own node.
    pub node: String,
    /// The configuration.
    pub config_in: PathBuf,
    /// More jobs.
    pub jobs_from: Vec<PathBuf>,
    /// The rewritten configuration.
    pub config_out: PathBuf,
    /// Who is told that it has changed.
    pub reload_url: Option<Uri>,
    /// Where it is kept since when a change waits.
    pub state_dir: Option<PathBuf>,
    /// Whose labels the agent gets.
    pub compat: Compat,
    /// How it is rewritten.
    pub options: Options,
    /// How long changes wait.
    pub waits: Waits,
}
