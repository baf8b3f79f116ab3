//! Labels of slices, and of Endpoints.

use super::controller::Controller;
use crate::objects::{
    ENDPOINTS_CONTROLLER, ENDPOINTS_MANAGED_BY, ENDPOINTSLICE_CONTROLLER, EndpointSlice,
    MANAGED_BY, SERVICE_NAME, Service, StringMap,
};

/// Who writes the kubelets'.
pub(super) const OPERATOR: &str = "prometheus-operator";

/// Marks the slices of a headless Service, with an empty value.
const HEADLESS: &str = "service.kubernetes.io/headless";

/// The labels that the endpointslice controller gives the slices of that Service: the Service's
/// own, but for the keys that the controller reserves.
pub(super) fn labels_of_slices(service: &Service) -> StringMap {
    let headless = service.is_headless().then_some((HEADLESS, ""));
    mirrored(service).chain(written_by(service, ENDPOINTSLICE_CONTROLLER)).chain(headless).collect()
}

/// The labels of the slices that prometheus-operator writes for its kubelet Service.
pub(super) fn labels_of_kubelet_slices(service: &Service) -> StringMap {
    mirrored(service).chain(written_by(service, OPERATOR)).collect()
}

/// The labels that the endpoints controller gives the Endpoints of that Service: all of the Service's,
/// but for its mark of headless ones.
pub(super) fn labels_of_endpoints(service: &Service, controller: Controller) -> StringMap {
    let signature = (ENDPOINTS_MANAGED_BY, ENDPOINTS_CONTROLLER);
    let signature = controller.signs_endpoints().then_some(signature);
    let headless = service.is_headless().then_some((HEADLESS, ""));
    let own = service.meta.labels.iter().filter(|(key, _)| *key != HEADLESS);
    own.chain(headless).chain(signature).collect()
}

/// The labels of the Endpoints that a slice was made from: all but those that say so.
pub(super) fn labels_of_mirrored(slice: &EndpointSlice) -> StringMap {
    let labels = slice.meta.labels.iter();
    labels.filter(|(key, _)| ![SERVICE_NAME, MANAGED_BY].contains(key)).collect()
}

fn mirrored(service: &Service) -> impl Iterator<Item = (&str, &str)> {
    let reserved = |key: &str| [SERVICE_NAME, MANAGED_BY, HEADLESS].contains(&key);
    service.meta.labels.iter().filter(move |(key, _)| !reserved(key))
}

fn written_by<'a>(service: &'a Service, author: &'a str) -> [(&'a str, &'a str); 2] {
    [(SERVICE_NAME, &service.meta.key.name), (MANAGED_BY, author)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Metadata, ObjectKey};

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn service(cluster_ip: &str, labels: Pairs<'_>) -> Service {
        let key = ObjectKey::new("n", "web");
        let labels = labels.iter().copied().collect();
        Service {
            meta: Metadata { key, labels, ..Metadata::default() },
            cluster_ip: cluster_ip.into(),
            ..Service::default()
        }
    }

    #[test]
    fn of_the_controller() {
        let own = [(SERVICE_NAME, "web"), (MANAGED_BY, "endpointslice-controller.k8s.io")];
        let headless = (HEADLESS, "");
        let cases: [(&str, Pairs<'_>, Vec<_>); 4] = [
            ("10.0.0.1", &[], own.to_vec()),
            ("None", &[], [&own[..], &[headless]].concat()),
            ("", &[("app", "web")], [&own[..], &[headless, ("app", "web")]].concat()),
            (
                "10.0.0.1",
                &[(SERVICE_NAME, "x"), (MANAGED_BY, "x"), (HEADLESS, "x"), ("a", "")],
                [&own[..], &[("a", "")]].concat(),
            ),
        ];
        for (cluster_ip, labels, expected) in cases {
            let expected: StringMap = expected.into_iter().collect();
            assert_eq!(labels_of_slices(&service(cluster_ip, labels)), expected, "{labels:?}");
        }
    }

    #[test]
    fn of_the_operator() {
        let expected: StringMap =
            [("k8s-app", "kubelet"), (SERVICE_NAME, "web"), (MANAGED_BY, "prometheus-operator")]
                .into_iter()
                .collect();
        let service = service("None", &[("k8s-app", "kubelet")]);
        assert_eq!(labels_of_kubelet_slices(&service), expected);
    }
}
