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

/// A scenario, on a world that is as it was installed, but for the image of the sidecars.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) part: Part,
    pub(crate) run: for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// What a scenario changes, or needs to be as it is. Those of different parts may go on side by side, but beside one of
/// [`Part::All`] nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A namespace of its own.
    Own,
    /// The two deployments.
    Deployments,
    /// Nodes, the API server, or what everybody scrapes.
    All,
}

/// Each under its own name.
macro_rules! scenarios {
    ($($part:ident: $file:ident::$scenario:ident,)*) => {
        &[$(Scenario {
            name: concat!(stringify!($file), "::", stringify!($scenario)),
            part: Part::$part,
            run: |world| Box::pin($file::$scenario(world)),
        }),*]
    };
}

/// They begin in this order: a container that has ended before is not started again at once, which some measure.
pub(crate) const SCENARIOS: &[Scenario] = scenarios![
    Own: helm::installs_upgrades_and_uninstalls,
    Own: migration::there_and_back,
    Deployments: own_node::is_all_that_an_agent_scrapes,
    Deployments: security::holds_in_the_kernel,
    Deployments: security::memory_stays_below_the_limit,
    Deployments: configuration::an_edit_that_takes_most_is_held,
    Deployments: agents::parts_die,
    Deployments: agents::are_upgraded,
    All: applications::roll_out,
    All: configuration::monitors_and_credentials_change,
    All: agents::operator_dies,
    All: nodes::one_is_dead_and_the_kubelet_of_another_is_away,
    All: restarted_node::serves_nothing_of_before,
    All: nodes::one_is_drained_removed_and_added,
    // The last: alerts go on for some minutes of their time. Pods on node-b are new since the upgrade, so that their
    // containers are started again at once when they are killed.
    All: api_server::is_away_for_two_minutes,
];
