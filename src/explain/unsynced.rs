//! What is not known, and why.

use super::explanation::{Outcome, Step};
use super::known::Known;
use crate::objects::Resource;

/// How the board's messages name what RBAC lacks (`kube::reflector`).
const MISSING_RULE: &str = "; missing RBAC rule";

/// The step that ends where these resources have not synced.
pub(super) fn step(what: &str, lacking: &[Resource], known: &Known<'_>) -> Step {
    let (mut whys, mut hints) = (Vec::new(), Vec::new());
    for resource in lacking {
        match known.troubles.get(resource).map(|trouble| &*trouble.message) {
            None => {
                whys.push(format!("{resource}: the first list is still under way"));
                hints.push("ask again in a few seconds".to_owned());
            }
            Some(trouble) => match trouble.split_once(MISSING_RULE) {
                Some((why, rule)) => {
                    whys.push(format!("{resource}: {why}"));
                    hints.push(format!(
                        "grant the sidecar's account the missing RBAC rule{rule}, in a ClusterRole for the whole cluster"
                    ));
                }
                None => {
                    whys.push(format!("{resource}: {trouble}"));
                    hints.push("/debug/watches says how the watches are doing".to_owned());
                }
            },
        }
    }
    hints.dedup();
    Step {
        what: what.to_owned(),
        outcome: Outcome::Unknown,
        why: format!("not synced yet: {}", whys.join("; ")),
        hint: Some(hints.join("; ")),
    }
}
