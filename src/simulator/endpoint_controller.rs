//! What the endpointslice and the endpoints controllers would write.
//!
//! An endpoint is a function of one Service and one Pod (`k8s.io/endpointslice`, `utils.go` and
//! `reconciler.go`); only the packing into slices is simpler here: one slice per address family
//! and list of ports, with a name that follows from both.

use super::server::Simulator;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const SLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";
const ENDPOINTS_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const ENDPOINTS_CONTROLLER: &str = "endpoint-controller";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// The letters of generated names: no vowels, so no words (`k8s.io/apimachinery`, `util/rand`).
pub(super) const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Writes the EndpointSlices and Endpoints that follow from the Services with selectors and the
/// Pods, and deletes those whose Service is gone. Everything else is left alone.
pub fn sync(simulator: &Simulator) {
    let pods = simulator.list("Pod");
    let zones: BTreeMap<String, Value> = simulator
        .list("Node")
        .iter()
        .map(|node| {
            let labels = &node["metadata"]["labels"];
            (
                text(&node["metadata"]["name"]).to_owned(),
                labels["topology.kubernetes.io/zone"].clone(),
            )
        })
        .collect();
    let mut wanted = BTreeSet::new();
    for service in simulator.list("Service") {
        let selected = selected_pods(&service, &pods);
        let Some(selected) = selected else { continue };
        // Only this controller looks at Nodes: Pods of those that it does not know come later.
        let is_on_known_node = |pod: &Value| zones.contains_key(text(&pod["spec"]["nodeName"]));
        let in_slices: Vec<&Value> = selected
            .iter()
            .copied()
            .filter(|pod| publishes_not_ready(&service) || is_on_known_node(pod))
            .collect();
        for family in families(&service) {
            let mut by_ports: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            for pod in in_slices.iter().filter(|pod| has_family(pod, &family)) {
                by_ports.entry(ports_of(&service, pod).to_string()).or_default().push(pod);
            }
            if by_ports.is_empty() {
                by_ports.insert(Value::Null.to_string(), Vec::new());
            }
            for (ports, pods) in by_ports {
                write(simulator, slice(&service, &family, &ports, &pods, &zones), &mut wanted);
            }
        }
        write(simulator, endpoints(&service, &selected), &mut wanted);
    }
    for (kind, label, controller) in [
        ("EndpointSlice", MANAGED_BY, SLICE_CONTROLLER),
        ("Endpoints", ENDPOINTS_MANAGED_BY, ENDPOINTS_CONTROLLER),
    ] {
        for object in simulator.list(kind) {
            let metadata = &object["metadata"];
            let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
            let identity = (kind.to_owned(), namespace.to_owned(), name.to_owned());
            if metadata["labels"][label] == controller && !wanted.contains(&identity) {
                simulator.delete(kind, namespace, name);
            }
        }
    }
}

fn write(simulator: &Simulator, object: Value, wanted: &mut BTreeSet<(String, String, String)>) {
    let metadata = &object["metadata"];
    wanted.insert((
        text(&object["kind"]).to_owned(),
        text(&metadata["namespace"]).to_owned(),
        text(&metadata["name"]).to_owned(),
    ));
    let applied = simulator.apply(object);
    applied.expect("it has apiVersion, kind and the name of a stored Service");
}

/// The Pods of a Service that have endpoints; nothing if the controllers do not handle it.
fn selected_pods<'a>(service: &Value, pods: &'a [Arc<Value>]) -> Option<Vec<&'a Value>> {
    let selector = service["spec"]["selector"].as_object();
    let selector = selector.filter(|selector| !selector.is_empty())?;
    if service["spec"]["type"] == "ExternalName" {
        return None;
    }
    let selected = pods.iter().map(|pod| &**pod).filter(|pod| {
        let (metadata, status) = (&pod["metadata"], &pod["status"]);
        let labels = &metadata["labels"];
        metadata["namespace"] == service["metadata"]["namespace"]
            && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            && status["phase"] != "Failed"
            && status["phase"] != "Succeeded"
            && !addresses(pod).is_empty()
    });
    Some(selected.collect())
}

