//! The command `nodelocal-sd`: parses, runs, and turns the result into an exit code.

use clap::Parser;
use nodelocal_sd::cli::Cli;
use nodelocal_sd::commands::{self, CommandError};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => error.exit(), // --help and --version
        Err(error) => {
            commands::remark(&commands::usage_error(&error));
            return ExitCode::from(2);
        }
    };
    match commands::execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CommandError::Answered(_)) {
                commands::remark(&format!("error: {error}"));
            }
            error.exit_code()
        }
    }
}
