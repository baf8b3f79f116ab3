//! The integration tests: one binary, because each links the whole tree.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

/// Targets equal what Prometheus discovers: recorded outputs and numbered cases.
mod conformance;
/// What several themes share.
mod support;
/// What targets have beyond Prometheus, and what selectors hide.
mod targets;
