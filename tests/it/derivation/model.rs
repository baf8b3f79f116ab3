//! What the endpointslice controller, and prometheus-operator for its kubelet Service, write: as
//! simple as possible, for the whole cluster, from JSON to JSON.

use super::random::canonical;
use super::{Objects, key_of};
use nodelocal_sd::objects::ObjectKey;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The controllers of a cluster.
pub(super) struct Controllers {
    pub(super) since_1_33: bool,
}

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Slices are full early, so that a Service has many.
const MOST_ENDPOINTS: usize = 2;

type All = BTreeMap<(&'static str, ObjectKey), Value>;

/// An endpoint on its own: what it is, without the slice that it happens to be in.
pub(super) fn shape(slices: &[Value]) -> BTreeSet<String> {
    let endpoints = slices.iter().flat_map(|slice| {
        let of = &slice["metadata"];
        slice["endpoints"].as_array().into_iter().flatten().map(move |endpoint| {
            let mut endpoint = endpoint.clone();
            endpoint["targetRef"].as_object_mut().expect("a reference").remove("uid");
            let ports = slice["ports"].as_array().filter(|ports| !ports.is_empty());
            json!([of["namespace"], of["labels"], slice["addressType"], ports, endpoint])
                .to_string()
        })
    });
    endpoints.collect()
}

/// Whether the endpointslice controller wrote it.
pub(super) fn is_of_controller(slice: &Value) -> bool {
    slice["metadata"]["labels"][MANAGED_BY] == "endpointslice-controller.k8s.io"
}

impl Controllers {
    /// All slices.
    pub(super) fn slices(&self, all: &All) -> Vec<Value> {
        let of_kind = |wanted: &str| -> Objects {
            let objects = all.iter().filter(|((kind, _), _)| *kind == wanted);
            objects.map(|((_, key), object)| (key.clone(), object.clone())).collect()
        };
        let (pods, nodes) = (of_kind("Pod"), of_kind("Node"));
        let mut slices = Vec::new();
        for service in of_kind("Service").values() {
            if is_kubelet(service) {
                slices.extend(kubelet_slices(service, &nodes));
                continue;
            }
            let selector = service["spec"]["selector"].as_object();
            let Some(selector) = selector.filter(|selector| !selector.is_empty()) else { continue };
            if service["spec"]["type"] == "ExternalName" {
                continue;
            }
            for family in families(service) {
                let mut by_ports: BTreeMap<String, Vec<Value>> = BTreeMap::new();
                for pod in pods.values() {
                    let is_selected = pod["metadata"]["namespace"]
                        == service["metadata"]["namespace"]
                        && selector
                            .iter()
                            .all(|(k, v)| pod["metadata"]["labels"].get(k) == Some(v));
                    if let Some(endpoint) =
                        is_selected.then(|| self.endpoint(service, pod, family, &nodes)).flatten()
                    {
                        let ports = self.ports(service, pod).to_string();
                        by_ports.entry(ports).or_default().push(endpoint);
                    }
                }
                for (ports, endpoints) in by_ports {
                    let ports: Value = serde_json::from_str(&ports).expect("our own");
                    for endpoints in endpoints.chunks(MOST_ENDPOINTS) {
                        let name = format!("s-{}", slices.len());
                        slices.push(json!({
                            "metadata": {
                                "name": name,
                                "namespace": service["metadata"]["namespace"],
                                "labels": labels(service),
                                "annotations": {},
                            },
                            "addressType": family,
                            "ports": ports,
                            "endpoints": endpoints,
                        }));
                    }
                }
            }
        }
        slices
    }

    fn endpoint(
        &self,
        service: &Value,
        pod: &Value,
        family: &str,
        nodes: &Objects,
    ) -> Option<Value> {
        let (spec, status) = (&pod["spec"], &pod["status"]);
        if status["phase"] == "Failed" || status["phase"] == "Succeeded" {
            return None;
        }
        let publishes = service["spec"]["publishNotReadyAddresses"] == true;
        let node_name = spec["nodeName"].as_str().expect("every Pod is on a node");
        let node = nodes.get(&ObjectKey::new("", node_name));
        if node.is_none() && !publishes {
            return None;
        }
        let addresses: Vec<&str> = status["podIPs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|ip| ip["ip"].as_str().expect("text"))
            .filter(|ip| canonical(ip).0 == family)
            .map(|ip| if self.since_1_33 { canonical(ip).1 } else { ip })
            .collect();
        if addresses.is_empty() {
            return None;
        }
        let conditions = status["conditions"].as_array();
        let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
        let serving = ready.is_some_and(|condition| condition["status"] == "True");
        let terminating = !pod["metadata"]["deletionTimestamp"].is_null();
        let mut endpoint = json!({
            "addresses": addresses,
            "conditions": {
                "ready": publishes || (serving && !terminating),
                "serving": serving,
                "terminating": terminating,
            },
            "nodeName": node_name,
            "targetRef": {
                "kind": "Pod",
                "namespace": pod["metadata"]["namespace"],
                "name": pod["metadata"]["name"],
            },
        });
        let zone = node.map(|node| &node["metadata"]["labels"]["topology.kubernetes.io/zone"]);
        if let Some(zone) = zone.and_then(Value::as_str).filter(|zone| !zone.is_empty()) {
            endpoint["zone"] = zone.into();
        }
        let hostname = spec["hostname"].as_str().unwrap_or_default();
        if !hostname.is_empty() && spec["subdomain"] == service["metadata"]["name"] {
            endpoint["hostname"] = hostname.into();
        }
        Some(endpoint)
    }

    fn ports(&self, service: &Value, pod: &Value) -> Value {
        let list = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
        let mut containers = list("containers");
        if self.since_1_33 {
            let init = list("initContainers").into_iter();
            containers.extend(init.filter(|container| container["restartPolicy"] == "Always"));
        }
        let mut ports = Vec::new();
        for port in service["spec"]["ports"].as_array().into_iter().flatten() {
            let number = if port["targetPort"].is_string() {
                let declared = containers.iter().flat_map(|container| {
                    container["ports"].as_array().cloned().unwrap_or_default()
                });
                let such = |declared: &Value| {
                    declared["name"] == port["targetPort"]
                        && declared["protocol"] == port["protocol"]
                };
                declared.into_iter().find(such).map(|port| port["containerPort"].clone())
            } else {
                Some(port["targetPort"].clone())
            };
            if let Some(number) = number {
                let mut resolved =
                    json!({"name": port["name"], "port": number, "protocol": port["protocol"]});
                if !port["appProtocol"].is_null() {
                    resolved["appProtocol"] = port["appProtocol"].clone();
                }
                ports.push(resolved);
            }
        }
        Value::Array(ports)
    }
}

fn is_headless(service: &Value) -> bool {
    matches!(service["spec"]["clusterIP"].as_str(), None | Some("" | "None"))
}

fn families(service: &Value) -> Vec<&str> {
    let named: Vec<&str> = service["spec"]["ipFamilies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !named.is_empty() {
        named
    } else if is_headless(service) {
        vec!["IPv4", "IPv6"]
    } else {
        vec![canonical(service["spec"]["clusterIP"].as_str().expect("not headless")).0]
    }
}

fn labels(service: &Value) -> Value {
    let mut labels = service["metadata"]["labels"].clone();
    for reserved in [SERVICE_NAME, MANAGED_BY, HEADLESS] {
        labels.as_object_mut().expect("every Service has labels").remove(reserved);
    }
    labels[SERVICE_NAME] = service["metadata"]["name"].clone();
    labels[MANAGED_BY] = "endpointslice-controller.k8s.io".into();
    if is_headless(service) {
        labels[HEADLESS] = "".into();
    }
    labels
}

fn is_kubelet(service: &Value) -> bool {
    let labels = &service["metadata"]["labels"];
    labels["k8s-app"] == "kubelet"
        && labels["app.kubernetes.io/managed-by"] == "prometheus-operator"
}

/// One slice with an endpoint for each Node; the generator gives each an internal IPv4 address.
fn kubelet_slices(service: &Value, nodes: &Objects) -> Option<Value> {
    let endpoints = nodes.values().map(|node| {
        let mut addresses = node["status"]["addresses"].as_array().expect("addresses").iter();
        let internal = addresses.find(|address| address["type"] == "InternalIP");
        json!({
            "addresses": [internal.expect("each Node has one")["address"]],
            "conditions": {"ready": true},
            "nodeName": node["metadata"]["name"],
            "targetRef": {"kind": "Node", "name": node["metadata"]["name"]},
        })
    });
    let mut labels = service["metadata"]["labels"].clone();
    labels[SERVICE_NAME] = service["metadata"]["name"].clone();
    labels[MANAGED_BY] = "prometheus-operator".into();
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let ports = ports.map(|p| json!({"name": p["name"], "port": p["port"], "protocol": "TCP"}));
    Some(json!({
        "metadata": {
            "name": format!("{}-kubelets", key_of(service).name),
            "namespace": service["metadata"]["namespace"],
            "labels": labels,
        },
        "addressType": "IPv4",
        "ports": ports.collect::<Vec<_>>(),
        "endpoints": endpoints.collect::<Vec<_>>(),
    }))
}
