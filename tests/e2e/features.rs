//! What was among the compared targets: a suite that never meets a feature proves nothing about it.

use super::api::Api;
use super::random_cluster::UNKNOWN_NODE;
use super::support::prometheus::Discovered;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The objects that targets are made from, as the API server has them.
pub(crate) struct Objects(HashMap<(&'static str, String, String), Value>);

/// A target and what it was made from.
struct Seen<'a> {
    target: &'a Discovered,
    pod: &'a Value,
    service: &'a Value,
    slice: &'a Value,
}

type Feature = (&'static str, fn(&Seen<'_>) -> bool);

const FEATURES: [Feature; 45] = [
    ("Service: ClusterIP", |seen| {
        seen.service["spec"]["clusterIP"].as_str().is_some_and(|ip| ip != "None")
    }),
    ("Service: headless", |seen| seen.service["spec"]["clusterIP"] == "None"),
    ("Service: NodePort", |seen| seen.service["spec"]["type"] == "NodePort"),
    ("Service: LoadBalancer", |seen| seen.service["spec"]["type"] == "LoadBalancer"),
    ("Service: ExternalName", |seen| seen.service["spec"]["type"] == "ExternalName"),
    ("Service: without selector", |seen| {
        seen.service["spec"].is_object() && seen.service["spec"]["selector"].is_null()
    }),
    ("Service: not ready addresses", |seen| {
        seen.service["spec"]["publishNotReadyAddresses"] == true
    }),
    ("Service: SingleStack", |seen| seen.service["spec"]["ipFamilyPolicy"] == "SingleStack"),
    ("Service: PreferDualStack", |seen| {
        seen.service["spec"]["ipFamilyPolicy"] == "PreferDualStack"
    }),
    ("Service: RequireDualStack", |seen| {
        seen.service["spec"]["ipFamilyPolicy"] == "RequireDualStack"
    }),
    ("Service: IPv6 first", |seen| seen.service["spec"]["ipFamilies"][0] == "IPv6"),
    ("port: numeric targetPort", |seen| seen.service_port()["targetPort"].is_number()),
    ("port: named targetPort", |seen| seen.service_port()["targetPort"].is_string()),
    ("port: appProtocol", |seen| seen.has("endpointslice_port_app_protocol", "http")),
    ("port: UDP", |seen| seen.has("endpointslice_port_protocol", "UDP")),
    ("port: SCTP", |seen| seen.has("endpointslice_port_protocol", "SCTP")),
    ("port: of no Service", |seen| seen.is_extra()),
    ("port: null", |seen| {
        seen.slice.is_object() && seen.label("endpointslice_port").is_empty() && !seen.is_extra()
    }),
    ("Pod: init container", |seen| seen.has("pod_container_init", "true")),
    ("Pod: restartable init container", |seen| {
        seen.has("pod_container_init", "true")
            && seen.pod["spec"]["initContainers"][0]["restartPolicy"] == "Always"
    }),
    ("Pod: host network", |seen| seen.pod["spec"]["hostNetwork"] == true),
    ("Pod: several containers on one port", |seen| {
        let number = seen.label("endpointslice_port").parse().ok();
        let declare = |container: &&Value| {
            container["ports"].as_array().is_some_and(|ports| {
                ports.iter().any(|port| port["containerPort"].as_u64() == number)
            })
        };
        let containers = seen.pod["spec"]["containers"].as_array();
        containers.is_some_and(|containers| {
            number.is_some() && containers.iter().filter(declare).count() > 1
        })
    }),
    ("Pod: dual stack", |seen| seen.pod["status"]["podIPs"][1].is_object()),
    ("Pod: not ready", |seen| seen.has("pod_ready", "false")),
    ("Pod: terminating", |seen| seen.pod["metadata"]["deletionTimestamp"].is_string()),
    ("Pod: Failed", |seen| seen.has("pod_phase", "Failed")),
    ("Pod: without address", |seen| {
        seen.pod["spec"].is_object() && seen.pod["status"]["podIP"].is_null()
    }),
    ("Pod: unknown node", |seen| seen.has("pod_node_name", UNKNOWN_NODE)),
    ("Pod: hostname", |seen| seen.label("endpointslice_endpoint_hostname").starts_with("host-")),
    ("Pod: of a Deployment", |seen| seen.has("pod_deployment_name", "deployment")),
    ("Pod: of a Job", |seen| seen.has("pod_job_name", "job-of-cron")),
    ("Pod: of a CronJob", |seen| seen.has("pod_cronjob_name", "cron")),
    ("odd label", |seen| seen.has("pod_label_odd_example_com_Y_z_x", "v")),
    ("odd annotation", |seen| seen.label("pod_annotation_odd_annotation").contains('\n')),
    ("empty annotation", |seen| seen.has("pod_annotationpresent_empty", "true")),
    ("slice: of the controller", |seen| seen.is_managed_by("endpointslice-controller.k8s.io")),
    ("slice: mirrored", |seen| seen.is_managed_by("endpointslicemirroring-controller.k8s.io")),
    ("slice: by hand", |seen| seen.slice.is_object() && seen.is_managed_by("")),
    ("endpoint: Node reference", |seen| seen.has("endpointslice_address_target_kind", "Node")),
    ("endpoint: null condition", |seen| {
        seen.slice.is_object()
            && !seen.is_extra()
            && seen.label("endpointslice_endpoint_conditions_ready").is_empty()
    }),
    ("endpoint: Pod of another namespace", |seen| {
        let of = seen.pod["metadata"]["namespace"].as_str();
        !seen.label("pod_name").is_empty() && of.is_some_and(|of| of != seen.label("namespace"))
    }),
    ("Endpoints: not ready", |seen| seen.has("endpoint_ready", "false")),
    ("Endpoints: Pod reference", |seen| seen.has("endpoint_address_target_kind", "Pod")),
    ("Endpoints: by hand", |seen| seen.has("endpoints_label_by", "hand")),
    ("Node attached", |seen| seen.has("node_label_Odd_Label_x", "1")),
];

