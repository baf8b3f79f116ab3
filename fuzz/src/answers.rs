//! What holds of every answer, whatever the objects are.

use nodelocal_sd::index::Snapshot;
use nodelocal_sd::sd::render;
use nodelocal_sd::targets::{Attach, Profile, Query, Role, Targets, build};
use serde::Deserialize;
use std::collections::BTreeMap;

/// All of them.
pub const PROFILES: [Profile; 4] = [Profile::V2_53, Profile::V3_5, Profile::V3_11, Profile::Latest];

/// As strict as Prometheus, which refuses a whole answer for one other key or type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    targets: [String; 1],
    labels: BTreeMap<String, String>,
}

/// The answers of each role, with nothing and with everything attached. All are checked.
pub fn answers(snapshot: &Snapshot, profile: Profile) -> Vec<Vec<u8>> {
    let everything =
        Attach { node: true, namespace: true, deployment: true, job: true, cronjob: true };
    let mut answers = Vec::new();
    for role in Role::ALL {
        for attach in [Attach::default(), everything] {
            let query = Query { attach, ..Query::all(role) };
            answers.push(check(snapshot, &build(snapshot, &query, profile)));
        }
    }
    answers
}

/// Renders targets and checks the answer: JSON that Prometheus takes, in its order, and no target of
/// another node.
pub fn check(snapshot: &Snapshot, targets: &Targets) -> Vec<u8> {
    let body = render(&targets.own);
    let groups: Vec<Group> = serde_json::from_slice(&body).expect("the answer is target groups");
    assert_eq!(groups.len(), targets.own.len());
    assert!(
        groups.is_sorted_by(|a, b| (&a.targets, &a.labels) <= (&b.targets, &b.labels)),
        "not in order"
    );
    for (name, value) in groups.iter().flat_map(|group| &group.labels) {
        assert!(!value.is_empty(), "{name} is empty");
        assert!(is_label_name(name), "{name:?} is no label name");
        // The three places in which a target says where it runs.
        if let "__meta_kubernetes_pod_node_name"
        | "__meta_kubernetes_endpointslice_endpoint_node_name"
        | "__meta_kubernetes_node_name" = &**name
        {
            assert_eq!(
                Some(&**value),
                snapshot.share.node().map(|node| &**node),
                "{name}: a target of another node"
            );
        }
    }
    body.to_vec()
}

/// Asserts that two snapshots hold the same objects. Their versions may differ.
pub fn assert_same_state(one: &Snapshot, other: &Snapshot) {
    assert!(one.synced == other.synced, "synced: {:?}, {:?}", one.synced, other.synced);
    assert!(one.pods.iter().eq(other.pods.iter()), "{:?}\n{:?}", one.pods, other.pods);
    assert!(one.nodes.iter().eq(other.nodes.iter()), "{:?}\n{:?}", one.nodes, other.nodes);
    assert!(
        one.services.iter().eq(other.services.iter()),
        "{:?}\n{:?}",
        one.services,
        other.services
    );
    assert!(one.slices.iter().eq(other.slices.iter()), "{:?}\n{:?}", one.slices, other.slices);
    assert!(
        one.namespaces.iter().eq(other.namespaces.iter()),
        "{:?}\n{:?}",
        one.namespaces,
        other.namespaces
    );
    assert_eq!(one.owners, other.owners);
}

/// What every version of Prometheus takes; before 3.0 names could not be arbitrary.
fn is_label_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
