//! Where the roles put their targets.

use super::locality::Place;
use super::target::{Target, Targets, Unassigned};
use crate::index::{Agents, Share, Snapshot};

/// Takes the targets of all places and keeps those of one share, and, on a node, those of none.
#[derive(Debug)]
pub(super) struct Output<'a> {
    share: &'a Share,
    agents: &'a Agents,
    targets: Targets,
}

// === impl Output ===

impl<'a> Output<'a> {
    /// Nothing yet.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let Snapshot { share, agents, .. } = snapshot;
        Self { share, agents, targets: Targets::default() }
    }

    /// Whether a target of that place would be kept: if not, its labels need not be built.
    pub(super) fn wants(&self, place: Place<'_>) -> bool {
        match place {
            Place::Node(node) => self.serves(node),
            Place::Unassigned(_) => true,
        }
    }

    /// Keeps the target if it belongs here or nowhere.
    pub(super) fn add(&mut self, place: Place<'_>, target: Target) {
        match place {
            Place::Node(node) if self.serves(node) => self.targets.own.push(target),
            Place::Node(_) => {}
            Place::Unassigned(_) if self.share.is_complement() => self.targets.own.push(target),
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

    fn serves(&self, node: &str) -> bool {
        match self.share {
            Share::Node(own) => **own == *node,
            Share::Complement(_) => !self.agents.are_on(node),
        }
    }
}
