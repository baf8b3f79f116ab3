//! What the workload controllers, the scheduler and the kubelets would do to Pods, one step at a
//! time.
//!
//! Each step is one write, as in a cluster; which steps there are, and when, is the caller's story.

use super::endpoint_controller::{self, NAME_LETTERS, is_terminating, text};
use super::server::Simulator;
use super::store::now;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A cluster whose Pods live and die in a simulator.
#[derive(Debug)]
pub struct Cluster {
    simulator: Simulator,
    rng: fastrand::Rng,
    /// The last Pod address that each node gave away. Addresses come around late, so a new Pod
    /// does not look like the one before it.
    last_address: BTreeMap<String, u8>,
}

/// A Pod by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

// === impl Cluster ===

impl Cluster {
    /// The cluster in that simulator; its Nodes have `spec.podCIDRs`.
    pub fn new(simulator: Simulator, rng: fastrand::Rng) -> Self {
        Self { simulator, rng, last_address: BTreeMap::new() }
    }

    /// The simulator.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Where its chances come from.
    pub fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.rng
    }

    /// Lets the endpoint controllers catch up.
    pub fn sync_endpoints(&self) {
        endpoint_controller::sync(&self.simulator);
    }

    /// Writes a new ReplicaSet of a Deployment; gives it back.
    pub fn new_replica_set(&mut self, deployment: &Value) -> Arc<Value> {
        let hash = self.letters(10);
        let name = format!("{}-{hash}", text(&deployment["metadata"]["name"]));
        let mut template = deployment["spec"]["template"].clone();
        template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
        self.write(json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": owned(deployment, &name, &template["metadata"]["labels"]),
            "spec": {"replicas": deployment["spec"]["replicas"], "template": template},
        }))
    }

    /// Writes a new Job of a CronJob; gives it back.
    pub fn new_job(&mut self, cron_job: &Value) -> Arc<Value> {
        let minute = self.rng.u32(29_000_000..29_900_000); // what the real controller appends
        let name = format!("{}-{minute}", text(&cron_job["metadata"]["name"]));
        let mut spec = cron_job["spec"]["jobTemplate"]["spec"].clone();
        spec["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] = json!(name);
        self.write(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": owned(cron_job, &name, &spec["template"]["metadata"]["labels"]),
            "spec": spec,
        }))
    }

    /// Creates a Pod of `owner`, from its template, bound to `node`; pending, without addresses.
    /// Without a name it gets a random one, as of a ReplicaSet.
    pub fn create(&mut self, owner: &Value, name: Option<String>, node: &str) -> PodName {
        let name = name
            .unwrap_or_else(|| format!("{}-{}", text(&owner["metadata"]["name"]), self.letters(5)));
        let template = &owner["spec"]["template"];
        let mut metadata = owned(owner, &name, &template["metadata"]["labels"]);
        if let Some(annotations) = template["metadata"].get("annotations") {
            metadata["annotations"] = annotations.clone();
        }
        let mut spec = template["spec"].clone();
        spec["nodeName"] = json!(node);
        if spec["subdomain"].is_string() {
            spec["hostname"] = json!(name);
        }
        self.write(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": spec,
            "status": {"phase": "Pending", "conditions": conditions(false)},
        }));
        PodName { namespace: text(&owner["metadata"]["namespace"]).to_owned(), name }
    }

    /// The containers run, and the Pod has its addresses; it is not ready yet.
    pub fn start(&mut self, pod: &PodName) {
        let Some(object) = self.pod(pod) else { return };
        let node = text(&object["spec"]["nodeName"]);
        let Some(node) = self.simulator.get("Node", "", node) else {
            return;
        };
        let host_ips = node_addresses(&node);
        let ips = match object["spec"]["hostNetwork"] == true {
            true => host_ips.clone(),
            false => self.next_addresses(&node),
        };
        let list = |ips: &[String]| ips.iter().map(|ip| json!({ "ip": ip })).collect::<Vec<_>>();
        let containers = container_statuses(&object, self.rng.u64(..));
        self.update(pod, |object| {
            object["status"] = json!({
                "phase": "Running",
                "startTime": now(),
                "hostIP": host_ips.first(),
                "hostIPs": list(&host_ips),
                "podIP": ips.first(),
                "podIPs": list(&ips),
                "conditions": conditions(false),
                "containerStatuses": containers,
            });
        });
    }

    /// The Pod becomes ready, or is no longer.
    pub fn set_ready(&self, pod: &PodName, ready: bool) {
        self.update(pod, |object| {
            object["status"]["conditions"] = conditions(ready);
            let statuses = object["status"]["containerStatuses"].as_array_mut();
            for status in statuses.into_iter().flatten() {
                status["ready"] = json!(ready);
            }
        });
    }

    /// A container crashed: one restart more, not ready.
    pub fn crash(&self, pod: &PodName) {
        self.set_ready(pod, false);
        self.update(pod, |object| {
            let count = &mut object["status"]["containerStatuses"][0]["restartCount"];
            *count = json!(count.as_u64().unwrap_or(0) + 1);
        });
    }

    /// The Pod is being deleted; it still runs, but is no longer ready.
    pub fn terminate(&self, pod: &PodName) {
        self.update(pod, |object| {
            object["metadata"]["deletionTimestamp"] = json!(now());
            object["metadata"]["deletionGracePeriodSeconds"] = json!(30);
            object["status"]["conditions"] = conditions(false);
        });
    }

    /// The Pod is gone.
    pub fn remove(&self, pod: &PodName) {
        self.simulator.delete("Pod", &pod.namespace, &pod.name);
    }

    /// Takes a node out of scheduling, or back in.
    pub fn cordon(&self, node: &str, unschedulable: bool) {
        let changed = self.simulator.update("Node", "", node, |node| {
            let spec = node["spec"].as_object_mut();
            if let Some(spec) = spec {
                spec.remove("unschedulable");
                if unschedulable {
                    spec.insert("unschedulable".to_owned(), json!(true));
                }
            }
        });
        changed.expect("a stored Node stays one");
    }

    /// The node that has the fewest Pods of this Service's application: those with the same label
    /// `app.kubernetes.io/name`. Cordoned nodes are left out.
    pub fn schedule(&self, owner: &Value) -> String {
        const NAME: &str = "app.kubernetes.io/name";
        let name = &owner["spec"]["template"]["metadata"]["labels"][NAME];
        let pods = self.simulator.list("Pod");
        let load = |node: &Value| {
            let here = pods.iter().filter(|pod| {
                pod["spec"]["nodeName"] == node["metadata"]["name"] && !is_terminating(pod)
            });
            let same = here.clone().filter(|pod| pod["metadata"]["labels"][NAME] == *name);
            (same.count(), here.count())
        };
        let nodes = self.simulator.list("Node");
        let schedulable = nodes.iter().filter(|node| node["spec"]["unschedulable"] != true);
        let node = schedulable.min_by_key(|node| load(node));
        node.map_or_else(String::new, |node| text(&node["metadata"]["name"]).to_owned())
    }

    /// The object of a Pod, unless it is gone.
    pub fn pod(&self, pod: &PodName) -> Option<Arc<Value>> {
        self.simulator.get("Pod", &pod.namespace, &pod.name)
    }

    fn update(&self, pod: &PodName, change: impl FnOnce(&mut Value)) {
        let changed = self.simulator.update("Pod", &pod.namespace, &pod.name, change);
        changed.expect("a stored Pod stays one");
    }

    /// Writes an object that is complete, and gives it as it is stored.
    fn write(&self, object: Value) -> Arc<Value> {
        let kind = text(&object["kind"]).to_owned();
        let namespace = text(&object["metadata"]["namespace"]).to_owned();
        let name = text(&object["metadata"]["name"]).to_owned();
        let applied = self.simulator.apply(object);
        applied.expect("it is written with a simulated kind and a name");
        let stored = self.simulator.get(&kind, &namespace, &name);
        stored.expect("it was stored a moment ago, and nobody else writes")
    }

    /// The next free address in each of the node's Pod networks.
    fn next_addresses(&mut self, node: &Value) -> Vec<String> {
        let name = text(&node["metadata"]["name"]).to_owned();
        let last = self.last_address.entry(name).or_insert(1); // .1 is the bridge
        *last = if *last == 254 { 2 } else { *last + 1 };
        let networks = node["spec"]["podCIDRs"].as_array().into_iter().flatten();
        networks
            .map(|network| {
                let network = text(network);
                match network.strip_suffix(".0/24") {
                    Some(prefix) => format!("{prefix}.{last}"),
                    None => format!("{}{last:x}", network.trim_end_matches("/64")),
                }
            })
            .collect()
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(NAME_LETTERS[self.rng.usize(..NAME_LETTERS.len())])).collect()
    }
}

