//! The kinds of objects that the simulator serves.

use serde_json::Value;

/// A kind: how it is named in objects and in URLs, and what can be selected on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// API group; empty for the core group. The version is `v1` for all of them.
    pub(super) group: &'static str,
    /// `Pod`
    pub(super) name: &'static str,
    /// `pods`, as in URLs; unique in [`KINDS`].
    pub(super) plural: &'static str,
    /// Whether objects live in namespaces.
    pub(super) namespaced: bool,
    /// The fields that field selectors may name.
    pub(super) fields: &'static [&'static str],
}

/// What the API server selects on where a kind has no conversion of its own (`k8s.io/apimachinery`,
/// `DefaultMetaV1FieldSelectorConversion`).
const METADATA: &[&str] = &["metadata.name", "metadata.namespace"];

/// Everything that is served. Field lists are those of `kubernetes/pkg/apis/*/v1/conversion.go`.
pub(super) static KINDS: &[Kind] = &[
    kind("", "Namespace", "namespaces", false, &["metadata.name", "status.phase"]),
    kind("", "Node", "nodes", false, &["metadata.name", "spec.unschedulable"]),
    kind(
        "",
        "Pod",
        "pods",
        true,
        &[
            "metadata.name",
            "metadata.namespace",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
    ),
    kind("", "Service", "services", true, METADATA),
    kind("", "Endpoints", "endpoints", true, METADATA),
    kind("apps", "DaemonSet", "daemonsets", true, METADATA),
    kind("apps", "Deployment", "deployments", true, METADATA),
    kind(
        "apps",
        "ReplicaSet",
        "replicasets",
        true,
        &["metadata.name", "metadata.namespace", "status.replicas"],
    ),
    kind("apps", "StatefulSet", "statefulsets", true, METADATA),
    kind("batch", "CronJob", "cronjobs", true, METADATA),
    kind(
        "batch",
        "Job",
        "jobs",
        true,
        &["metadata.name", "metadata.namespace", "status.successful"],
    ),
    kind("discovery.k8s.io", "EndpointSlice", "endpointslices", true, METADATA),
    kind("networking.k8s.io", "Ingress", "ingresses", true, METADATA),
];

const fn kind(
    group: &'static str,
    name: &'static str,
    plural: &'static str,
    namespaced: bool,
    fields: &'static [&'static str],
) -> Kind {
    Kind { group, name, plural, namespaced, fields }
}

// === impl Kind ===

impl Kind {
    /// The kind of an object with this `apiVersion` and `kind`.
    pub(super) fn of_object(api_version: &str, name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name && kind.api_version() == api_version)
    }

    /// The kind behind a URL.
    pub(super) fn of_url(group: &str, plural: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.group == group && kind.plural == plural)
    }

    /// The kind with this name or plural: `Pod` or `pods`.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name || kind.plural == name)
    }

    /// The kind whose cluster-wide list has this path: `/api/v1/pods`.
    pub(super) fn of_list_path(path: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.list_path() == path)
    }

    /// `v1`, `apps/v1`
    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        }
    }

    fn list_path(&self) -> String {
        match self.group {
            "" => format!("/api/v1/{}", self.plural),
            group => format!("/apis/{group}/v1/{}", self.plural),
        }
    }

    /// `pods`, `replicasets.apps`: how error messages name the resource.
    pub(super) fn qualified_plural(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Why `field` cannot be selected on, in the API server's words.
    pub(super) fn unknown_field(&self, field: &str) -> String {
        if self.fields == METADATA {
            format!(
                "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            )
        } else {
            format!("field label not supported: {field}")
        }
    }

    /// The value of a selectable field, as the API server writes it.
    pub(super) fn field<'a>(&self, object: &'a Value, field: &str) -> &'a str {
        // The server never fills this one in, although it accepts it.
        if field == "status.podIPs" {
            return "";
        }
        let pointer = format!("/{}", field.replace('.', "/"));
        match object.pointer(&pointer) {
            Some(Value::String(text)) => text,
            Some(Value::Bool(true)) => "true",
            Some(Value::Bool(false)) => "false",
            _ => match field {
                "spec.hostNetwork" | "spec.unschedulable" => "false",
                "spec.restartPolicy" => "Always",
                "spec.schedulerName" => "default-scheduler",
                _ => "",
            },
        }
    }
}
