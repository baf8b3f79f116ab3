//! What a change did to targets.

use super::entry::{Effect, Few};
use crate::index::Snapshot;
use crate::objects::{InNamespace, Pod, Store};
use crate::targets::{Profile, Query, Role, Target, build};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Of so many Pods and slices, in the namespaces that changed, the targets are compared. That takes a few
/// milliseconds; a node has a few hundred Pods, but a complement can have any number.
const MOST_COMPARED: usize = 1000;

/// The roles that are compared: what a Pod gives by itself, and what it gives as an endpoint.
const ROLES: [Role; 2] = [Role::Pod, Role::EndpointSlice];

/// What became of the own targets between two snapshots, without any filter and under the latest profile, for
/// each role that has any that differ; `None` if there is too much to compare.
///
/// Only namespaces whose objects changed are looked at, each by itself: of a reference from one namespace to
/// another nothing is seen. A role that has not synced has no targets.
pub fn difference(before: &Snapshot, after: &Snapshot) -> Option<Vec<Effect>> {
    let mut effects = Vec::new();
    for role in ROLES {
        let (old, new) = match (serves(before, role), serves(after, role)) {
            (_, false) => continue,
            (old, true) => (old.then_some(before), after),
        };
        effects.extend(effect(role, old, new)?);
    }
    effects.retain(|effect| !effect.is_empty());
    Some(effects)
}

/// Whether the role has synced, as far as anybody asks for it.
fn serves(snapshot: &Snapshot, role: Role) -> bool {
    let query = Query::all(role).as_watched(&snapshot.services_watched);
    snapshot.lacks(&query.needs(snapshot.endpoints_from)).is_empty()
}

fn effect(role: Role, old: Option<&Snapshot>, new: &Snapshot) -> Option<Option<Effect>> {
    let nothing = Snapshot { share: new.share.clone(), ..Snapshot::default() };
    if old.is_some_and(|old| old.agents != new.agents) {
        return None; // whose targets they are has changed, of objects that have not
    }
    let old = old.unwrap_or(&nothing);
    let namespaces = match role {
        Role::Pod => old.pods.differing(&new.pods).map(ToString::to_string).collect(),
        _ => changed_namespaces(old, new),
    };
    let watched = Query::all(role).as_watched(&new.services_watched).namespaces;
    let namespaces: BTreeSet<String> = namespaces
        .into_iter()
        .filter(|name| watched.is_empty() || watched.contains(name))
        .collect();
    if namespaces.is_empty() {
        return Some(None);
    }
    let weight = |snapshot: &Snapshot| -> usize {
        let of = |name: &String| {
            let pods = snapshot.pods.namespace(name).map_or(0, |pods| pods.len());
            pods + snapshot.slices.namespace(name).map_or(0, |slices| slices.len())
        };
        namespaces.iter().map(of).sum()
    };
    if weight(old).max(weight(new)) > MOST_COMPARED {
        return None;
    }
    let query = Query { namespaces, ..Query::all(role) };
    let (old, new) = match role {
        // A Pod's own targets follow from the Pod alone.
        Role::Pod => (with_pods_unlike(old, new), with_pods_unlike(new, old)),
        _ => (old.clone(), new.clone()),
    };
    let own = |snapshot: &Snapshot| build(snapshot, &query, Profile::Latest).own;
    Some(Some(compare(role, own(&old), own(&new))))
}

/// The namespaces in which anything that makes an endpoint changed.
fn changed_namespaces(old: &Snapshot, new: &Snapshot) -> BTreeSet<String> {
    let pods = old.pods.differing(&new.pods);
    let services = old.services.differing(&new.services);
    let slices = old.slices.differing(&new.slices);
    let derived = old.derived.differing(&new.derived);
    pods.chain(services).chain(slices).chain(derived).map(ToString::to_string).collect()
}

/// The snapshot with those of its Pods alone that the other one has not.
fn with_pods_unlike(snapshot: &Snapshot, other: &Snapshot) -> Snapshot {
    let none = InNamespace::new();
    let unlike = |name: &Arc<str>| -> Vec<Pod> {
        let theirs = other.pods.namespace(name).map_or(&none, |pods| &**pods);
        let ours = snapshot.pods.namespace(name).map_or(&none, |pods| &**pods);
        let same = |name, pod| theirs.get(name).is_some_and(|other| Arc::ptr_eq(other, pod));
        let unlike = ours.iter().filter(|(name, pod)| !same(*name, *pod));
        unlike.map(|(_, pod)| Pod::clone(pod)).collect()
    };
    let pods: Store<Pod> = snapshot.pods.differing(&other.pods).flat_map(unlike).collect();
    let Snapshot { share, excluded, agents, endpoints_from, nodes, .. } = snapshot.clone();
    Snapshot { share, excluded, agents, endpoints_from, nodes, pods, ..Snapshot::default() }
}

/// What differs between two sorted lists of targets. One address may have several targets, as when two Services
/// have the same Pod.
fn compare(role: Role, old: Vec<Target>, new: Vec<Target>) -> Effect {
    let mut balance: BTreeMap<(String, Vec<_>), i64> = BTreeMap::new();
    for (targets, by) in [(old, -1), (new, 1)] {
        for Target { address, labels, .. } in targets {
            *balance.entry((address, labels.into_iter().collect())).or_default() += by;
        }
    }
    let mut changes: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    for ((address, _), balance) in balance.into_iter().filter(|(_, balance)| *balance != 0) {
        let (came, went) = changes.entry(address).or_default();
        *(if balance > 0 { came } else { went }) = true;
    }
    let such = |wanted: (bool, bool)| -> Few<Box<str>> {
        let such = changes.iter().filter(|(_, change)| **change == wanted);
        such.map(|(address, _)| address.as_str().into()).collect()
    };
    Effect {
        role,
        added: such((true, false)),
        removed: such((false, true)),
        relabelled: such((true, true)),
    }
}
