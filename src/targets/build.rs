//! From a snapshot and a query to targets.

use super::locality::Place;
use super::profile::Profile;
use super::query::{Query, Role};
use super::target::{Target, Targets, Unassigned};
use super::view::View;
use super::{role_endpointslice, role_node, role_pod};
use crate::index::Snapshot;

/// The targets of that query, as a Prometheus of that profile would discover them if it started
/// now, cut down to the snapshot's node. The profile is the caller's to choose: `query.compat`
/// is not looked at.
pub fn build(snapshot: &Snapshot, query: &Query, profile: Profile) -> Targets {
    let view = View {
        snapshot,
        query,
        profile,
    };
    let mut output = Output {
        node: &snapshot.node,
        targets: Targets::default(),
    };
    match query.role {
        Role::Pod => role_pod::build(&view, &mut output),
        Role::EndpointSlice => role_endpointslice::build(&view, &mut output),
        Role::Node => role_node::build(&view, &mut output),
    }
    output.sorted()
}

/// Takes the targets of all places and keeps those of one node and of none.
#[derive(Debug)]
pub(super) struct Output<'a> {
    node: &'a str,
    targets: Targets,
}

// === impl Output ===

impl Output<'_> {
    /// Whether a target of that place would be kept: if not, its labels need not be built.
    pub(super) fn wants(&self, place: Place<'_>) -> bool {
        match place {
            Place::Node(name) => name == self.node,
            Place::Unassigned(_) => true,
        }
    }

    /// Keeps the target if it belongs here or nowhere.
    pub(super) fn add(&mut self, place: Place<'_>, target: Target) {
        match place {
            Place::Node(name) if name == self.node => self.targets.own.push(target),
            Place::Node(_) => {}
            Place::Unassigned(reason) => {
                self.targets.unassigned.push(Unassigned { target, reason });
            }
        }
    }

    fn sorted(mut self) -> Targets {
        self.targets.own.sort_unstable();
        self.targets.unassigned.sort_unstable();
        self.targets
    }
}
