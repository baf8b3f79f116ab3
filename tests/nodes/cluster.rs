//! A cluster of real nodes: a control plane, kubelets, and what the tests ask of them.

use super::api::Api;
use super::control_plane::{self, ControlPlane};
use super::node::{self, NAMES, Node};
use super::patience::eventually;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// Ends, with all of its processes, when it is dropped.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    nodes: RwLock<Vec<Node>>,
    pub(crate) plane: ControlPlane,
}

// === impl Cluster ===

impl Cluster {
    /// Starts one, and waits until its nodes are ready.
    pub(crate) async fn start() -> Self {
        node::make_network();
        let plane = ControlPlane::start_for(&NAMES);
        let api = Api::of(&plane).await;
        let cluster = Self { api, nodes: RwLock::default(), plane };
        for name in NAMES {
            cluster.add(name);
        }
        for name in NAMES {
            cluster.is_ready(name).await;
        }
        cluster
    }

    /// Starts a node, which is not there or is dead.
    pub(crate) fn add(&self, name: &'static str) {
        let node = Node::start(name, &self.plane.ca_file());
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).push(node);
    }

    /// Pulls a node's plug: all that runs on it is dead at once. Its disk is kept.
    pub(crate) fn kill(&self, name: &str) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|node| node.name != name);
    }

    /// What `use_it` makes of a running node.
    pub(crate) fn node<T>(&self, name: &str, use_it: impl FnOnce(&Node) -> T) -> T {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        use_it(nodes.iter().find(|node| node.name == name).expect("it runs"))
    }

    /// Waits until a node says that it takes Pods.
    pub(crate) async fn is_ready(&self, name: &str) {
        eventually(&format!("{name} is ready"), || async {
            let list = self.api.get("/api/v1/nodes").await;
            let of_name = |node: &&Value| node["metadata"]["name"] == name;
            let node = list["items"].as_array().expect("a list").iter().find(of_name);
            match node.map(condition_of_ready) {
                Some(Some(true)) => Ok(()),
                other => Err(format!("{other:?}; see {}", self.log_of(name).display())),
            }
        })
        .await;
    }

    /// How to come in from the outside.
    #[expect(clippy::print_stdout, reason = "it is for somebody who looks around")]
    pub(crate) fn print_way_in(&self) {
        let binaries = control_plane::binary("kubectl");
        println!(
            "Look around by\n  nsenter --net --target $(pgrep -f 'kube-apiserver.*address=10.96.0.1') \\\n    {} --kubeconfig {} get pods -A -o wide",
            binaries.display(),
            self.plane.kubeconfig().display()
        );
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.node(name, |node| node.folder().join("kubelet.log"))
    }

    /// Applies a file of `tests/nodes/objects`.
    pub(crate) fn apply(&self, file: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/objects").join(file);
        self.kubectl(&["apply", "--server-side", "-f", file.to_str().expect("UTF-8")]);
    }

    /// Runs kubectl; it must succeed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.plane.kubectl(arguments)
    }

    /// Waits until a DaemonSet or Deployment, as `KIND/NAME`, has all its Pods as they shall be now.
    pub(crate) fn rolled_out(&self, namespace: &str, of: &str) {
        self.kubectl(&["-n", namespace, "rollout", "status", of, "--timeout=300s"]);
    }

    /// The Pods of a namespace with that label selector.
    pub(crate) async fn pods(&self, namespace: &str, selector: &str) -> Vec<Value> {
        let selector = selector.replace('=', "%3D").replace(',', "%2C");
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}");
        let mut list = self.api.get(&path).await;
        serde_json::from_value(list["items"].take()).expect("a list")
    }

    /// Of these, those that nobody has deleted.
    pub(crate) async fn staying_pods(&self, namespace: &str, selector: &str) -> Vec<Value> {
        let mut pods = self.pods(namespace, selector).await;
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods
    }

    /// Runs a Pod, and waits until it is ready.
    pub(crate) async fn run_a_pod(&self) {
        eventually("a Pod can be made", || async {
            self.plane.try_kubectl(&["run", "one", "--image=test.local/pause:1"])
        })
        .await;
        self.kubectl(&["wait", "pod/one", "--for=condition=Ready", "--timeout=120s"]);
    }
}

/// Whether a node or Pod says that it is ready; `None` if it says nothing.
pub(crate) fn condition_of_ready(object: &Value) -> Option<bool> {
    let conditions = object["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    Some(ready["status"] == "True")
}
