//! From a PrometheusAgent in StatefulSet mode, or a Prometheus, to agents on the nodes.
//!
//! ```text
//! Old ──fields──▶ shadow      what the operator renders for nodes and complement
//!      │         ├─ pods ──▶ daemonset, complement
//!      │         └─ rights   account, roles, what is allowed and scraped
//!      └──────────▶ steps    the way there, the way back
//! ```
//!
//! What is deployed is what `manifests/` has: its files are the templates, edited for one old agent. Each
//! field of the old one is carried, or a [`Note`] says what became of it and why. All here is pure: who reads files or asks
//! an API server is in [`crate::commands`] and [`crate::kube`].

mod affinity;
mod always;
mod arguments;
mod complement;
mod containers;
mod daemonset;
mod edit;
mod fields;
mod file;
mod image;
mod names;
mod notes;
mod old;
mod own_metrics;
mod plan;
mod pods;
mod rights;
mod settings;
mod shadow;
mod steps;
mod text;

pub use fields::{FIELDS, Fate};
pub use file::File;
pub use notes::{Note, Weight};
pub use old::{Kind, Old, OldError};
pub use plan::Plan;
pub use settings::Settings;
pub use steps::{Step, Twice};
