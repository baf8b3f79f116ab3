//! Random clusters: what users and controllers write, and odd things that the API server accepts.
//!
//! Each lives in a namespace of its own, so that many fit into one API server. Real controllers make
//! the slices of its Services; some slices are made by hand.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::HashSet;

/// The Nodes that exist. Some Pods are on one that does not.
pub(crate) const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];
pub(crate) const UNKNOWN_NODE: &str = "node-unknown";

/// The Nodes, with odd metadata.
pub(crate) fn nodes() -> impl Iterator<Item = Value> {
    NODES.iter().enumerate().map(|(number, name)| {
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name,
                "labels": {"topology.kubernetes.io/zone": format!("z{number}"), "Odd-Label.x": "1"},
                "annotations": {"empty": "", "odd/annotation": "quote \" newline \n e-acute \u{e9}"}},
            "spec": {"providerID": format!("fake://{name}")},
            "status": {"addresses": [
                    {"type": "InternalIP", "address": format!("10.0.0.{}", number + 1)},
                    {"type": "Hostname", "address": name}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "conditions": [{"type": "Ready", "status": "True"}]}})
    })
}

/// The objects of one random cluster, in an order in which they can be created. Some refer to Pods
/// of the neighbour, another namespace.
pub(crate) fn cluster(namespace: &str, neighbour: &str, rng: &mut Rng) -> Vec<Value> {
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {"team": "a"}, "annotations": {"note": "b"}}})];
    objects.extend(owners(namespace));
    for number in 0..rng.usize(4..8) {
        objects.extend(service(namespace, number, rng));
    }
    let pods = rng.usize(11..20);
    for number in 0..pods {
        objects.push(pod(namespace, number, rng));
    }
    for number in 0..rng.usize(1..4) {
        objects.push(slice_by_hand(namespace, neighbour, number, pods, rng));
    }
    objects
}

/// What Pods belong to. No controller makes Pods of them.
fn owners(namespace: &str) -> [Value; 4] {
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    let owned = |name: &str, version: &str, kind: &str, owner: &str| {
        let mut metadata = metadata(name);
        metadata["ownerReferences"] = owner_reference(version, kind, owner);
        metadata
    };
    let template = |restart: &str| {
        json!({"metadata": {"labels": {"app": "owned"}},
            "spec": {"restartPolicy": restart, "containers": [{"name": "c", "image": "i"}]}})
    };
    let replicas =
        json!({"selector": {"matchLabels": {"app": "owned"}}, "template": template("Always")});
    let job = json!({"template": template("Never")});
    [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("deployment"), "spec": replicas}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": replicas,
            "metadata": owned("replicas", "apps/v1", "Deployment", "deployment")}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata("cron"),
            "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "spec": job,
            "metadata": owned("job-of-cron", "batch/v1", "CronJob", "cron")}),
    ]
}

/// A reference without its uid, which is known when the object is created.
fn owner_reference(version: &str, kind: &str, name: &str) -> Value {
    json!([{"apiVersion": version, "kind": kind, "name": name, "controller": true}])
}

/// What Services select by.
pub(crate) fn app(rng: &mut Rng) -> &'static str {
    ["a", "b", "c"][rng.usize(0..3)]
}

fn track(rng: &mut Rng) -> &'static str {
    ["stable", "canary"][rng.usize(0..2)]
}

fn protocol(rng: &mut Rng) -> &'static str {
    ["TCP", "TCP", "TCP", "UDP", "SCTP"][rng.usize(0..5)]
}

