//! Random clusters of two nodes, as the API server would store them, and random changes.

use fastrand::Rng;
use nodelocal_sd::objects::ObjectKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The node whose sidecar is tested; the other one is there to be left out.
pub(super) const OWN: &str = "node-a";
const NODES: [&str; 2] = [OWN, "node-b"];

const NAMESPACES: [&str; 2] = ["one", "two"];

/// Addresses, each with its family and how Kubernetes prints it.
const ADDRESSES: [(&str, &str, &str); 12] = [
    ("10.0.0.1", "IPv4", "10.0.0.1"),
    ("10.0.0.2", "IPv4", "10.0.0.2"),
    ("10.0.0.3", "IPv4", "10.0.0.3"),
    ("10.0.0.4", "IPv4", "10.0.0.4"),
    ("010.000.0.05", "IPv4", "10.0.0.5"),
    ("::ffff:10.0.0.6", "IPv4", "10.0.0.6"),
    ("fd00::1", "IPv6", "fd00::1"),
    ("fd00::2", "IPv6", "fd00::2"),
    ("FD00:0:0::3", "IPv6", "fd00::3"),
    ("fd00:0:0:0:0:0:0:4", "IPv6", "fd00::4"),
    ("10.96.0.1", "IPv4", "10.96.0.1"), // of Services
    ("fd96::1", "IPv6", "fd96::1"),
];

/// Family and canonical form of an address of this generator.
pub(super) fn canonical(address: &str) -> (&'static str, &'static str) {
    let known = ADDRESSES.iter().find(|(written, ..)| *written == address);
    known.map(|(_, family, printed)| (*family, *printed)).expect("one of ours")
}

/// What Services and Pods are told apart by.
pub(super) struct Cluster {
    /// Services, Pods and Nodes.
    pub(super) objects: BTreeMap<(&'static str, ObjectKey), Value>,
    /// Slices that no controller writes.
    pub(super) hand_made: Vec<Value>,
}

fn one_of<T: Copy>(choices: &[T], rng: &mut Rng) -> T {
    choices[rng.usize(0..choices.len())]
}

fn sometimes(one_in: u8, rng: &mut Rng) -> bool {
    rng.u8(0..one_in) == 0
}

impl Cluster {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let mut cluster = Self { objects: BTreeMap::new(), hand_made: Vec::new() };
        for name in NODES {
            cluster.put("Node", "", name, node(name, rng));
        }
        for number in 0..rng.usize(2..8) {
            cluster.put_service(number, rng);
        }
        for number in 0..rng.usize(6..16) {
            cluster.put_pod(number, rng);
        }
        for number in 0..rng.usize(0..3) {
            cluster.hand_made.push(slice_by_hand(number, rng));
        }
        cluster
    }

    /// Changes, adds or deletes one object, and says which.
    pub(super) fn change(&mut self, rng: &mut Rng) -> (&'static str, ObjectKey) {
        match rng.u8(0..10) {
            0 => {
                // Kept in both forms, so that a deleted Node comes back.
                let key = ("Node", ObjectKey::new("", OWN));
                if self.objects.remove(&key).is_none() || !sometimes(3, rng) {
                    self.put("Node", "", OWN, node(OWN, rng));
                }
                key
            }
            1 | 2 => self.delete_one(one_of(&["Pod", "Pod", "Service"], rng), rng),
            3..=5 => self.put_service(rng.usize(0..8), rng),
            _ => self.put_pod(rng.usize(0..16), rng),
        }
    }

    fn delete_one(&mut self, kind: &'static str, rng: &mut Rng) -> (&'static str, ObjectKey) {
        let keys: Vec<_> = self.objects.keys().filter(|(of, _)| *of == kind).cloned().collect();
        if keys.is_empty() {
            return (kind, ObjectKey::new("one", "never-there"));
        }
        let key = keys[rng.usize(0..keys.len())].clone();
        self.objects.remove(&key);
        key
    }

