//! Pods.

use super::meta::{Metadata, MetadataJson};
use super::store::{ObjectKey, Stored};
use super::wire::null_as_default;
use serde::Deserialize;
use std::time::SystemTime;

/// A Pod, with the fields that labels, field selectors and lookups read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "PodJson")]
pub struct Pod {
    /// Metadata.
    pub meta: Metadata,
    /// `spec.nodeName`; empty while unscheduled.
    pub node_name: Box<str>,
    /// `spec.restartPolicy`.
    pub restart_policy: Box<str>,
    /// `spec.schedulerName`.
    pub scheduler_name: Box<str>,
    /// `spec.serviceAccountName`.
    pub service_account_name: Box<str>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `spec.hostname`.
    pub hostname: Box<str>,
    /// `spec.subdomain`.
    pub subdomain: Box<str>,
    /// `status.nominatedNodeName`.
    pub nominated_node_name: Box<str>,
    /// `status.phase`.
    pub phase: Box<str>,
    /// `status.podIP`; empty while there is none.
    pub ip: Box<str>,
    /// `status.podIPs`: one of each address family at most.
    pub ips: Box<[Box<str>]>,
    /// `status.hostIP`.
    pub host_ip: Box<str>,
    /// The status of the first condition of type `Ready`: `True`, `False`, `Unknown`.
    pub ready: Option<Box<str>>,
    /// Whether `metadata.deletionTimestamp` is set: it is terminating.
    pub deleted: bool,
    /// `metadata.creationTimestamp`.
    pub created: Option<SystemTime>,
    /// `spec.containers`.
    pub containers: Box<[Container]>,
    /// `spec.initContainers`.
    pub init_containers: Box<[Container]>,
}

/// A container, its spec and what its status adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Name.
    pub name: Box<str>,
    /// Image as the spec has it.
    pub image: Box<str>,
    /// `containerID` of the status entry with the same name; empty without one.
    pub id: Box<str>,
    /// Declared ports.
    pub ports: Box<[ContainerPort]>,
    /// Whether its own `restartPolicy` is `Always`: an init container that is a sidecar.
    pub restarts_always: bool,
}

/// A declared port of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPort {
    /// Name; may be empty.
    #[serde(deserialize_with = "null_as_default")]
    pub name: Box<str>,
    /// `containerPort`. Signed, because that is what the API has.
    #[serde(rename = "containerPort", deserialize_with = "null_as_default")]
    pub number: i32,
    /// `TCP`, `UDP` or `SCTP`.
    #[serde(deserialize_with = "null_as_default")]
    pub protocol: Box<str>,
}

#[derive(Deserialize)]
struct PodJson {
    metadata: MetadataJson,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "null_as_default")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SpecJson {
    #[serde(deserialize_with = "null_as_default")]
    node_name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    restart_policy: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    scheduler_name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    service_account_name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    host_network: bool,
    #[serde(deserialize_with = "null_as_default")]
    hostname: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    subdomain: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    containers: Vec<ContainerJson>,
    #[serde(deserialize_with = "null_as_default")]
    init_containers: Vec<ContainerJson>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerJson {
    #[serde(deserialize_with = "null_as_default")]
    name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    image: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<ContainerPort>,
    #[serde(deserialize_with = "null_as_default")]
    restart_policy: Box<str>,
}

// camelCase would look for `podIp` and `hostIp`, and find nothing.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatusJson {
    #[serde(deserialize_with = "null_as_default")]
    phase: Box<str>,
    #[serde(rename = "podIP", deserialize_with = "null_as_default")]
    pod_ip: Box<str>,
    #[serde(rename = "podIPs", deserialize_with = "null_as_default")]
    pod_ips: Vec<IpJson>,
    #[serde(rename = "hostIP", deserialize_with = "null_as_default")]
    host_ip: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    nominated_node_name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    conditions: Vec<ConditionJson>,
    #[serde(deserialize_with = "null_as_default")]
    container_statuses: Vec<ContainerStatusJson>,
    #[serde(deserialize_with = "null_as_default")]
    init_container_statuses: Vec<ContainerStatusJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IpJson {
    #[serde(deserialize_with = "null_as_default")]
    ip: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConditionJson {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    status: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerStatusJson {
    #[serde(deserialize_with = "null_as_default")]
    name: Box<str>,
    #[serde(rename = "containerID", deserialize_with = "null_as_default")]
    container_id: Box<str>,
}

// === impl Pod ===

impl Stored for Pod {
    fn key(&self) -> &ObjectKey {
        &self.meta.key
    }
}

impl From<PodJson> for Pod {
    fn from(PodJson { metadata, spec, status }: PodJson) -> Self {
        let mut ips: Box<[Box<str>]> = status.pod_ips.into_iter().map(|entry| entry.ip).collect();
        if ips.is_empty() && !status.pod_ip.is_empty() {
            ips = [status.pod_ip.clone()].into(); // as the API server fills it in
        }
        Self {
            deleted: metadata.is_deleted(),
            created: metadata.created(),
            meta: metadata.into(),
            node_name: spec.node_name,
            restart_policy: spec.restart_policy,
            scheduler_name: spec.scheduler_name,
            service_account_name: spec.service_account_name,
            host_network: spec.host_network,
            hostname: spec.hostname,
            subdomain: spec.subdomain,
            nominated_node_name: status.nominated_node_name,
            phase: status.phase,
            ip: status.pod_ip,
            ips,
            host_ip: status.host_ip,
            ready: status.conditions.into_iter().find(|c| *c.kind == *"Ready").map(|c| c.status),
            containers: containers(spec.containers, &status.container_statuses),
            init_containers: containers(spec.init_containers, &status.init_container_statuses),
        }
    }
}

fn containers(specs: Vec<ContainerJson>, statuses: &[ContainerStatusJson]) -> Box<[Container]> {
    specs
        .into_iter()
        .map(|spec| Container {
            id: statuses
                .iter()
                .find(|status| status.name == spec.name)
                .map(|status| status.container_id.clone())
                .unwrap_or_default(),
            name: spec.name,
            image: spec.image,
            ports: spec.ports.into(),
            restarts_always: *spec.restart_policy == *"Always",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_names_that_go_writes() {
        let pod: Pod = serde_json::from_str(
            r#"{"metadata":{"name":"p","namespace":"n","labels":null,"managedFields":[{"x":{}}]},
                "spec":{"nodeName":"a","hostNetwork":true,
                        "containers":[{"name":"c","ports":[{"containerPort":80,"name":"h"}]}],
                        "initContainers":null},
                "status":{"podIP":"10.0.0.1","hostIP":"10.0.0.2",
                          "conditions":[{"type":"Ready","status":"True"},
                                        {"type":"Ready","status":"False"}],
                          "containerStatuses":[{"name":"c","containerID":"x://1"}]}}"#,
        )
        .unwrap();
        assert_eq!((&*pod.ip, &*pod.host_ip, &*pod.node_name), ("10.0.0.1", "10.0.0.2", "a"));
        assert_eq!(pod.ready.as_deref(), Some("True"));
        assert_eq!((&*pod.containers[0].id, pod.containers[0].ports[0].number), ("x://1", 80));
        assert!(pod.host_network && pod.init_containers.is_empty());
    }

    #[test]
    fn an_object_without_a_name_is_refused() {
        assert!(serde_json::from_str::<Pod>(r#"{"metadata":{}}"#).is_err());
        assert!(serde_json::from_str::<Pod>(r#"{"spec":{}}"#).is_err());
    }
}
