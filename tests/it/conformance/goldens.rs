//! Every recorded output, for every node.
//!
//! A sidecar sees the Pods and the Node of its own node only. Where objects contradict
//! themselves that is not enough, and what it cannot know is named here: anything else fails,
//! and so does a named difference that is gone.

use super::data::{Golden, LabelMap, Set, label_map, node_of};
use nodelocal_sd::targets::Role;
use std::collections::BTreeMap;

/// Recorded and not served, or served and not recorded.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    Missing(String),
    Surplus(String),
}
use Difference::{Missing, Surplus};

#[test]
fn every_node_serves_its_part_of_every_recorded_output() {
    for_every_golden(|set, golden| {
        for node in set.nodes() {
            let targets = set.sidecar(&node).targets_for(&golden.query, golden.profile);
            let recorded = golden
                .targets
                .iter()
                .filter(|labels| node_of(golden.query.role, labels) == Some(&node));
            let served = targets.own.iter().map(label_map);
            assert_eq!(
                difference(recorded.cloned(), served),
                known(set, golden, Some(&node)),
                "{} {} {node}",
                set.name,
                golden.name
            );
        }
    });
}

#[test]
fn served_and_unassigned_are_the_whole_recorded_output() {
    for_every_golden(|set, golden| {
        let discovered = set.discovered(&golden.query, golden.profile);
        assert_eq!(
            difference(golden.targets.iter().cloned(), discovered.into_iter()),
            known(set, golden, None),
            "{} {}",
            set.name,
            golden.name
        );
    });
}

/// The known differences are the labels of the unseen Pod or Node, and nothing else.
#[test]
fn targets_that_refer_to_another_node_lack_only_its_labels() {
    for (set, golden, node, address, lacking) in [
        ("main", "endpointslice-nodemeta", "node-zzz", "10.0.0.1:10250", "__meta_kubernetes_node_"),
        ("extra", "endpointslice", "node-a", "10.1.0.2:80", "__meta_kubernetes_pod_"),
        ("extra", "endpointslice", "node-b", "10.9.9.9:8080", "__meta_kubernetes_pod_"),
    ] {
        let set = Set::load(set);
        let golden = set.golden(&format!("3.16.0/{golden}"));
        let targets = set.sidecar(node).targets_for(&golden.query, golden.profile);
        let served: Vec<LabelMap> = (targets.own.iter())
            .filter(|target| target.address == address)
            .map(label_map)
            .collect();
        let is_it = |labels: &LabelMap| {
            labels["__address__"] == address && node_of(Role::EndpointSlice, labels) == Some(node)
        };
        let mut recorded = golden.targets.into_iter().find(is_it).unwrap();
        recorded.retain(|name, _| !name.starts_with(lacking));
        assert_eq!(served, [recorded], "{address}");
    }
}

pub(super) fn known(set: &Set, golden: &Golden, node: Option<&str>) -> Vec<Difference> {
    let of_set: &[(&str, &str)] = match set.name {
        // nodeName is node-zzz, but the Node reference, and so the metadata, is of node-a.
        "main" if golden.query.attach.node => &[("node-zzz", "10.0.0.1:10250")],
        // nodeName is one node, that of the Pod another.
        "extra" => &[("node-a", "10.1.0.2:80"), ("node-b", "10.9.9.9:8080")],
        _ => &[],
    };
    let mut known = Vec::new();
    for (place, address) in of_set {
        if golden.query.role == Role::EndpointSlice && node.is_none_or(|node| node == *place) {
            known.extend([Missing((*address).into()), Surplus((*address).into())]);
        }
    }
    known.sort();
    known
}

fn for_every_golden(check: impl Fn(&Set, &Golden)) {
    let mut cases = 0;
    for set in Set::NAMES.map(Set::load) {
        for golden in set.goldens() {
            check(&set, &golden);
            cases += 1;
        }
    }
    // Of each set: seven outputs of each older version, sixteen of the newest.
    assert_eq!(cases, 3 * (7 + 7 + 16));
}

/// By address, which is enough to recognise the known ones.
pub(super) fn difference(
    recorded: impl Iterator<Item = LabelMap>,
    served: impl Iterator<Item = LabelMap>,
) -> Vec<Difference> {
    let mut balance: BTreeMap<LabelMap, i32> = BTreeMap::new();
    for labels in recorded {
        *balance.entry(labels).or_default() += 1;
    }
    for labels in served {
        *balance.entry(labels).or_default() -= 1;
    }
    let mut differences = Vec::new();
    for (labels, count) in balance {
        let address = &labels["__address__"];
        for _ in 0..count {
            differences.push(Missing(address.clone()));
        }
        for _ in count..0 {
            differences.push(Surplus(address.clone()));
        }
    }
    differences.sort();
    differences
}
