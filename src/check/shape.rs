//! Objects that the API server refuses whatever their fields mean: the CRDs have `spec` as a mapping that must be
//! there, and `mode` as one of two words.

use super::finding::{Finding, Verdict};
use super::set::MONITORING;
use crate::operator::Manifest;

/// What is judged beside agents.
const OTHERS: [&str; 6] =
    ["Prometheus", "ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig", "PrometheusRule"];
/// The values of `spec.mode`.
const MODES: [&str; 2] = ["StatefulSet", "DaemonSet"];

/// The objects that an API server takes, and what is said of the others: these are in no cluster, so that nothing else
/// is judged of them, or by them.
pub(super) fn whole(objects: Vec<&Manifest>) -> (Vec<&Manifest>, Vec<Finding>) {
    let (mut whole, mut refused) = (Vec::new(), Vec::new());
    for object in objects {
        match wrong(object) {
            None => whole.push(object),
            Some((field, why)) => refused.push(
                Finding::of(Verdict::Refused, object, field)
                    .because(why)
                    .instead("correct it; nothing else of this object is judged"),
            ),
        }
    }
    (whole, refused)
}

/// What is wrong, and why.
fn wrong(object: &Manifest) -> Option<(&'static str, String)> {
    let is_agent = object.is(MONITORING, "PrometheusAgent");
    if !is_agent && !OTHERS.iter().any(|kind| object.is(MONITORING, kind)) {
        return None;
    }
    let Some(spec) = object.field(&["spec"]) else {
        return Some(("spec", "the CRD refuses an object without it".to_owned()));
    };
    if spec.entries().is_none() {
        return Some(("spec", "the CRD refuses it: it must be a mapping".to_owned()));
    }
    let mode = object.field(&["spec", "mode"]).filter(|_| is_agent)?;
    (!mode.text().is_some_and(|mode| MODES.contains(&mode))).then(|| {
        let said = mode.text().map_or("it".to_owned(), |mode| format!("{mode:?}"));
        ("spec.mode", format!("the CRD refuses {said}: it must be {}", MODES.join(" or ")))
    })
}
