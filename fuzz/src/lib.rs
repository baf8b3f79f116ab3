//! What the fuzz targets share: how input becomes objects, and what must hold of every answer.
//!
//! A target reports by a panic: here `assert` and `unwrap` are not for the impossible.

mod answers;
mod cluster;
mod objects;
mod owners;

pub use answers::{PROFILES, answers, assert_same_state, check};
pub use cluster::{Cluster, LISTED};
pub use objects::{Object, object};
pub use owners::read_owners;

/// The node whose sidecar is played.
pub const NODE: &str = "node-a";