fn slice(
    service: &Value,
    family: &str,
    ports: &str,
    pods: &[&Value],
    zones: &BTreeMap<String, Value>,
) -> Value {
    let metadata = &service["metadata"];
    let service_name = text(&metadata["name"]);
    let mut labels = labels_of(service);
    labels.insert(SERVICE_NAME.to_owned(), json!(service_name));
    labels.insert(MANAGED_BY.to_owned(), json!(SLICE_CONTROLLER));
    let endpoints: Vec<Value> =
        pods.iter().map(|pod| endpoint(service, pod, family, zones)).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service_name}-{}", suffix(&[family, ports])),
            "generateName": format!("{service_name}-"),
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "v1",
                "kind": "Service",
                "name": service_name,
                "uid": metadata["uid"],
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "addressType": family,
        "ports": serde_json::from_str::<Value>(ports).expect("it was written from a list of ports"),
        "endpoints": endpoints,
    })
}

fn endpoint(service: &Value, pod: &Value, family: &str, zones: &BTreeMap<String, Value>) -> Value {
    let serving = is_ready(pod);
    let terminating = is_terminating(pod);
    let mut endpoint = json!({
        "addresses": addresses_of(pod, family),
        "conditions": {
            "ready": publishes_not_ready(service) || serving && !terminating,
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": reference(pod),
        "nodeName": pod["spec"]["nodeName"],
    });
    if let Some(zone) = zones.get(text(&pod["spec"]["nodeName"]))
        && !text(zone).is_empty()
    {
        endpoint["zone"] = zone.clone();
    }
    if has_hostname(service, pod) {
        endpoint["hostname"] = pod["spec"]["hostname"].clone();
    }
    endpoint
}

/// The Endpoints of a Service: the first address family only, without terminating Pods.
fn endpoints(service: &Value, pods: &[&Value]) -> Value {
    let mut labels = labels_of(service);
    labels.insert(ENDPOINTS_MANAGED_BY.to_owned(), json!(ENDPOINTS_CONTROLLER));
    let family = families(service).swap_remove(0);
    let mut subsets: BTreeMap<String, [Vec<Value>; 2]> = BTreeMap::new();
    for pod in pods {
        let Some(ip) = addresses_of(pod, &family).into_iter().next() else {
            continue;
        };
        let publishes = publishes_not_ready(service);
        if is_terminating(pod) && !publishes {
            continue;
        }
        let mut address = json!({
            "ip": ip,
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": reference(pod),
        });
        if has_hostname(service, pod) {
            address["hostname"] = pod["spec"]["hostname"].clone();
        }
        let ready = publishes || is_ready(pod);
        let subset = subsets.entry(ports_of(service, pod).to_string()).or_default();
        subset[usize::from(!ready)].push(address);
    }
    let subsets: Vec<Value> = subsets
        .into_iter()
        .map(|(ports, [ready, not_ready])| {
            let ports: Value = serde_json::from_str(&ports).expect("written from a list of ports");
            let mut subset = json!({ "ports": ports });
            for (name, addresses) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
                if !addresses.is_empty() {
                    subset[name] = json!(addresses);
                }
            }
            subset
        })
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": service["metadata"]["name"],
            "namespace": service["metadata"]["namespace"],
            "labels": labels,
        },
        "subsets": subsets,
    })
}

/// The labels of the Service, and the mark of a headless one.
fn labels_of(service: &Value) -> Map<String, Value> {
    let labels = service["metadata"]["labels"].as_object();
    let mut labels = labels.cloned().unwrap_or_default();
    for reserved in [SERVICE_NAME, MANAGED_BY, HEADLESS] {
        labels.remove(reserved);
    }
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), json!(""));
    }
    labels
}

fn is_headless(service: &Value) -> bool {
    matches!(service["spec"]["clusterIP"].as_str(), None | Some("" | "None"))
}

