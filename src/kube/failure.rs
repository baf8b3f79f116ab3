//! Why a request failed, and what that means for the next one.

use crate::status::Outcome;
use std::time::Duration;

/// A failed request.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The API server, or something before it, answered with another status than 2xx.
    #[error("HTTP {code}: {message}")]
    Status {
        /// The HTTP status, or the code of a `Status` object inside a watch.
        code: u16,
        /// The server's words.
        message: String,
        /// `reason` of the `Status` object; a proxy sends none.
        reason: Option<String>,
        /// `Retry-After`, or `details.retryAfterSeconds`.
        retry_after: Option<Duration>,
        /// Whether the server says that it is older than the version asked for.
        version_too_large: bool,
    },
    /// No connection, or one that broke.
    #[error("{0}")]
    Connection(String),
    /// No headers in time.
    #[error("no answer for {} s", after.as_secs())]
    NoAnswer {
        /// How long was waited.
        after: Duration,
    },
    /// A body that stopped coming, or did not end.
    #[error("no {what} for {} s", after.as_secs())]
    Silence {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// An event or bookmark of an older version than ours.
    #[error("the API server is at an older version than ours: was it restored or replaced?")]
    Older,
    /// An answer that cannot be read.
    #[error("the answer cannot be read: {0}")]
    Garbled(String),
    /// A watch ended long before its time and told nothing.
    #[error("the watch was closed after {} ms", after.as_millis())]
    Closed {
        /// How long it lived.
        after: Duration,
    },
}

impl Failure {
    /// Whether the version is too old, or not one of this server's: only a new list helps.
    pub(super) fn is_expired(&self) -> bool {
        matches!(
            self,
            Self::Older
                | Self::Status { code: 410, .. }
                | Self::Status { version_too_large: true, .. }
        )
    }

    /// Whether somebody has to change rights or install something first.
    pub(super) fn needs_help(&self) -> bool {
        matches!(self, Self::Status { code: 403 | 404, .. })
    }

    /// Whether the server is there and refuses.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { code: 400..500, .. })
    }

    /// Whether somebody else might be answered: refused for who is asking, or by a proxy for how.
    pub(super) fn may_be_of_caller(&self) -> bool {
        matches!(self, Self::Status { code: 400 | 401 | 403, .. })
    }

    /// Whether the API server itself says that the object does not exist; a proxy's 404 says nothing.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Status { code: 404, reason: Some(reason), .. } if reason == "NotFound")
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// For the counters.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Status { code: 401, .. } => Outcome::Unauthorized,
            Self::Status { code: 403, .. } => Outcome::Forbidden,
            Self::Status { code: 404, .. } => Outcome::NotFound,
            Self::Older | Self::Status { code: 410, .. } => Outcome::Gone,
            Self::Status { code: 429, .. } => Outcome::Throttled,
            Self::Status { code: 500.., .. } => Outcome::ServerError,
            Self::Status { .. } => Outcome::Refused,
            Self::Connection(_) | Self::Closed { .. } => Outcome::Connection,
            Self::NoAnswer { .. } | Self::Silence { .. } => Outcome::Timeout,
            Self::Garbled(_) => Outcome::Garbled,
        }
    }
}
