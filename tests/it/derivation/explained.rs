//! An explanation says what the answer says, and always knows why.

use super::random::Cluster;
use super::{Pair, Sidecar};
use fastrand::Rng;
use nodelocal_sd::explain::{Asked, Elsewhere, Known, Outcome, Verdict, explain};
use nodelocal_sd::objects::{ObjectKey, Reach, Resource};
use nodelocal_sd::targets::{Profile, Query, Target, build};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const QUESTIONS: [&str; 14] = [
    "role=pod",
    "role=pod&namespace=one",
    "role=pod&selector.pod.label=app=a&port=http",
    "role=pod&attach=node&selector.node.label=topology.kubernetes.io/zone=z1",
    "role=endpointslice",
    "role=endpointslice&port=p0",
    "role=endpointslice&namespace=two&selector.pod.label=app=a",
    "role=endpointslice&service=team=red&selector.service.label=team",
    "role=endpointslice&selector.endpointslice.label=team=red",
    "role=endpointslice&attach=node&selector.pod.field=status.phase=Running&port=p1&port=p2",
    "role=endpoints",
    "role=endpoints&port=p1&selector.pod.field=status.phase=Running",
    "role=endpoints&selector.endpoints.label=team=blue",
    "role=endpoints&service=team",
];

const PROFILES: [Profile; 4] = [Profile::Latest, Profile::V2_53, Profile::V3_11, Profile::V3_5];

/// What must never be the reason here, where nobody is late: that there is none.
const NO_REASONS: [&str; 2] = ["have not written one", "gives no target of the Pod"];

#[test]
fn is_what_the_answer_is() {
    let mut met = BTreeMap::new();
    for seed in 0..12 {
        let pair = Pair::of(Cluster::random(&mut Rng::with_seed(seed)), 33);
        for (sidecar, derives) in [(&pair.derives, true), (&pair.reads, false)] {
            for asked in QUESTIONS {
                // Endpoints are not read by this pair.
                if derives || !asked.starts_with("role=endpoints&") && asked != "role=endpoints" {
                    compare(sidecar, asked, seed, &mut met);
                }
            }
        }
    }
    // Each way to end was met, or this test would show little.
    assert!(met.len() > 12, "{met:#?}");
}

/// Explains each Pod, and compares with the answer for all of them.
fn compare(sidecar: &Sidecar, asked: &str, seed: u64, met: &mut BTreeMap<String, usize>) {
    let mut snapshot = sidecar.snapshot.clone();
    snapshot.synced = Resource::ALL.into_iter().collect();
    snapshot.services_watched = Arc::new([Reach::Cluster].into());
    let known =
        Known { snapshot: &snapshot, troubles: &BTreeMap::new(), elsewhere: &Elsewhere::default() };
    let profile = PROFILES[usize::try_from(seed).unwrap() % PROFILES.len()];
    for pod in snapshot.pods.iter() {
        let key = &pod.meta.key;
        let text = format!("pod={key}&{asked}");
        let question = Asked::parse(Some(&text), snapshot.endpoints_from).unwrap();
        let asking = question.asking(|_| profile).unwrap();
        let query: Query = asking.questions[0].query.clone();
        let explanation = explain(key, asking, &known);
        let told = explanation.chains.iter().flat_map(|chain| &chain.targets);
        let told: Vec<&str> = told.map(|target| &*target.address).collect();
        let served = build(&snapshot, &query, profile).own;
        let served = served.iter().filter(|target| is_of(target, key));
        let served: Vec<&str> = served.map(|target| &*target.address).collect();
        let context = || format!("seed {seed}, {profile}, {text}: {explanation:#?}");
        assert_eq!(told, served, "{}", context());
        let expected = if served.is_empty() { Verdict::NotTarget } else { Verdict::Target };
        assert_eq!(explanation.verdict, expected, "{}", context());
        let steps: Vec<_> = explanation.chains.iter().flat_map(|chain| &chain.steps).collect();
        if let Some(step) = steps.iter().find(|step| step.outcome != Outcome::Passed) {
            assert!(!NO_REASONS.iter().any(|none| step.why.contains(none)), "{}", context());
            *met.entry(step.what.clone()).or_default() += 1;
        }
    }
}

/// As people would find it in the answer: its labels, or where it points to.
fn is_of(target: &Target, pod: &ObjectKey) -> bool {
    let label = |name: &str| {
        target.labels.get(&*format!("__meta_kubernetes_{name}")).map_or("", |value| value)
    };
    let names = ["pod_name", "endpointslice_address_target_name", "endpoint_address_target_name"];
    let names: BTreeSet<&str> = names.into_iter().map(label).collect();
    label("namespace") == &*pod.namespace && names.contains(&*pod.name)
}