    fn put(
        &mut self,
        kind: &'static str,
        namespace: &str,
        name: &str,
        mut object: Value,
    ) -> (&'static str, ObjectKey) {
        object["apiVersion"] = "v1".into();
        object["kind"] = kind.into();
        object["metadata"]["name"] = name.into();
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        let key = (kind, ObjectKey::new(namespace, name));
        self.objects.insert(key.clone(), object);
        key
    }

    fn put_service(&mut self, number: usize, rng: &mut Rng) -> (&'static str, ObjectKey) {
        let namespace = NAMESPACES[number % 2];
        if number == 7 {
            return self.put("Service", namespace, "kubelet", kubelet_service(rng));
        }
        self.put("Service", namespace, &format!("svc-{number}"), service(rng))
    }

    fn put_pod(&mut self, number: usize, rng: &mut Rng) -> (&'static str, ObjectKey) {
        // The node of a Pod does not change.
        let node = NODES[usize::from(number % 4 == 3)];
        self.put("Pod", NAMESPACES[number % 2], &format!("pod-{number}"), pod(node, rng))
    }
}

fn node(name: &str, rng: &mut Rng) -> Value {
    let mut labels = json!({"kubernetes.io/hostname": name});
    if let Some(zone) = one_of(&[None, Some(""), Some("z1"), Some("z2")], rng) {
        labels["topology.kubernetes.io/zone"] = zone.into();
    }
    if sometimes(3, rng) {
        labels["failure-domain.beta.kubernetes.io/zone"] = "old".into();
    }
    json!({"metadata": {"labels": labels}, "status": {"addresses": [
        {"type": "ExternalIP", "address": "192.0.2.9"},
        {"type": "InternalIP", "address": if name == OWN { "192.0.2.1" } else { "192.0.2.2" }},
        {"type": "InternalIP", "address": "fd00::99"}]}})
}

fn pairs(rng: &mut Rng) -> Value {
    let mut pairs = json!({"app": one_of(&["a", "b"], rng)});
    if sometimes(2, rng) {
        pairs["tier"] = one_of(&["x", "y", ""], rng).into();
    }
    pairs
}

fn protocol(rng: &mut Rng) -> &'static str {
    one_of(&["TCP", "TCP", "TCP", "UDP", "SCTP"], rng)
}

fn service(rng: &mut Rng) -> Value {
    let mut labels = json!({"team": one_of(&["red", "blue", ""], rng)});
    if sometimes(5, rng) {
        labels["kubernetes.io/service-name"] = "reserved".into();
        labels["service.kubernetes.io/headless"] = "reserved".into();
        labels["endpointslice.kubernetes.io/managed-by"] = "reserved".into();
    }
    let ports: Vec<Value> = (0..one_of(&[0, 1, 1, 2, 2, 3], rng))
        .map(|number| {
            let mut port = json!({"name": format!("p{number}"), "port": 80 + number,
            "protocol": protocol(rng),
            "targetPort": match rng.u8(0..4) {
                0 => json!(8080),
                1 => json!("missing"),
                _ => json!(one_of(&["http", "metrics", "sidecar"], rng)),
            }});
            if sometimes(4, rng) {
                port["appProtocol"] = one_of(&["", "h2c"], rng).into();
            }
            port
        })
        .collect();
    let mut spec = json!({"type": one_of(&["ClusterIP", "NodePort"], rng),
        "selector": pairs(rng), "ports": ports});
    match rng.u8(0..10) {
        0 => spec["type"] = "ExternalName".into(),
        1 => spec["selector"] = json!({}),
        2 => spec["selector"] = Value::Null,
        _ => {}
    }
    spec["publishNotReadyAddresses"] = sometimes(4, rng).into();
    let cluster_ips: &[(&str, &[&str], &str)] = &[
        ("10.96.0.1", &["IPv4"], "SingleStack"),
        ("fd96::1", &["IPv6"], "SingleStack"),
        ("10.96.0.1", &["IPv4", "IPv6"], "PreferDualStack"),
        ("fd96::1", &["IPv6", "IPv4"], "RequireDualStack"),
        ("None", &["IPv4"], "SingleStack"),
        ("None", &["IPv6", "IPv4"], "PreferDualStack"),
        ("None", &[], ""),
        ("", &[], ""),
        ("10.96.0.1", &[], ""),
        ("fd96::1", &[], ""),
    ];
    let (cluster_ip, families, policy) = one_of(cluster_ips, rng);
    spec["clusterIP"] = cluster_ip.into();
    spec["ipFamilies"] = json!(families);
    spec["ipFamilyPolicy"] = policy.into();
    json!({"metadata": {"labels": labels, "annotations": {"note": "n"}}, "spec": spec})
}

