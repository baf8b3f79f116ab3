//! Whether agents, monitors and rules do in DaemonSet mode what they are meant to do.
//!
//! ```text
//! manifests ──▶ shape: what no API server takes
//!           ──▶ Set: who is on the nodes, who is whose shadow ──▶ findings ──▶ report
//!                 │
//!                 ├─ spec        each field of an agent
//!                 ├─ mounts      volumes that are not there, a data directory that cannot be written
//!                 ├─ series      labels that change with the Pod
//!                 ├─ shadow      its name, and what it and its agent must agree on
//!                 ├─ rights      of the sidecar and of the operator (gates)
//!                 ├─ overlap     two agents for one monitor
//!                 ├─ parts       what nodes and complement must agree on
//!                 ├─ monitors    taken, for the complement, or refused by Prometheus (breaking)
//!                 ├─ per_node    what of a monitor is of one node now
//!                 └─ alerts      rules that a node takes along when it dies (up)
//! ```
//!
//! # What is not there
//!
//! Manifests are mostly a part of what a cluster has, so what is missing proves nothing: no right is missing
//! while no binding is seen, no monitor is left out while no agent is seen, and two agents overlap only where
//! their selectors say so. Such a gap is said ([`Verdict::Note`]) and is no failure. Where the API server was
//! asked for everything ([`Settings::complete`]), what is not there does not exist. What could not be found
//! out although it was asked for (a file that cannot be read, a kind that cannot be listed, a field or a version
//! newer than the table of fields) is [`Verdict::Unknown`].
//!
//! An agent in StatefulSet mode gets its fields judged as if it were in DaemonSet mode, where nothing else in the
//! set is on the nodes: then the question is whether it can go there, and the answer is a [`Verdict::Note`], because
//! nothing is wrong with it as it is. With replicas 0 it is a shadow, and with agents
//! on the nodes beside it it is there for what they leave.
//!
//! All here is pure.

mod alerts;
mod breaking;
mod finding;
mod gates;
mod monitors;
mod mounts;
mod overlap;
mod parts;
mod per_node;
mod report;
mod rights;
mod selection;
mod series;
mod set;
mod shadow;
mod shape;
mod spec;
mod unrendered;
mod up;

pub use finding::{Finding, Severity, Verdict};
pub use report::{json, table};

use crate::operator::{Manifest, Source, Version};
use set::Set;
use std::collections::BTreeMap;

/// How is judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// The version of the operator and its CRDs; that of a CRD among the manifests if none is given, or the
    /// newest that is known.
    pub operator: Option<Version>,
    /// Whether the manifests are all that the cluster has.
    pub complete: bool,
}

/// Judges all of it, in the order of the manifests; and by which version of the operator.
pub fn check(manifests: &[Manifest], settings: &Settings) -> (Version, Vec<Finding>) {
    let (once, twice) = once(manifests);
    let (whole, refused) = shape::whole(once);
    let set = Set::of(whole, settings.complete);
    let (operator, mut findings) = spec::version(&set, settings.operator);
    findings.extend(twice);
    findings.extend(refused);
    spec::judge(&set, operator, &mut findings);
    for judge in [
        mounts::judge,
        series::judge,
        shadow::judge,
        rights::judge,
        overlap::judge,
        parts::judge,
        monitors::judge,
        per_node::judge,
        alerts::judge,
        unrendered::judge,
    ] {
        judge(&set, &mut findings);
    }
    let places: BTreeMap<(&Source, String), usize> =
        manifests.iter().enumerate().map(|(n, m)| ((&m.source, m.to_string()), n)).collect();
    let place = |finding: &Finding| places.get(&(&finding.source, finding.object.clone())).copied();
    findings.sort_by_key(place); // stable: fields stay in their order
    (operator, findings)
}

/// The objects, each once, and what is said of those that come again.
fn once(manifests: &[Manifest]) -> (Vec<&Manifest>, Vec<Finding>) {
    let mut known: BTreeMap<[&str; 4], &Manifest> = BTreeMap::new();
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    for object in manifests {
        // Without a name it is no object of a cluster, such as a Kustomization.
        match known.get(&object.identity()) {
            Some(first) if !object.name.is_empty() => twice.push(Finding::twice(object, first)),
            _ => {
                known.insert(object.identity(), object);
                once.push(object);
            }
        }
    }
    (once, twice)
}
