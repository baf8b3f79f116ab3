//! Logs: to standard error, so that standard output is the command's result.

use super::error::CommandError;
use crate::cli::{LogArgs, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging, at that level where the arguments name none.
///
/// # Errors
/// If the filter is malformed.
pub(super) fn start(args: &LogArgs, default: &str) -> Result<(), CommandError> {
    let level = args.log_level.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(level)
        .map_err(|error| CommandError::Usage(format!("--log-level {level:?}: {error}")))?;
    // kube logs bodies of answers it cannot read, and with them the environment of Pods.
    let quiet = "kube_client=off".parse().expect("a valid directive");
    let logger = tracing_subscriber::fmt()
        .with_env_filter(filter.add_directive(quiet))
        .with_writer(std::io::stderr)
        // It would say on standard error that standard error cannot be written, and panic.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    match args.log_format {
        LogFormat::Text => logger.with_target(false).init(),
        LogFormat::Json => logger.json().init(),
    }
    Ok(())
}
