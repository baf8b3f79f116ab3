//! Where slices may be that cannot be derived.

use super::kubelet::is_kubelet;
use crate::objects::Service;

/// Whether somebody else than the endpointslice controller writes the slices of that Service, as
/// far as one can tell from the Service: it has no selector. Not meant are the one of the API server
/// itself, whose endpoints belong to no node, and the kubelets', which can be derived.
pub(super) fn needs_foreign_slices(service: &Service) -> bool {
    let key = &service.meta.key;
    let is_api_server = *key.namespace == *"default" && *key.name == *"kubernetes";
    service.selector.is_empty()
        && *service.kind != *"ExternalName"
        && !is_api_server
        && !is_kubelet(service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::derivation::testing::service;

    #[test]
    fn services_without_a_selector() {
        for (builder, expected) in [
            (service("s"), true),
            (service("s").selecting(&[("app", "web")]), false),
            (service("s").of_kind("ExternalName"), false),
            (service("kubernetes"), true),
            (service("kubernetes").in_namespace("default"), false),
            (service("s").in_namespace("default"), true),
            (
                service("s").labelled(&[
                    ("k8s-app", "kubelet"),
                    ("app.kubernetes.io/managed-by", "prometheus-operator"),
                ]),
                false,
            ),
        ] {
            assert_eq!(needs_foreign_slices(&builder.0), expected, "{:?}", builder.0);
        }
    }
}
