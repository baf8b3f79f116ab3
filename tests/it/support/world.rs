//! A small cluster in the simulator: enough targets to lose some.

use nodelocal_sd::simulator::Simulator;
use serde_json::{Value, json};

/// The node whose sidecar is tested.
pub(crate) const NODE: &str = "node-a";

/// How many Pods the node has: more than the 50 targets that a fault must not touch.
pub(crate) const PODS: usize = 60;

/// A cluster with `PODS` Pods on [`NODE`], owned by a ReplicaSet of a Deployment, selected by a
/// Service with one slice and Endpoints; and so many more Services that their list has a second page.
pub(crate) fn cluster() -> Simulator {
    let simulator = Simulator::new();
    for name in [NODE, "node-b"] {
        put(&simulator, node(name));
    }
    put(
        &simulator,
        json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"team": "checkout"}}}),
    );
    put(
        &simulator,
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "web-1", "namespace": "shop", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": true}]}}),
    );
    for number in 0..PODS {
        put(&simulator, pod(&pod_name(number), NODE, &ip(number)));
    }
    put(&simulator, pod("elsewhere", "node-b", "10.2.0.1"));
    for number in 0..600 {
        put(&simulator, service(&format!("other-{number:03}")));
    }
    put(&simulator, service("web"));
    put(&simulator, slice(0..PODS));
    put(&simulator, endpoints(0..PODS));
    simulator
}

/// The name of a Pod of the Service.
pub(crate) fn pod_name(number: usize) -> String {
    format!("web-{number:03}")
}

fn ip(number: usize) -> String {
    format!("10.1.0.{number}")
}

/// A Node.
pub(crate) fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"zone": "z1"}},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}})
}

/// A running Pod with one port.
pub(crate) fn pod(name: &str, node: &str, ip: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true}]},
        "spec": {"nodeName": node, "containers": [
            {"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}]}})
}

/// A Service.
pub(crate) fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "clusterIP": "10.96.0.1", "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]}})
}

/// The slice of the Service `web`, as the endpointslice controller writes it, with these Pods.
pub(crate) fn slice(numbers: impl IntoIterator<Item = usize>) -> Value {
    let endpoint = |number: usize| {
        json!({"addresses": [ip(number)], "nodeName": NODE, "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": pod_name(number)}})
    };
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "web-abcde", "namespace": "shop", "labels": {
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": numbers.into_iter().map(endpoint).collect::<Vec<_>>()})
}

/// The Endpoints of the Service `web`, as the endpoints controller writes them, with these Pods.
pub(crate) fn endpoints(numbers: impl IntoIterator<Item = usize>) -> Value {
    let address = |number: usize| {
        json!({"ip": ip(number), "nodeName": NODE,
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": pod_name(number)}})
    };
    json!({"apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "shop",
            "labels": {"app": "web", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}},
        "subsets": [{"addresses": numbers.into_iter().map(address).collect::<Vec<_>>(),
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}]})
}

/// The same objects in another simulator, which has none of the faults.
pub(crate) fn copy(simulator: &Simulator) -> Simulator {
    let copy = Simulator::new();
    objects(simulator).for_each(|object| put(&copy, object));
    copy
}

/// All objects.
pub(crate) fn objects(simulator: &Simulator) -> impl Iterator<Item = Value> {
    let kinds = ["Namespace", "Node", "Pod", "ReplicaSet", "Service", "EndpointSlice", "Endpoints"];
    let lists = kinds.map(|kind| simulator.list(kind));
    lists.into_iter().flatten().map(|object| Value::clone(&object))
}

/// Creates or updates an object.
pub(crate) fn put(simulator: &Simulator, object: Value) {
    simulator.apply(object).expect("a good object");
}

/// One more Pod, one Pod less, in the Pods, in the slice and in the Endpoints.
pub(crate) fn change(simulator: &Simulator) {
    put(simulator, pod(&pod_name(PODS), NODE, &ip(PODS)));
    simulator.delete("Pod", "shop", &pod_name(PODS - 1));
    put(simulator, slice((0..PODS - 1).chain([PODS])));
    put(simulator, endpoints((0..PODS - 1).chain([PODS])));
}
