//! Objects as the API server would send them, with the fields that are read, and no others: decoding gives an
//! equal object.

use crate::objects::{
    Container, Endpoint, EndpointAddress, EndpointSlice, EndpointSubset, Endpoints, Metadata,
    Namespace, Node, Pod, Service, StringMap, TargetPort, TargetRef,
};
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// An object that can be saved.
pub(super) trait Encode {
    /// Its JSON.
    fn json(&self) -> Value;
}

impl Encode for Pod {
    fn json(&self) -> Value {
        let ready = self.ready.iter().map(|status| json!({"type": "Ready", "status": status}));
        let ips = self.ips.iter().map(|ip| json!({"ip": ip}));
        let mut metadata = metadata(&self.meta);
        metadata["creationTimestamp"] = time(self.created);
        if self.deleted {
            metadata["deletionTimestamp"] = json!(""); // only whether there is one is read
        }
        json!({
            "metadata": metadata,
            "spec": {
                "nodeName": self.node_name,
                "restartPolicy": self.restart_policy,
                "schedulerName": self.scheduler_name,
                "serviceAccountName": self.service_account_name,
                "hostNetwork": self.host_network,
                "hostname": self.hostname,
                "subdomain": self.subdomain,
                "containers": containers(&self.containers),
                "initContainers": containers(&self.init_containers),
            },
            "status": {
                "phase": self.phase,
                "podIP": self.ip,
                "podIPs": ips.collect::<Vec<_>>(),
                "hostIP": self.host_ip,
                "nominatedNodeName": self.nominated_node_name,
                "conditions": ready.collect::<Vec<_>>(),
                "containerStatuses": statuses(&self.containers),
                "initContainerStatuses": statuses(&self.init_containers),
            },
        })
    }
}

impl Encode for Node {
    fn json(&self) -> Value {
        let addresses =
            self.addresses.iter().map(|one| json!({"type": one.kind, "address": one.address}));
        let conditions =
            self.conditions.iter().map(|one| json!({"type": one.kind, "status": one.status}));
        let mut metadata = metadata(&self.meta);
        metadata["creationTimestamp"] = time(self.created);
        json!({
            "metadata": metadata,
            "spec": {"providerID": self.provider_id, "unschedulable": self.unschedulable},
            "status": {
                "addresses": addresses.collect::<Vec<_>>(),
                "conditions": conditions.collect::<Vec<_>>(),
                "daemonEndpoints": {"kubeletEndpoint": {"Port": self.kubelet_port}},
            },
        })
    }
}

impl Encode for Service {
    fn json(&self) -> Value {
        let ports = self.ports.iter().map(|port| {
            let target = match &port.target {
                TargetPort::Number(number) => json!(number),
                TargetPort::Name(name) => json!(&**name),
            };
            json!({"name": &*port.name, "port": port.number, "protocol": &*port.protocol,
                "appProtocol": port.app_protocol.as_deref(), "targetPort": target})
        });
        let families: Vec<&str> = self.ip_families.iter().map(|family| &**family).collect();
        json!({
            "metadata": metadata(&self.meta),
            "spec": {
                "type": &*self.kind,
                "clusterIP": self.cluster_ip,
                "ipFamilyPolicy": &*self.ip_family_policy,
                "ipFamilies": families,
                "selector": map(&self.selector),
                "ports": ports.collect::<Vec<_>>(),
                "publishNotReadyAddresses": self.publish_not_ready,
            },
        })
    }
}

impl Encode for EndpointSlice {
    fn json(&self) -> Value {
        let ports = self.ports.iter().map(|port| {
            json!({"name": port.name, "protocol": port.protocol, "port": port.number,
                "appProtocol": port.app_protocol})
        });
        json!({
            "metadata": metadata(&self.meta),
            "addressType": self.address_type,
            "ports": ports.collect::<Vec<_>>(),
            "endpoints": self.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        })
    }
}

impl Encode for Endpoints {
    fn json(&self) -> Value {
        let subsets: Vec<Value> = self.subsets.iter().map(subset).collect();
        json!({"metadata": metadata(&self.meta), "subsets": subsets})
    }
}

impl Encode for Namespace {
    fn json(&self) -> Value {
        json!({"metadata": metadata(&self.meta)})
    }
}

fn metadata(meta: &Metadata) -> Value {
    let owners = meta.controller.iter().map(|owner| {
        json!({"controller": true, "kind": owner.kind, "name": owner.name, "uid": owner.uid})
    });
    json!({
        "name": &*meta.key.name,
        "namespace": &*meta.key.namespace,
        "uid": meta.uid,
        "labels": map(&meta.labels),
        "annotations": map(&meta.annotations),
        "ownerReferences": owners.collect::<Vec<_>>(),
    })
}

fn map(map: &StringMap) -> Value {
    map.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect::<Map<_, _>>().into()
}

fn time(time: Option<SystemTime>) -> Value {
    let time = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    json!(time.map(|time| time.to_string()))
}

fn containers(containers: &[Container]) -> Vec<Value> {
    let container = |container: &Container| {
        let ports = container.ports.iter().map(|port| {
            json!({"name": port.name, "containerPort": port.number, "protocol": port.protocol})
        });
        json!({
            "name": container.name,
            "image": container.image,
            "ports": ports.collect::<Vec<_>>(),
            "restartPolicy": container.restarts_always.then_some("Always"),
        })
    };
    containers.iter().map(container).collect()
}

