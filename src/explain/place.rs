//! Whose the Pod's targets are.

use super::chain::{Ended, Narrowing, Reason};
use crate::targets::{self, Unassigned};

/// Ends the chain if what was found belongs elsewhere.
pub(super) fn check(chain: &mut Narrowing<'_>, what: &str) -> Result<(), Ended> {
    if !chain.found.own.is_empty() {
        return Ok(());
    }
    match elsewhere(chain) {
        Some(reason) => chain.fail(what, reason),
        None => Ok(()),
    }
}

/// Who has the Pod's targets, if they are not here.
pub(super) fn elsewhere(chain: &Narrowing<'_>) -> Option<Reason> {
    let share = &chain.known.snapshot.share;
    if let Some(unassigned) = chain.found.unassigned.first() {
        return Some(unassigned_reason(unassigned));
    }
    let node = &chain.pod.node_name;
    (share.is_complement() && chain.known.snapshot.agents.are_on(node)).then(|| {
        let hint = format!("explain it at the sidecar of node {node}");
        Reason::hinted(format!("node {node} has an agent, and so its sidecar serves it"), hint)
    })
}

fn unassigned_reason(Unassigned { target, reason }: &Unassigned) -> Reason {
    let object = super::found::object_of(target);
    let address = &target.address;
    let why = match reason {
        targets::Reason::NoNode => {
            format!("{object} has {address}, but names no node, so no node serves it")
        }
        targets::Reason::PodNotHere => format!(
            "{object} has {address} and names no node, and the Pod that it refers to is not seen here, so no node serves it"
        ),
        targets::Reason::NotSeen => format!("{object} is read by no node's sidecar"),
        targets::Reason::Excluded => "--exclude leaves its targets to the complement".to_owned(),
    };
    Reason::hinted(why, "the complement has it: explain it there (run --complement)")
}
