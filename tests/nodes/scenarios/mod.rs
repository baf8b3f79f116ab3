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

/// Each under its own name.
macro_rules! scenarios {
    ($($file:ident::$scenario:ident,)*) => {
        &[$((
            concat!(stringify!($file), "::", stringify!($scenario)),
            |world| Box::pin($file::$scenario(world)),
        )),*]
    };
}

/// In this order.
pub(crate) const SCENARIOS: &[(&str, Scenario)] = scenarios![
    own_node::is_all_that_an_agent_scrapes,
    security::holds_in_the_kernel,
    security::memory_stays_below_the_limit,
    applications::roll_out,
    configuration::monitors_and_credentials_change,
    configuration::an_edit_that_takes_most_is_held,
    nodes::one_is_dead_and_the_kubelet_of_another_is_away,
    nodes::one_is_drained_removed_and_added,
    restarted_node::serves_nothing_of_before,
    agents::operator_dies,
    agents::parts_die,
    agents::are_upgraded,
    helm::installs_upgrades_and_uninstalls,
    migration::there_and_back,
    // The last: alerts go on for some minutes of their time.
    api_server::is_away_for_two_minutes,
];
