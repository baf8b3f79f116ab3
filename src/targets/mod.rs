//! Targets: a pure function of a snapshot and a query.
//!
//! The rules are those of Prometheus' `discovery/kubernetes`; where a file mirrors one of its
//! files or a version, it says so.

mod build;
mod profile;
mod query;
mod target;

pub use build::build;
pub use profile::Profile;
pub use query::{Attach, Query, Role, Selector, Selectors};
pub use target::{Labels, ObjectRef, Reason, Target, Targets, Unassigned};
