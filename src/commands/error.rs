//! How commands fail.

use std::process::ExitCode;

/// Why a command failed; decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Wrong usage or configuration: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// A failure at run time, or a negative verdict: exit code 1.
    #[error("{0}")]
    Failure(String),
    /// It could not be found out: exit code 3.
    #[error("{0}")]
    Unknown(String),
    /// The answer is printed, and is all that there is to say: its exit code.
    #[error("see what is printed")]
    Answered(u8),
}

// === impl CommandError ===

impl CommandError {
    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failure(_) => ExitCode::FAILURE,
            Self::Unknown(_) => ExitCode::from(3),
            Self::Answered(code) => ExitCode::from(*code),
        }
    }
}