fn statuses(containers: &[Container]) -> Vec<Value> {
    let status = |one: &Container| json!({"name": one.name, "containerID": one.id});
    containers.iter().map(status).collect()
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let conditions = endpoint.conditions;
    json!({
        "addresses": endpoint.addresses,
        "conditions": {"ready": conditions.ready, "serving": conditions.serving,
            "terminating": conditions.terminating},
        "hostname": endpoint.hostname,
        "nodeName": endpoint.node_name,
        "zone": endpoint.zone,
        "targetRef": endpoint.target_ref.as_ref().map(target_ref),
        "deprecatedTopology": map(&endpoint.deprecated_topology),
    })
}

fn subset(subset: &EndpointSubset) -> Value {
    let ports = subset
        .ports
        .iter()
        .map(|port| json!({"name": port.name, "port": port.number, "protocol": port.protocol}));
    json!({
        "addresses": subset.addresses.iter().map(address).collect::<Vec<_>>(),
        "notReadyAddresses": subset.not_ready_addresses.iter().map(address).collect::<Vec<_>>(),
        "ports": ports.collect::<Vec<_>>(),
    })
}

fn address(address: &EndpointAddress) -> Value {
    json!({
        "ip": address.ip,
        "hostname": address.hostname,
        "nodeName": address.node_name,
        "targetRef": address.target_ref.as_ref().map(target_ref),
    })
}

fn target_ref(target: &TargetRef) -> Value {
    json!({"kind": target.kind, "namespace": target.namespace, "name": target.name})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::SliceOfNode;
    use serde::de::{DeserializeOwned, DeserializeSeed};
    use std::fmt::Debug;

    /// Decodes what the API server sends, encodes it, and decodes that.
    fn again<T: Encode + DeserializeOwned + PartialEq + Debug>(sent: &Value) {
        let object: T = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(serde_json::from_value::<T>(object.json()).unwrap(), object);
    }

    fn meta() -> Value {
        json!({"name": "x", "namespace": "n", "uid": "u", "labels": {"a": "b", "c": ""},
            "annotations": {"d": "e\n\"f\""}, "creationTimestamp": "2026-01-02T03:04:05Z",
            "ownerReferences": [{"controller": false, "kind": "No", "name": "no", "uid": "no"},
                {"controller": true, "kind": "ReplicaSet", "name": "r", "uid": "ru"}]})
    }

    /// Each field of each kind differs from its default.
    #[test]
    fn what_is_decoded_again_is_equal() {
        let mut deleted = meta();
        deleted["deletionTimestamp"] = json!("2026-01-02T03:04:06Z");
        let container = |name: &str| {
            json!({"name": name, "image": "i", "restartPolicy": "Always",
                "ports": [{"name": "p", "containerPort": 80, "protocol": "UDP"}]})
        };
        again::<Pod>(&json!({
            "metadata": deleted,
            "spec": {"nodeName": "a", "restartPolicy": "Never", "schedulerName": "s",
                "serviceAccountName": "sa", "hostNetwork": true, "hostname": "h", "subdomain": "sub",
                "containers": [container("one"), container("two")], "initContainers": [container("i")]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd::1"}],
                "hostIP": "10.0.0.2", "nominatedNodeName": "b", "conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [{"name": "two", "containerID": "c://2"}],
                "initContainerStatuses": [{"name": "i", "containerID": "c://i"}]},
        }));
        again::<Pod>(&json!({"metadata": {"name": "bare"}}));
        again::<Node>(&json!({
            "metadata": meta(),
            "spec": {"providerID": "p", "unschedulable": true},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}},
        }));
        again::<Service>(&json!({
            "metadata": meta(),
            "spec": {"type": "ClusterIP", "clusterIP": "None", "ipFamilyPolicy": "SingleStack",
                "ipFamilies": ["IPv6", "IPv4"], "selector": {"a": "b"}, "publishNotReadyAddresses": true,
                "ports": [{"name": "one", "port": 1, "protocol": "UDP", "appProtocol": "http", "targetPort": "t"},
                    {"name": "two", "port": 2, "targetPort": 3}, {"name": "three", "port": 3}]},
        }));
        again::<Endpoints>(&json!({
            "metadata": meta(),
            "subsets": [{"addresses": [{"ip": "10.0.0.1", "hostname": "h", "nodeName": "a",
                    "targetRef": {"kind": "Pod", "namespace": "n", "name": "p"}}],
                "notReadyAddresses": [{"ip": "10.0.0.2"}],
                "ports": [{"name": "p", "port": 1, "protocol": "TCP"}]}],
        }));
        again::<Namespace>(&json!({"metadata": meta()}));
        let slice = json!({
            "metadata": meta(), "addressType": "IPv4",
            "ports": [{"name": "", "protocol": "TCP", "port": 1, "appProtocol": "h"}, {}],
            "endpoints": [{"addresses": ["10.0.0.1"], "hostname": "h", "nodeName": "a", "zone": "z",
                "conditions": {"ready": true, "serving": false, "terminating": true},
                "targetRef": {"kind": "Pod", "namespace": "n", "name": "p"}, "deprecatedTopology": {"k": "v"}},
                {"addresses": ["10.0.0.2"]}],
        });
        let slice = SliceOfNode(Some("a")).deserialize(&slice).unwrap();
        assert_eq!(SliceOfNode(Some("a")).deserialize(&slice.json()).unwrap(), slice);
    }
}
