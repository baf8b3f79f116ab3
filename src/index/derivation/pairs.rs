//! Pairs: which Pods are endpoints of which Service.

use crate::objects::{Pod, Service, StringMap};
use std::collections::HashMap;

/// Whether the controller writes slices for that Service. One without a selector is left to
/// others; it does not mean all Pods.
pub(super) fn is_handled(service: &Service) -> bool {
    *service.kind != *"ExternalName" && !service.selector.is_empty()
}

/// The Pods of a namespace that can be endpoints, by label. A namespace may have thousands of
/// Services and has, on one node, at most a few hundred Pods; so the Pods are looked up by what each
/// selector asks for, instead of trying every selector on every Pod.
#[derive(Debug, Default)]
pub(super) struct Candidates<'a>(HashMap<(&'a str, &'a str), Vec<&'a Pod>>);

// === impl Candidates ===

impl<'a> Candidates<'a> {
    /// Of these Pods those that have not ended and have an address. Readiness, termination and
    /// `Pending` exclude nothing.
    pub(super) fn among(pods: impl Iterator<Item = &'a Pod>) -> Self {
        let mut by_label: HashMap<_, Vec<_>> = HashMap::new();
        for pod in pods.filter(|pod| has_not_ended(pod) && !pod.ips.is_empty()) {
            for label in pod.meta.labels.iter() {
                by_label.entry(label).or_default().push(pod);
            }
        }
        Self(by_label)
    }

    /// Those that have all labels of the selector; none for an empty one. In the order in which they
    /// were given.
    pub(super) fn selected_by(&self, selector: &StringMap) -> Vec<&'a Pod> {
        let mut rarest: &[&Pod] = &[];
        for (i, pair) in selector.iter().enumerate() {
            let with_pair = self.0.get(&pair).map_or(&[][..], Vec::as_slice);
            if i == 0 || with_pair.len() < rarest.len() {
                rarest = with_pair;
            }
            if rarest.is_empty() {
                break;
            }
        }
        let has_all = |pod: &&Pod| {
            selector.iter().all(|(key, value)| pod.meta.labels.get(key) == Some(value))
        };
        rarest.iter().copied().filter(has_all).collect()
    }
}

/// Whether its containers may run, now or later.
pub(super) fn has_not_ended(pod: &Pod) -> bool {
    !matches!(&*pod.phase, "Failed" | "Succeeded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::pod;

    #[test]
    fn which_services_are_handled() {
        for (kind, selector, expected) in [
            ("ClusterIP", &[("a", "b")][..], true),
            ("NodePort", &[("a", "b")], true),
            ("LoadBalancer", &[("a", "b")], true),
            ("", &[("a", "b")], true),
            ("ExternalName", &[("a", "b")], false),
            ("ClusterIP", &[], false),
        ] {
            let selector = selector.iter().copied().collect();
            let service = Service { kind: kind.into(), selector, ..Service::default() };
            assert_eq!(is_handled(&service), expected, "{kind} {:?}", service.selector);
        }
    }

    #[test]
    fn every_pair_of_the_selector_must_be_a_label() {
        let pods = [
            pod("one").labelled(&[("app", "web"), ("tier", "front"), ("empty", "")]),
            pod("two").labelled(&[("app", "web"), ("tier", "back")]),
            pod("three").labelled(&[("app", "db")]),
        ]
        .map(|builder| builder.0);
        let candidates = Candidates::among(pods.iter());
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: [(Pairs, &[&str]); 8] = [
            (&[("app", "web")], &["one", "two"]),
            (&[("app", "web"), ("tier", "front")], &["one"]),
            (&[("tier", "back"), ("app", "web")], &["two"]),
            (&[("app", "db"), ("tier", "back")], &[]),
            (&[("app", "w")], &[]),
            (&[("empty", "")], &["one"]),
            (&[("other", "")], &[]),
            (&[], &[]),
        ];
        for (selector, expected) in cases {
            let selector: StringMap = selector.iter().copied().collect();
            let names: Vec<&str> =
                candidates.selected_by(&selector).iter().map(|pod| &*pod.meta.key.name).collect();
            assert_eq!(names, expected, "{selector:?}");
        }
    }

    #[test]
    fn which_pods_can_be_endpoints() {
        let selector: StringMap = [("app", "web")].into_iter().collect();
        let is_candidate =
            |pod: &Pod| !Candidates::among([pod].into_iter()).selected_by(&selector).is_empty();
        for (phase, expected) in [
            ("Pending", true),
            ("Running", true),
            ("Unknown", true),
            ("", true),
            ("Failed", false),
            ("Succeeded", false),
        ] {
            let pod = Pod { phase: phase.into(), ..pod("p").0 };
            assert_eq!(is_candidate(&pod), expected, "{phase}");
        }
        assert!(is_candidate(&Pod { deleted: true, ready: None, ..pod("p").0 }));
        assert!(!is_candidate(&Pod { ips: Box::default(), ..pod("p").0 }), "no address yet");
    }
}
