//! The real prometheus-operator, and what becomes of its output.

mod broken;
mod charts;
mod corpus;
mod deployments;
mod install;
mod live_check;
mod migration;
mod plan;
mod pod;
mod policies;
mod refused;
mod relabelled;
mod rendering;
mod roles;
mod schema_values;
mod verdicts;

pub(crate) use deployments::manifests_scrape_their_node;
pub(crate) use live_check::check_judges_what_is_applied;
pub(crate) use migration::migration_leaves_no_gap;
pub(crate) use policies::policies_refuse_and_warn;
pub(crate) use refused::what_prometheus_refuses_is_left_out;
pub(crate) use rendering::renders_what_nodes_can_use;
pub(crate) use verdicts::{
    ignored_is_what_the_operator_ignores, refused_is_what_the_api_server_refuses,
};
