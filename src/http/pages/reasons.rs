//! Why no node serves a target, in words.

use super::html::Html;
use super::parts::{Tone, badge};
use crate::targets::Reason;
use std::collections::BTreeSet;

/// In a word or two.
pub(super) fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::NoNode => "of no node",
        Reason::PodNotHere => "Pod not here",
        Reason::NotSeen => "not seen",
        Reason::Excluded => "excluded",
    }
}

/// What it means, and who serves it.
fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::NoNode => {
            "It names no node, and refers neither to a Node nor to a Pod. The complement serves it."
        }
        Reason::PodNotHere => {
            "It names no node, and its Pod is not on this one. If the Pod is on another node, that node's sidecar \
             serves it; if there is none, the complement does."
        }
        Reason::NotSeen => {
            "It is in an object that no node's sidecar reads or derives. The complement serves it."
        }
        Reason::Excluded => {
            "Its Pod is one that the nodes leave to the complement (--exclude), which serves it."
        }
    }
}

/// Explains those reasons.
pub(super) fn explained(html: &mut Html, reasons: &BTreeSet<Reason>) {
    html.element("dl", &[("class", "facts"), ("id", "reasons"), ("data-live", "")], |list| {
        for reason in reasons {
            list.element("div", &[("data-key", reason.name())], |pair| {
                pair.element("dt", &[], |dt| badge(dt, Tone::Warning, words(*reason)));
                pair.leaf("dd", &[], sentence(*reason));
            });
        }
    });
}
