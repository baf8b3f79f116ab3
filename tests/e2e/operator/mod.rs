//! The real prometheus-operator, and what becomes of its output.

mod broken;
mod corpus;
mod deployments;
mod install;
mod pod;
mod policies;
mod refused;
mod relabelled;
mod rendering;

pub(crate) use deployments::manifests_scrape_their_node;
pub(crate) use policies::policies_refuse_and_warn;
pub(crate) use refused::what_prometheus_refuses_is_left_out;
pub(crate) use rendering::renders_what_nodes_can_use;
