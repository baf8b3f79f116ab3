//! `attach_metadata`: labels of the Node, the Namespace and the workload.

use super::draft::Draft;
use super::view::View;
use crate::objects::{ObjectKey, Pod};

/// Adds the labels of the Node of that name, if the query asks for them and the Node is known.
pub(super) fn attach_node(draft: &mut Draft, view: &View<'_>, name: &str) {
    if !view.query.attach.node {
        return;
    }
    if let Some(node) = view.node(name) {
        draft.set_metadata("node", &node.meta);
        draft.made_from("Node", &node.meta.key);
    }
}

/// Adds the labels of the Namespace, if the query asks for them and the Namespace is known.
pub(super) fn attach_namespace(draft: &mut Draft, view: &View<'_>, name: &str) {
    if !view.query.attach.namespace {
        return;
    }
    if let Some(namespace) = view.namespace(name) {
        draft.set_labels_and_annotations("namespace", &namespace.meta);
        draft.made_from("Namespace", &namespace.meta.key);
    }
}

/// Adds the names of the Deployment, Job and CronJob, as far as the query asks for them. The
/// name of a Job is that of the Pod's controller; the others are one step further up. Kinds are
/// compared without their API group, as upstream does.
pub(super) fn attach_workload(draft: &mut Draft, view: &View<'_>, pod: &Pod) {
    let attach = view.query.attach;
    let Some(controller) = &pod.meta.controller else {
        return;
    };
    let (kind, owner_kind, label) = match &*controller.kind {
        "ReplicaSet" if attach.deployment => ("ReplicaSet", "Deployment", "pod_deployment_name"),
        "Job" => {
            if attach.job {
                draft.set("pod_job_name", &controller.name);
            }
            if !attach.cronjob {
                return;
            }
            ("Job", "CronJob", "pod_cronjob_name")
        }
        _ => return,
    };
    let owner = view.snapshot.owner_of_owner(pod);
    if let Some(owner) = owner.filter(|owner| *owner.kind == *owner_kind) {
        draft.set(label, &owner.name);
        let key = ObjectKey::new(&pod.meta.key.namespace, &controller.name);
        draft.made_from(kind, &key);
    }
}
