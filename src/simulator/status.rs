//! `Status` objects: how the API server says no.

use super::kind::Kind;
use serde_json::{Value, json};

/// A failure as the API server words it (`k8s.io/apimachinery/pkg/api/errors`).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Status {
    pub(super) code: u16,
    message: String,
    details: Value,
}

// === impl Status ===

impl Status {
    /// A failure without details.
    pub(super) fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Value::Null }
    }

    /// No object of that name.
    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        Self {
            details: json!({"name": name, "group": kind.group, "kind": kind.plural}),
            ..Self::new(404, format!("{} {name:?} not found", kind.qualified_plural()))
        }
    }

    /// Nothing is served at that path.
    pub(super) fn no_such_path() -> Self {
        Self::new(404, "the server could not find the requested resource")
    }

    /// The version is below what the history holds.
    pub(super) fn expired(version: u64, oldest: u64) -> Self {
        Self::new(410, format!("too old resource version: {version} ({oldest})"))
    }

    /// The page belongs to an expired version.
    pub(super) fn expired_continue() -> Self {
        Self::new(
            410,
            "The provided continue parameter is too old to display a consistent list result. \
             You must start a new list without the continue parameter.",
        )
    }

    /// The version is still to come.
    pub(super) fn version_too_large(version: u64, current: u64) -> Self {
        Self {
            details: json!({
                "causes": [{
                    "reason": "ResourceVersionTooLarge",
                    "message": "Too large resource version",
                }],
                "retryAfterSeconds": 1,
            }),
            ..Self::new(
                504,
                format!("Timeout: Too large resource version: {version}, current: {current}"),
            )
        }
    }

    /// The `reason` that goes with the code.
    fn reason(&self) -> &'static str {
        match self.code {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            405 => "MethodNotAllowed",
            406 => "NotAcceptable",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "",
        }
    }

    /// The object.
    pub(super) fn to_object(&self) -> Value {
        let mut object = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason(),
            "code": self.code,
        });
        if !self.details.is_null() {
            object["details"] = self.details.clone();
        }
        object
    }
}