/// A Service of any kind; one without a selector may have Endpoints, which are mirrored.
fn service(namespace: &str, number: usize, rng: &mut Rng) -> Vec<Value> {
    let name = format!("svc-{number}");
    let mut ports = Vec::new();
    for port in 0..rng.usize(1..4) {
        let target = match rng.u8(0..3) {
            0 => json!(8080 + port),
            1 => json!(["http", "metrics", "missing"][rng.usize(0..3)]),
            _ => json!(9000 + port),
        };
        let mut entry = json!({"name": format!("p{port}"), "port": 80 + port, "targetPort": target, "protocol": protocol(rng)});
        if rng.u8(0..4) == 0 {
            entry["appProtocol"] = "http".into();
        }
        ports.push(entry);
    }
    let mut spec = json!({"ports": ports, "selector": {"app": app(rng)}});
    if rng.u8(0..4) == 0 {
        spec["selector"]["track"] = track(rng).into();
    }
    match rng.u8(0..10) {
        0 => spec["clusterIP"] = "None".into(),
        1 => spec["type"] = "NodePort".into(),
        2 => spec["publishNotReadyAddresses"] = true.into(),
        5 => spec["type"] = "LoadBalancer".into(),
        6 if rng.bool() => {
            spec = json!({"clusterIP": "None", "selector": {"app": app(rng)}}); // without ports
        }
        3 => spec = json!({"type": "ExternalName", "externalName": "x.example.com"}),
        4 => {
            spec.as_object_mut().expect("it is one").remove("selector");
        }
        _ => {}
    }
    if spec["type"] != "ExternalName" {
        let policy =
            ["SingleStack", "SingleStack", "PreferDualStack", "RequireDualStack"][rng.usize(0..4)];
        spec["ipFamilyPolicy"] = policy.into();
        let first = ["IPv4", "IPv4", "IPv6"][rng.usize(0..3)];
        spec["ipFamilies"] = match (policy, first) {
            ("SingleStack", first) => json!([first]),
            (_, "IPv4") => json!(["IPv4", "IPv6"]),
            _ => json!(["IPv6", "IPv4"]),
        };
    }
    let tier = ["front", "back"][rng.usize(0..2)];
    let mut labels = json!({"app.kubernetes.io/name": name, "tier": tier});
    if rng.u8(0..6) == 0 {
        labels["service.kubernetes.io/headless"] = "said-by-the-user".into(); // the controller's own
    }
    let has_no_selector = spec["selector"].is_null() && spec["type"] != "ExternalName";
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace,
            "labels": labels,
            "annotations": {"prometheus.io/scrape": "true"}},
        "spec": spec})];
    if has_no_selector && rng.bool() {
        let node = NODES[rng.usize(0..3)];
        objects.push(json!({"apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": name, "namespace": namespace, "labels": {"by": "hand"}},
            "subsets": [{
                "addresses": [
                    {"ip": "192.0.2.10", "nodeName": node},
                    {"ip": "192.0.2.11", "targetRef": {"kind": "Pod", "namespace": namespace, "name": "pod-0"}},
                    {"ip": "192.0.2.12"}],
                "ports": [{"name": "p0", "port": 8080, "protocol": "TCP"}]}]}));
    }
    objects
}

/// A Pod of any kind.
pub(crate) fn pod(namespace: &str, number: usize, rng: &mut Rng) -> Value {
    let node = match rng.u8(0..12) {
        0 => UNKNOWN_NODE,
        other => NODES[usize::from(other) % 3],
    };
    let mut containers = Vec::new();
    for container in 0..rng.usize(1..4) {
        containers
            .push(json!({"name": format!("c{container}"), "image": format!("img:{container}"),
            "ports": ports(container, rng)}));
    }
    let mut spec =
        json!({"nodeName": node, "containers": containers, "terminationGracePeriodSeconds": 0});
    if rng.u8(0..3) == 0 {
        let mut init = json!([{"name": "init", "image": "init:1", "ports": ports(7, rng)}]);
        if rng.bool() {
            init[0]["restartPolicy"] = "Always".into();
        }
        spec["initContainers"] = init;
    }
    if rng.u8(0..5) == 0 {
        spec["hostname"] = format!("host-{number}").into();
        spec["subdomain"] = format!("svc-{}", rng.u8(0..4)).into();
    }
    if rng.u8(0..10) == 0 {
        spec["hostNetwork"] = true.into();
        unify_host_ports(&mut spec);
    }
    let (v4, v6) = (
        format!("10.{}.{}.{}", rng.u8(1..250), rng.u8(..), number + 1),
        format!("fd00::{:x}:{number:x}", rng.u16(1..)),
    );
    let ips = match rng.u8(0..8) {
        0 => vec![],
        1 => vec![v6],
        2 | 3 => vec![v4, v6],
        _ => vec![v4],
    };
    let ready = rng.u8(0..4) != 0;
    let phase = ["Running", "Running", "Running", "Running", "Pending", "Failed", "Succeeded"]
        [rng.usize(0..7)];
    let mut status = json!({"phase": phase,
        "hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}],
        "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
        "containerStatuses": [{"name": "c0", "image": "img:0", "imageID": "", "ready": ready, "restartCount": 0,
            "containerID": format!("containerd://{number}")}]});
    if let Some(first) = ips.first() {
        status["podIP"] = first.as_str().into();
        status["podIPs"] = ips.iter().map(|ip| json!({"ip": ip})).collect();
    }
    let mut metadata = json!({"name": format!("pod-{number}"), "namespace": namespace,
        "labels": {"app": app(rng), "track": track(rng), "odd.example.com/Y_z-x": "v"},
        "annotations": {"empty": "", "odd/annotation": "quote \" newline \n e-acute \u{e9}"}});
    match rng.u8(0..6) {
        0 => metadata["ownerReferences"] = owner_reference("apps/v1", "ReplicaSet", "replicas"),
        1 => metadata["ownerReferences"] = owner_reference("batch/v1", "Job", "job-of-cron"),
        _ => {}
    }
    if rng.u8(0..10) == 0 {
        metadata["finalizers"] = json!(["example.com/stays"]); // it is deleted later, and stays
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status})
}

