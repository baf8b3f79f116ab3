//! What an endpoint says of its Pod.

use crate::objects::{Conditions, Endpoint, Node, Pod, Service, TargetRef};

/// Where the zone is taken from; the older, beta label never is.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The endpoint of that Pod for that Service, at these addresses. `node` is the Pod's, as far as
/// it is known.
pub(super) fn endpoint_of(
    service: &Service,
    pod: &Pod,
    node: Option<&Node>,
    addresses: Box<[Box<str>]>,
) -> Endpoint {
    let serving = pod.ready.as_deref() == Some("True");
    let zone = node.and_then(|node| node.meta.labels.get(ZONE)).filter(|zone| !zone.is_empty());
    Endpoint {
        addresses,
        conditions: Conditions {
            ready: Some(service.publish_not_ready || serving && !pod.deleted),
            serving: Some(serving),
            terminating: Some(pod.deleted),
        },
        hostname: has_hostname_in(service, pod).then(|| pod.hostname.clone()),
        node_name: Some(pod.node_name.clone()).filter(|name| !name.is_empty()),
        zone: zone.map(Into::into),
        target_ref: Some(TargetRef {
            kind: "Pod".into(),
            namespace: (*pod.meta.key.namespace).into(),
            name: (*pod.meta.key.name).into(),
        }),
        ..Endpoint::default()
    }
}

/// Whether the Pod has a DNS name of its own below that of the Service.
pub(super) fn has_hostname_in(service: &Service, pod: &Pod) -> bool {
    !pod.hostname.is_empty() && *pod.subdomain == *service.meta.key.name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::{pod, service};
    use crate::objects::{Metadata, ObjectKey};

    fn derived(service: &Service, pod: &Pod) -> Endpoint {
        endpoint_of(service, pod, None, ["10.0.0.1".into()].into())
    }

    #[test]
    fn whole() {
        let expected = Endpoint {
            addresses: ["10.0.0.1".into()].into(),
            conditions: Conditions {
                ready: Some(false),
                serving: Some(false),
                terminating: Some(false),
            },
            node_name: Some("a".into()),
            target_ref: Some(TargetRef {
                kind: "Pod".into(),
                namespace: "n".into(),
                name: "p".into(),
            }),
            ..Endpoint::default()
        };
        assert_eq!(derived(&service("web").0, &pod("p").0), expected);
    }

    #[test]
    fn conditions() {
        for (publish_not_ready, condition, deleted, (ready, serving)) in [
            (false, Some("True"), false, (true, true)),
            (false, Some("False"), false, (false, false)),
            (false, Some("Unknown"), false, (false, false)),
            (false, None, false, (false, false)),
            (false, Some("True"), true, (false, true)),
            (false, None, true, (false, false)),
            (true, Some("True"), false, (true, true)),
            (true, None, false, (true, false)),
            (true, Some("True"), true, (true, true)),
            (true, None, true, (true, false)),
        ] {
            let service = Service { publish_not_ready, ..service("web").0 };
            let pod = Pod { ready: condition.map(Into::into), deleted, ..pod("p").0 };
            assert_eq!(
                derived(&service, &pod).conditions,
                Conditions {
                    ready: Some(ready),
                    serving: Some(serving),
                    terminating: Some(deleted)
                },
                "{publish_not_ready} {condition:?} {deleted}"
            );
        }
    }

    #[test]
    fn hostname_needs_the_subdomain_of_the_service() {
        for (hostname, subdomain, expected) in [
            ("web-0", "web", Some("web-0")),
            ("web-0", "other", None),
            ("web-0", "", None),
            ("", "web", None),
        ] {
            let pod = Pod { hostname: hostname.into(), subdomain: subdomain.into(), ..pod("p").0 };
            let hostname = derived(&service("web").0, &pod).hostname;
            assert_eq!(hostname.as_deref(), expected, "{:?} {subdomain}", pod.hostname);
        }
    }

    #[test]
    fn zone_of_the_node() {
        for (labels, expected) in [
            (&[(ZONE, "z1")][..], Some("z1")),
            (&[(ZONE, "")], None),
            (&[("failure-domain.beta.kubernetes.io/zone", "z1")], None),
            (&[], None),
        ] {
            let meta = Metadata {
                key: ObjectKey::new("", "a"),
                labels: labels.iter().copied().collect(),
                ..Metadata::default()
            };
            let node = Node { meta, ..Node::default() };
            let zone = endpoint_of(&service("s").0, &pod("p").0, Some(&node), Box::default()).zone;
            assert_eq!(zone.as_deref(), expected, "{labels:?}");
        }
    }
}
