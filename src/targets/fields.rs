//! The fields that field selectors may name, per kind.
//!
//! The API server answers 400 to a field that the kind does not have; so do we. The names and
//! values are those of Kubernetes 1.33 and later: `pkg/apis/core/v1/conversion.go` (which names
//! are known) and `ToSelectableFields`, `SelectableFields` and `NodeToSelectableFields` in
//! `pkg/registry/core/{pod,service,node}/strategy.go` (their values).

use crate::objects::{EndpointSlice, Endpoints, Metadata, Node, Pod, Service};
use crate::selector::FieldSelector;

/// A field: its name in selectors and how to read it. A missing one reads as empty.
pub type Field<T> = (&'static str, fn(&T) -> &str);

/// A kind that selectors can be applied to.
pub trait Selectable: Sized + 'static {
    /// All fields that a selector may name.
    const FIELDS: &'static [Field<Self>];

    /// The metadata, for label selectors.
    fn meta(&self) -> &Metadata;
}

/// The first field of the selector that kind `T` does not have.
pub fn unknown_field<T: Selectable>(selector: &FieldSelector) -> Option<&str> {
    selector.fields().find(|name| reader::<T>(name).is_none())
}

/// The value of that field; empty if the kind has no such field.
pub(super) fn value<'a, T: Selectable>(object: &'a T, name: &str) -> &'a str {
    reader(name).map_or("", |read| read(object))
}

fn reader<T: Selectable>(name: &str) -> Option<fn(&T) -> &str> {
    T::FIELDS.iter().find(|(known, _)| *known == name).map(|(_, read)| *read)
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

// === impl Selectable ===

impl Selectable for Pod {
    const FIELDS: &'static [Field<Self>] = &[
        ("metadata.name", |pod| &pod.meta.key.name),
        ("metadata.namespace", |pod| &pod.meta.key.namespace),
        ("spec.nodeName", |pod| &pod.node_name),
        ("spec.host", |pod| &pod.node_name), // its name before v1, still accepted
        ("spec.restartPolicy", |pod| &pod.restart_policy),
        ("spec.schedulerName", |pod| &pod.scheduler_name),
        ("spec.serviceAccountName", |pod| &pod.service_account_name),
        ("spec.hostNetwork", |pod| bool_text(pod.host_network)),
        ("status.phase", |pod| &pod.phase),
        ("status.podIP", |pod| &pod.ip),
        // The API server knows the name, but never fills the value in.
        ("status.podIPs", |_| ""),
        ("status.nominatedNodeName", |pod| &pod.nominated_node_name),
    ];

    fn meta(&self) -> &Metadata {
        &self.meta
    }
}

impl Selectable for EndpointSlice {
    const FIELDS: &'static [Field<Self>] = &[
        ("metadata.name", |slice| &slice.meta.key.name),
        ("metadata.namespace", |slice| &slice.meta.key.namespace),
    ];

    fn meta(&self) -> &Metadata {
        &self.meta
    }
}

impl Selectable for Endpoints {
    const FIELDS: &'static [Field<Self>] = &[
        ("metadata.name", |endpoints| &endpoints.meta.key.name),
        ("metadata.namespace", |endpoints| &endpoints.meta.key.namespace),
    ];

    fn meta(&self) -> &Metadata {
        &self.meta
    }
}

impl Selectable for Service {
    const FIELDS: &'static [Field<Self>] = &[
        ("metadata.name", |service| &service.meta.key.name),
        ("metadata.namespace", |service| &service.meta.key.namespace),
        ("spec.clusterIP", |service| &service.cluster_ip),
        ("spec.type", |service| &service.kind),
    ];

    fn meta(&self) -> &Metadata {
        &self.meta
    }
}

impl Selectable for Node {
    const FIELDS: &'static [Field<Self>] = &[
        ("metadata.name", |node| &node.meta.key.name),
        ("spec.unschedulable", |node| bool_text(node.unschedulable)),
    ];

    fn meta(&self) -> &Metadata {
        &self.meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_named() {
        let selector = FieldSelector::parse("metadata.name=a,spec.hostNetwork!=true").unwrap();
        assert_eq!(unknown_field::<Pod>(&selector), None);
        assert_eq!(unknown_field::<EndpointSlice>(&selector), Some("spec.hostNetwork"));
        assert_eq!(unknown_field::<Service>(&selector), Some("spec.hostNetwork"));
        assert_eq!(unknown_field::<Node>(&selector), Some("spec.hostNetwork"));
    }

    #[test]
    fn values() {
        let pod = Pod { node_name: "n1".into(), ip: "10.0.0.1".into(), ..Pod::default() };
        for (field, expected) in [
            ("spec.nodeName", "n1"),
            ("spec.host", "n1"),
            ("spec.hostNetwork", "false"),
            ("status.podIP", "10.0.0.1"),
            ("status.podIPs", ""),
            ("status.phase", ""),
        ] {
            assert_eq!(value(&pod, field), expected, "{field}");
        }
        let service =
            Service { kind: "ClusterIP".into(), cluster_ip: "None".into(), ..Service::default() };
        assert_eq!(value(&service, "spec.type"), "ClusterIP");
        assert_eq!(value(&service, "spec.clusterIP"), "None");
    }
}
