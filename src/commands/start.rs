//! From what was typed to what is done.

use super::{check, error::CommandError, explain, logging, migrate, rewrite, run, targets};
#[cfg(feature = "simulator")]
use super::{demo, simulate};
use crate::cli::{Cli, Command};

/// Runs the command to its end.
///
/// # Errors
/// As the command fails.
pub fn execute(cli: Cli) -> Result<(), CommandError> {
    let level = match cli.command {
        #[cfg(feature = "simulator")]
        Command::Demo(_) => "warn", // or log lines would run into the table
        _ => "info",
    };
    logging::start(&cli.log, level)?;
    // One thread: the work is small, and memory is what counts beside an agent.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Failure(format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(&args).await,
            #[cfg(feature = "simulator")]
            Command::Demo(args) => demo::demo(args).await,
            #[cfg(feature = "simulator")]
            Command::Simulate(args) => simulate::simulate(args).await,
            Command::Targets(args) => targets::targets(args).await,
            Command::Explain(args) => explain::explain(args).await,
            Command::Rewrite(args) => rewrite::rewrite(&args),
            Command::Migrate(args) => migrate::migrate(&args).await,
            Command::Check(args) => check::check(&args).await,
        }
    });
    runtime.shutdown_background(); // a blocked name look-up must not hold up the end
    result
}

/// What clap says about wrong usage, as one line.
pub fn usage_error(error: &clap::Error) -> String {
    let text = error.to_string();
    let first_paragraph = text.split("\n\n").next().unwrap_or_default();
    let line: Vec<&str> = first_paragraph.split_whitespace().collect();
    format!("{} (see --help)", line.join(" "))
}