/// Without `ipFamilies` that of the Service's address, or both if it has none.
fn families(service: &Value) -> Vec<String> {
    let families = service["spec"]["ipFamilies"].as_array().into_iter().flatten();
    let families: Vec<String> = families.map(|family| text(family).to_owned()).collect();
    if !families.is_empty() {
        return families;
    }
    match canonical(text(&service["spec"]["clusterIP"])) {
        Some(address) => vec![family_of(&address).to_owned()],
        None => vec!["IPv4".to_owned(), "IPv6".to_owned()],
    }
}

/// The ports of the Service as this Pod has them; a named one that the Pod lacks is left out.
fn ports_of(service: &Value, pod: &Value) -> Value {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let resolved = ports.filter_map(|port| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let number = match &port["targetPort"] {
            Value::String(name) => container_port(pod, name, protocol)?,
            Value::Null => port["port"].clone(),
            number => number.clone(),
        };
        let mut resolved = json!({
            "name": port["name"].as_str().unwrap_or_default(),
            "port": number,
            "protocol": protocol,
        });
        if port["appProtocol"].is_string() {
            resolved["appProtocol"] = port["appProtocol"].clone();
        }
        Some(resolved)
    });
    Value::Array(resolved.collect())
}

fn container_port(pod: &Value, name: &str, protocol: &str) -> Option<Value> {
    let list = |field: &str| pod["spec"][field].as_array().into_iter().flatten();
    let sidecars = list("initContainers").filter(|c| c["restartPolicy"] == "Always");
    let ports = list("containers")
        .chain(sidecars)
        .flat_map(|container| container["ports"].as_array().into_iter().flatten());
    ports
        .filter(|port| port["protocol"].as_str().unwrap_or("TCP") == protocol)
        .find(|port| port["name"] == name)
        .map(|port| port["containerPort"].clone())
}

/// The Pod's addresses as the controllers print them.
fn addresses(pod: &Value) -> Vec<String> {
    let ips = pod["status"]["podIPs"].as_array().into_iter().flatten();
    ips.filter_map(|ip| canonical(text(&ip["ip"]))).map(|ip| ip.to_string()).collect()
}

/// An IPv4 address may be written with leading zeros, or as an IPv6 one.
fn canonical(ip: &str) -> Option<IpAddr> {
    let octets = || {
        let mut octets = [0; 4];
        let mut parts = ip.split('.');
        for octet in &mut octets {
            *octet = parts.next()?.parse().ok()?;
        }
        parts.next().is_none().then(|| IpAddr::from(octets))
    };
    ip.parse().ok().or_else(octets).map(|ip: IpAddr| ip.to_canonical())
}

fn has_family(pod: &Value, family: &str) -> bool {
    !addresses_of(pod, family).is_empty()
}

fn addresses_of(pod: &Value, family: &str) -> Vec<String> {
    let is_of_family = |ip: &String| ip.parse().is_ok_and(|ip| family_of(&ip) == family);
    addresses(pod).into_iter().filter(is_of_family).collect()
}

fn family_of(ip: &IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn has_hostname(service: &Value, pod: &Value) -> bool {
    !text(&pod["spec"]["hostname"]).is_empty()
        && pod["spec"]["subdomain"] == service["metadata"]["name"]
}

fn reference(pod: &Value) -> Value {
    let metadata = &pod["metadata"];
    json!({
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    })
}

/// Whether the Pod condition `Ready` is true.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        let mut conditions = conditions.iter();
        conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
    })
}

/// Whether the Pod is being deleted.
pub(super) fn is_terminating(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

fn publishes_not_ready(service: &Value) -> bool {
    service["spec"]["publishNotReadyAddresses"] == true
}

/// Five letters that follow from the parts (FNV-1a).
fn suffix(parts: &[&str]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let letters = NAME_LETTERS.len() as u64;
    (0..5)
        .map(|place| {
            let letter = (hash >> (place * 8)) % letters;
            char::from(NAME_LETTERS[usize::try_from(letter).unwrap_or(0)])
        })
        .collect()
}

/// The text of a value, or nothing.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
