//! The integration tests: one binary, because each links the whole tree.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

/// Health checks and metrics.
mod admin;
/// One object that cannot be read does not harm the others.
mod bad_objects;
/// The published budget of requests.
mod budget;
/// The Helm chart: what it renders and refuses.
mod chart;
/// `check`: what is said of manifests.
mod check;
/// The built binary: what it prints, and how it ends.
mod commands;
/// What the complement of the nodes serves.
mod complement;
/// Targets equal what Prometheus discovers: recorded outputs and numbered cases.
mod conformance;
/// What a listener puts up with.
mod connections;
/// Derived endpoints equal those that the controllers write.
mod derivation;
/// What the documentation says is so.
mod docs;
/// Why a Pod is, or is not, a target: each reason, at each door.
mod explain;
/// Faults of the API server cost no target and no flood of requests.
mod faults;
/// The same targets as files.
mod file_sd;
/// Slices that cannot be derived, and where they are watched.
mod foreign_slices;
/// What is remembered of changes.
mod history;
/// The http_sd contract, rule by rule.
mod http_sd;
/// As whom Pods and the own Node are read.
mod impersonation;
/// Thousands of clients at once.
mod load;
/// Who is held until its answer changes, and how that ends.
mod long_poll;
/// What `migrate` makes of an agent: each field, the manifests, and the steps.
mod migrate;
/// Alerts and dashboard ask for what there is.
mod monitoring;
/// The debug pages, and what browsers are told of them.
mod pages;
/// A real Prometheus discovers the same through us as by itself.
mod prometheus;
/// A real Prometheus has the same final targets with a rewritten configuration.
mod prometheus_rewritten;
/// What outlives a restart, and what must not.
mod restarts;
/// What becomes of each job of a configuration.
mod rewriting;
/// Where Services are watched.
mod service_watches;
/// The embedded API server behaves like a real one.
#[cfg(feature = "simulator")]
mod simulator;
/// What several themes share.
mod support;
/// What targets have beyond Prometheus, and what selectors hide.
mod targets;
/// Who waits for what before an answer, and how long.
mod waiting;
/// What the loops ask of the API server, and when.
mod watches;
