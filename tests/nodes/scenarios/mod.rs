//! What happens to users, one file for each kind of event.

mod agents;
mod api_server;
mod applications;
mod configuration;
mod helm;
mod migration;
mod nodes;
mod own_node;
mod restarted_node;
mod security;

use super::world::World;
use std::pin::Pin;

/// A scenario, on a world that is as it was installed.
pub(crate) type Scenario = for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// In this order.
pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("own_node::is_all_that_an_agent_scrapes", |world| {
        Box::pin(own_node::is_all_that_an_agent_scrapes(world))
    }),
    ("security::holds_in_the_kernel", |world| Box::pin(security::holds_in_the_kernel(world))),
    ("security::memory_stays_below_the_limit", |world| {
        Box::pin(security::memory_stays_below_the_limit(world))
    }),
    ("applications::roll_out", |world| Box::pin(applications::roll_out(world))),
    ("configuration::monitors_and_credentials_change", |world| {
        Box::pin(configuration::monitors_and_credentials_change(world))
    }),
    ("configuration::an_edit_that_takes_most_is_held", |world| {
        Box::pin(configuration::an_edit_that_takes_most_is_held(world))
    }),
    ("nodes::one_is_dead_and_the_kubelet_of_another_is_away", |world| {
        Box::pin(nodes::one_is_dead_and_the_kubelet_of_another_is_away(world))
    }),
    ("nodes::one_is_drained_removed_and_added", |world| {
        Box::pin(nodes::one_is_drained_removed_and_added(world))
    }),
    ("restarted_node::serves_nothing_of_before", |world| {
        Box::pin(restarted_node::serves_nothing_of_before(world))
    }),
    ("agents::operator_dies", |world| Box::pin(agents::operator_dies(world))),
    ("agents::parts_die", |world| Box::pin(agents::parts_die(world))),
    ("agents::are_upgraded", |world| Box::pin(agents::are_upgraded(world))),
    ("helm::installs_upgrades_and_uninstalls", |world| {
        Box::pin(helm::installs_upgrades_and_uninstalls(world))
    }),
    ("migration::there_and_back", |world| Box::pin(migration::there_and_back(world))),
    // The last: alerts go on for some minutes of their time.
    ("api_server::is_away_for_two_minutes", |world| {
        Box::pin(api_server::is_away_for_two_minutes(world))
    }),
];