fn ports(container: usize, rng: &mut Rng) -> Value {
    let mut ports = Vec::new();
    for port in 0..rng.usize(0..3) {
        let number = match rng.u8(0..3) {
            0 => 8080 + port, // the same in several containers, now and then
            1 => 9000 + port,
            _ => 10_000 + 10 * container + port,
        };
        let mut entry = json!({"containerPort": number, "protocol": protocol(rng)});
        if port == 0 && (container == 0 || rng.bool()) {
            entry["name"] = ["http", "metrics"][rng.usize(0..2)].into();
        }
        ports.push(entry);
    }
    ports.into()
}

/// On the host's network each container port is a host port too, and may be there only once.
fn unify_host_ports(spec: &mut Value) {
    let mut taken = HashSet::new();
    for list in ["containers", "initContainers"] {
        let Some(containers) = spec[list].as_array_mut() else {
            continue;
        };
        for ports in containers.iter_mut().filter_map(|container| container["ports"].as_array_mut())
        {
            ports.retain(|port| {
                taken.insert((port["containerPort"].clone(), port["protocol"].clone()))
            });
            for port in ports {
                port["hostPort"] = port["containerPort"].clone();
            }
        }
    }
}

/// A slice that no controller wrote, with what a hand can get wrong.
pub(crate) fn slice_by_hand(
    namespace: &str,
    neighbour: &str,
    number: usize,
    pods: usize,
    rng: &mut Rng,
) -> Value {
    let mut endpoints = Vec::new();
    for endpoint in 0..rng.usize(1..5) {
        let node = NODES[rng.usize(0..3)];
        let mut entry =
            json!({"addresses": [format!("198.51.100.{}", 10 * number + endpoint + 1)]});
        match rng.u8(0..6) {
            0 => entry["targetRef"] = json!({"kind": "Node", "name": node}),
            5 => {
                let name = format!("pod-{}", rng.usize(0..8));
                entry["targetRef"] = json!({"kind": "Pod", "namespace": neighbour, "name": name});
            }
            1 | 2 => {
                let name = format!("pod-{}", rng.usize(0..pods + 2)); // the last two do not exist
                entry["targetRef"] = json!({"kind": "Pod", "namespace": namespace, "name": name});
            }
            3 => entry["targetRef"] = json!({"kind": "Foo", "name": "bar"}),
            _ => {}
        }
        if rng.bool() && entry["targetRef"]["kind"] != "Pod" && entry["targetRef"]["kind"] != "Node"
        {
            entry["nodeName"] = node.into();
        }
        match rng.u8(0..4) {
            0 => entry["conditions"] = json!({"ready": rng.bool(), "serving": true}),
            1 => entry["conditions"] = json!({"ready": Value::Null, "terminating": rng.bool()}),
            _ => {}
        }
        if rng.bool() {
            entry["zone"] = "by-hand".into();
            entry["hostname"] = "by-hand".into();
        }
        endpoints.push(entry);
    }
    let ports = match rng.u8(0..4) {
        0 => Value::Null,
        1 => json!([{"name": "any"}]), // without a number: all
        _ => {
            json!([{"name": "p", "port": 8080, "protocol": "TCP"}, {"name": "q", "port": 9000 + number, "protocol": "UDP"}])
        }
    };
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("by-hand-{number}"), "namespace": namespace,
            "labels": {"kubernetes.io/service-name": format!("svc-{}", rng.usize(0..7))}},
        "addressType": "IPv4", "ports": ports, "endpoints": endpoints})
}