// === impl PodName ===

impl PodName {
    /// Of a stored Pod.
    pub fn of(pod: &Value) -> Self {
        Self {
            namespace: text(&pod["metadata"]["namespace"]).to_owned(),
            name: text(&pod["metadata"]["name"]).to_owned(),
        }
    }
}

/// Metadata of an object that `owner` controls.
fn owned(owner: &Value, name: &str, labels: &Value) -> Value {
    json!({
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [{
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": true,
            "blockOwnerDeletion": true,
        }],
    })
}

fn conditions(ready: bool) -> Value {
    let word = if ready { "True" } else { "False" };
    json!([
        {"type": "PodScheduled", "status": "True"},
        {"type": "ContainersReady", "status": word},
        {"type": "Ready", "status": word},
    ])
}

fn container_statuses(pod: &Value, id: u64) -> Vec<Value> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers
        .enumerate()
        .map(|(index, container)| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "containerID": format!("containerd://{id:016x}{index:048x}"),
                "ready": false,
                "restartCount": 0,
                "state": {"running": {"startedAt": now()}},
            })
        })
        .collect()
}

fn node_addresses(node: &Value) -> Vec<String> {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    addresses
        .filter(|address| address["type"] == "InternalIP")
        .map(|address| text(&address["address"]).to_owned())
        .collect()
}
