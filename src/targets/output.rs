//! Where the roles put their targets.

use super::locality::Place;
use super::target::{Target, Targets, Unassigned};

/// Takes the targets of all places and keeps those of one node and of none.
#[derive(Debug)]
pub(super) struct Output<'a> {
    node: &'a str,
    targets: Targets,
}

// === impl Output ===

impl<'a> Output<'a> {
    /// Nothing yet.
    pub(super) fn of_node(node: &'a str) -> Self {
        Self { node, targets: Targets::default() }
    }

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

    /// All that was kept, in the order of the answer.
    pub(super) fn sorted(mut self) -> Targets {
        self.targets.own.sort_unstable();
        self.targets.unassigned.sort_unstable();
        self.targets
    }
}
