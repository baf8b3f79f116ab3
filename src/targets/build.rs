//! From a snapshot and a query to targets.

use super::output::Output;
use super::profile::Profile;
use super::query::{Query, Role};
use super::target::Targets;
use super::view::View;
use super::{role_endpoints, role_endpointslice, role_node, role_pod};
use crate::index::Snapshot;

/// The targets of that query, as a Prometheus of that profile would discover them if it started
/// now, cut down to the snapshot's share. The profile is the caller's to choose: `query.compat`
/// is not looked at.
pub fn build(snapshot: &Snapshot, query: &Query, profile: Profile) -> Targets {
    let view = View { snapshot, query, profile };
    let mut output = Output::of(snapshot);
    match query.role {
        Role::Pod => role_pod::build(&view, &mut output),
        Role::EndpointSlice => role_endpointslice::build(&view, &mut output),
        Role::Endpoints => role_endpoints::build(&view, &mut output),
        Role::Node => role_node::build(&view, &mut output),
    }
    output.sorted()
}