fn kubelet_service(rng: &mut Rng) -> Value {
    json!({
        "metadata": {"labels": {"k8s-app": "kubelet", "extra": one_of(&["", "x"], rng),
            "app.kubernetes.io/managed-by": "prometheus-operator"}},
        "spec": {"clusterIP": "None", "ipFamilies": ["IPv4"], "ports": [
            {"name": "https-metrics", "port": 10250, "targetPort": 10250, "protocol": "TCP"},
            {"name": "cadvisor", "port": 4194, "targetPort": 4194, "protocol": "TCP"}]},
    })
}

fn container(name: &str, names: &[&str], rng: &mut Rng) -> Value {
    let mut ports = Vec::new();
    for port in names {
        if !sometimes(4, rng) {
            ports.push(json!({"name": port, "protocol": protocol(rng),
                "containerPort": one_of(&[8080, 8081, 9090], rng)}));
        }
    }
    json!({"name": name, "image": "i", "ports": ports})
}

fn pod(node: &str, rng: &mut Rng) -> Value {
    let mut init = Vec::new();
    if sometimes(2, rng) {
        let mut container = container("init", &["sidecar", "http"], rng);
        if rng.bool() {
            container["restartPolicy"] = "Always".into();
        }
        init.push(container);
    }
    let mut spec = json!({
        "nodeName": node,
        "containers": [
            container("main", &["http", "metrics"], rng),
            container("other", &["http", "metrics"], rng)],
        "initContainers": init,
    });
    if sometimes(4, rng) {
        spec["hostNetwork"] = true.into();
    }
    if sometimes(2, rng) {
        spec["hostname"] = one_of(&["", "host"], rng).into();
        spec["subdomain"] = one_of(&["svc-0", "svc-1", "svc-2", ""], rng).into();
    }
    let first = rng.usize(0..10);
    let mut ips = vec![ADDRESSES[first].0];
    if sometimes(3, rng) {
        // The second one is of the other family.
        ips.push(if first < 6 { "fd00::2" } else { "10.0.0.4" });
    }
    if sometimes(8, rng) {
        ips.clear();
    }
    let mut status = json!({
        "phase": one_of(&["Running", "Running", "Running", "Running", "Running", "Pending", "Failed", "Succeeded"], rng),
        "podIPs": ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>(),
    });
    if let Some(ip) = ips.first() {
        status["podIP"] = (*ip).into();
    }
    if let Some(ready) =
        one_of(&[None, Some("True"), Some("True"), Some("False"), Some("Unknown")], rng)
    {
        status["conditions"] =
            json!([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready}]);
    }
    let mut metadata = json!({"labels": pairs(rng), "uid": "u"});
    if sometimes(6, rng) {
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    }
    json!({"metadata": metadata, "spec": spec, "status": status})
}

/// Of a Service that may or may not have a selector, or exist.
fn slice_by_hand(number: usize, rng: &mut Rng) -> Value {
    let namespace = one_of(&NAMESPACES, rng);
    let mut endpoint = json!({"addresses": ["192.0.2.77"]});
    match rng.u8(0..3) {
        0 => endpoint["nodeName"] = one_of(&NODES, rng).into(),
        1 => {
            endpoint["targetRef"] = json!({"kind": "Pod", "namespace": namespace,
                "name": format!("pod-{}", rng.usize(0..14))});
        }
        _ => {}
    }
    json!({"metadata": {"name": format!("by-hand-{number}"), "namespace": namespace,
            "labels": {"kubernetes.io/service-name": format!("svc-{}", rng.usize(0..8))}},
        "addressType": "IPv4", "endpoints": [endpoint],
        "ports": [{"name": "p", "port": 77, "protocol": "TCP"}]})
}
