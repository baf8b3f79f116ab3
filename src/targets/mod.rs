//! Targets: a pure function of a snapshot and a query.
//!
//! The rules are those of Prometheus' `discovery/kubernetes`; where a file mirrors one of its
//! files or a version, it says so. The result is what a Prometheus that started now, with all
//! its caches filled, would discover: a running one lags behind where its event handlers are
//! incomplete, and that is not reproduced.
//!
//! A query sees objects through a `View`; a role drafts labels and hands each target, with its
//! place, to the output, which keeps those of this node and of no node.

mod attach;
mod build;
mod container_ports;
mod draft;
mod fields;
mod locality;
mod output;
mod pod_labels;
mod profile;
mod query;
mod resolved_pod;
mod role_endpoints;
mod role_endpointslice;
mod role_node;
mod role_pod;
mod target;
mod unmet;
mod view;

pub use build::build;
pub use fields::{Field, Selectable, unknown_field};
pub use profile::{Profile, UnknownProfile};
pub use query::{Attach, Query, Role, Selector, Selectors};
pub use target::{Labels, ObjectRef, Reason, Target, Targets, Unassigned};
