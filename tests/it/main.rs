//! The integration tests: one binary, because each links the whole tree.

/// Targets equal what Prometheus discovers: its own cases and recorded outputs.
mod conformance;
/// What several themes share.
mod support;
