//! What prometheus-operator's resources mean in DaemonSet mode.
//!
//! Objects as they are written ([`Manifest`]), and what the operator makes of each field of an agent
//! ([`fields`]). All here is pure: who reads files or asks an API server is in [`crate::commands`] and
//! [`crate::kube`].

pub mod fields;
mod manifest;
mod selector;
mod version;

pub use manifest::{Manifest, ManifestError, Source};
pub use selector::selects;
pub use version::{Version, VersionError};
