//! The integration tests: one binary, because each links the whole tree.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

/// Targets equal what Prometheus discovers: recorded outputs and numbered cases.
mod conformance;
/// The embedded API server behaves like a real one.
#[cfg(feature = "simulator")]
mod simulator;
/// What several themes share.
mod support;
/// What targets have beyond Prometheus, and what selectors hide.
mod targets;