/// How often each feature was seen.
#[derive(Default)]
pub(crate) struct Counters(BTreeMap<&'static str, usize>);

// === impl Objects ===

impl Objects {
    pub(crate) async fn read(api: &Api) -> Self {
        let mut objects = HashMap::new();
        for (kind, path) in [
            ("Pod", "/api/v1/pods"),
            ("Service", "/api/v1/services"),
            ("EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices"),
        ] {
            for object in api.get(path).await["items"].as_array().unwrap() {
                let name = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
                objects.insert((kind, name("namespace"), name("name")), object.clone());
            }
        }
        Self(objects)
    }

    fn get(&self, kind: &'static str, namespace: &str, name: &str) -> &Value {
        self.0.get(&(kind, namespace.to_owned(), name.to_owned())).unwrap_or(&Value::Null)
    }

    fn seen<'a>(&'a self, target: &'a Discovered) -> Seen<'a> {
        let label = |name: &str| {
            target.get(&format!("__meta_kubernetes_{name}")).map_or("", String::as_str)
        };
        let namespace = label("namespace");
        let slice = self.get("EndpointSlice", namespace, label("endpointslice_name"));
        let service = match label("endpointslice_label_kubernetes_io_service_name") {
            "" => label("endpoints_name"),
            service => service,
        };
        let pod = match label("endpointslice_address_target_kind") {
            // The reference tells where the Pod is; it may not have been resolved.
            "Pod" => {
                let endpoints = slice["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
                let name = label("endpointslice_address_target_name");
                let reference = endpoints.iter().map(|endpoint| &endpoint["targetRef"]);
                let mut named = reference.filter(|reference| reference["name"] == name);
                let of = named.next().and_then(|reference| reference["namespace"].as_str());
                let found = self.get("Pod", of.unwrap_or(namespace), name);
                if label("pod_name").is_empty() && !found["status"]["podIP"].is_null() {
                    &Value::Null
                } else {
                    found
                }
            }
            _ => self.get("Pod", namespace, label("pod_name")),
        };
        Seen { target, pod, service: self.get("Service", namespace, service), slice }
    }
}

// === impl Seen ===

impl Seen<'_> {
    fn label(&self, name: &str) -> &str {
        self.target.get(&format!("__meta_kubernetes_{name}")).map_or("", String::as_str)
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.label(name) == value
    }

    fn is_managed_by(&self, controller: &str) -> bool {
        self.has("endpointslice_label_endpointslice_kubernetes_io_managed_by", controller)
    }

    /// A container port that the slice does not have.
    fn is_extra(&self) -> bool {
        self.slice.is_object()
            && self.label("endpointslice_port").is_empty()
            && !self.label("pod_container_port_number").is_empty()
    }

    /// The port of the Service that the target is of.
    fn service_port(&self) -> &Value {
        let ports = self.service["spec"]["ports"].as_array().map_or(&[][..], Vec::as_slice);
        let name = self.label("endpointslice_port_name");
        let of_controller = self.is_managed_by("endpointslice-controller.k8s.io");
        let mut such = ports.iter().filter(|port| of_controller && port["name"] == name);
        such.next().unwrap_or(&Value::Null)
    }
}

// === impl Counters ===

impl Counters {
    pub(crate) fn count(&mut self, objects: &Objects, targets: &[Discovered]) {
        for target in targets {
            let seen = objects.seen(target);
            for (feature, has) in FEATURES {
                *self.0.entry(feature).or_default() += usize::from(has(&seen));
            }
        }
    }

    /// One line for each.
    pub(crate) fn table(&self) -> String {
        self.0.iter().map(|(feature, count)| format!("  {count:6} {feature}\n")).collect()
    }

    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let counts = FEATURES.map(|(feature, _)| (feature, self.0.get(feature)));
        counts.into_iter().filter(|(_, count)| count.is_none_or(|n| *n == 0)).map(|f| f.0).collect()
    }
}
