//! The example cluster of `demo`: three nodes and a few Services of each kind.

use super::cluster::{Cluster, PodName};
use super::endpoint_controller::text;
use super::server::Simulator;
use serde_json::Value;
use std::sync::Arc;

/// What users write, and what no controller of ours writes: Nodes, hand-made slices.
const MANIFEST: &str = include_str!("example.yaml");

/// Fills a simulator with the example cluster, all Pods running. The same names every time.
pub fn load(simulator: &Simulator) {
    let objects = serde_saphyr::from_multiple::<Value>(MANIFEST);
    for object in objects.expect("the embedded manifest is YAML") {
        let applied = simulator.apply(object);
        applied.expect("the embedded manifest has simulated objects only");
    }
    let mut cluster = Cluster::new(simulator.clone(), fastrand::Rng::with_seed(7));
    let mut pods = Vec::new();
    for deployment in simulator.list("Deployment") {
        let replica_set = cluster.new_replica_set(&deployment);
        for _ in 0..replicas(&deployment) {
            let node = cluster.schedule(&replica_set);
            pods.push(cluster.create(&replica_set, None, &node));
        }
    }
    for set in simulator.list("StatefulSet") {
        for index in 0..replicas(&set) {
            let node = cluster.schedule(&set);
            let name = format!("{}-{index}", text(&set["metadata"]["name"]));
            pods.push(cluster.create(&set, Some(name), &node));
        }
    }
    for set in simulator.list("DaemonSet") {
        for node in simulator.list("Node") {
            pods.push(cluster.create(&set, None, text(&node["metadata"]["name"])));
        }
    }
    for cron_job in simulator.list("CronJob") {
        let job = cluster.new_job(&cron_job);
        let node = cluster.schedule(&job);
        pods.push(cluster.create(&job, None, &node));
    }
    for pod in &pods {
        cluster.start(pod);
        cluster.set_ready(pod, true);
    }
    refer_to_nodes(simulator);
    cluster.sync_endpoints();
}

/// The Pods of a ReplicaSet, StatefulSet, DaemonSet or Job.
pub(super) fn pods_of(simulator: &Simulator, owner: &Value) -> Vec<(PodName, Arc<Value>)> {
    let pods = simulator.list("Pod");
    let owned = pods
        .into_iter()
        .filter(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]);
    owned.map(|pod| (PodName::of(&pod), pod)).collect()
}

fn replicas(workload: &Value) -> u64 {
    workload["spec"]["replicas"].as_u64().unwrap_or(1)
}

/// Node references carry the uid of the Node, which the manifest cannot know.
fn refer_to_nodes(simulator: &Simulator) {
    for (kind, list) in [("EndpointSlice", "/endpoints"), ("Endpoints", "/subsets/0/addresses")] {
        for object in simulator.list(kind) {
            let mut object = Arc::unwrap_or_clone(object);
            let endpoints = object.pointer_mut(list).and_then(Value::as_array_mut);
            for endpoint in endpoints.into_iter().flatten() {
                let reference = &mut endpoint["targetRef"];
                if reference["kind"] == "Node"
                    && let Some(node) = simulator.get("Node", "", text(&reference["name"]))
                {
                    reference["uid"] = node["metadata"]["uid"].clone();
                }
            }
            let applied = simulator.apply(object);
            applied.expect("a stored object with another uid inside can be stored");
        }
    }
}
