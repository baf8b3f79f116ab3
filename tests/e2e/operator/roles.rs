//! Processes in the roles of Pods: for each replica of a StatefulSet, each node of a DaemonSet and each replica of a
//! Deployment, the commands of its containers, with a folder for each volume. The controllers that make Pods of them, and the
//! kubelets that would start these, are played here too; several agents run at once, so they share no port.

use super::super::api::Api;
use super::super::control_plane::{ControlPlane, free_ports};
use super::super::random_cluster::NODES;
use super::super::support::http::{eventually, get};
use super::super::support::prometheus::{Prometheus, binaries};
use super::install::{folder, secret, secret_bytes};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// What runs in a namespace.
pub(crate) struct Roles<'a> {
    plane: &'a ControlPlane,
    api: &'a Api,
    namespace: &'static str,
    /// By the names of the Pods.
    running: BTreeMap<String, Role>,
}

/// What a Pod would run.
struct Role {
    prometheus: Prometheus,
    _sidecar: Option<Child>,
    _volumes: TempDir,
}

/// A Pod that should be there.
struct Wanted {
    name: String,
    /// The kind and the object that it belongs to.
    owner: (&'static str, Value),
    /// Its node, if it has to be on one.
    node: Option<&'static str>,
}

/// What has Pods, where it is, and its kind.
const WORKLOADS: [(&str, &str); 3] =
    [("statefulsets", "StatefulSet"), ("daemonsets", "DaemonSet"), ("deployments", "Deployment")];

// === impl Roles ===

impl<'a> Roles<'a> {
    pub(crate) fn new(plane: &'a ControlPlane, api: &'a Api, namespace: &'static str) -> Self {
        Self { plane, api, namespace, running: BTreeMap::new() }
    }

    /// The Prometheus of each Pod.
    pub(crate) fn prometheuses(&self) -> impl Iterator<Item = (&str, &str)> {
        self.running.iter().map(|(pod, role)| (&**pod, &*role.prometheus.url))
    }

    /// Starts and ends what the workloads say now, and writes it into their status.
    pub(crate) async fn follow(&mut self) {
        let mut wanted = Vec::new();
        let mut statuses = Vec::new();
        for (plural, kind) in WORKLOADS {
            let list = format!("/apis/apps/v1/namespaces/{}/{plural}", self.namespace);
            for object in self.api.get(&list).await["items"].as_array().expect("a list") {
                if object["metadata"]["deletionTimestamp"].is_string() {
                    continue;
                }
                let pods = pods_of(kind, object);
                statuses.push((
                    format!(
                        "{list}/{}/status",
                        object["metadata"]["name"].as_str().expect("a name")
                    ),
                    status(object, pods.len()),
                    object["status"].clone(),
                ));
                wanted.extend(pods);
            }
        }
        let gone: Vec<String> = self
            .running
            .keys()
            .filter(|name| !wanted.iter().any(|wanted| wanted.name == **name))
            .cloned()
            .collect();
        for name in gone {
            self.running.remove(&name); // which ends it
            let pod = [
                "delete",
                "pod",
                "-n",
                self.namespace,
                &name,
                "--ignore-not-found",
                "--grace-period=0",
                "--force",
            ];
            self.plane.kubectl(&pod);
        }
        for wanted in wanted {
            if !self.running.contains_key(&wanted.name) {
                let role = self.start(&wanted).await;
                self.create_pod(&wanted).await;
                self.running.insert(wanted.name, role);
            }
        }
        for (path, status, was) in statuses {
            let differs = |(key, value): (&String, &Value)| {
                let zero = *value == 0 && was[key].is_null();
                was[key] != *value && !zero
            };
            if status.as_object().expect("a mapping").iter().any(differs) {
                self.api.patch(&path, &json!({"status": status})).await;
            }
        }
    }

    /// The object, so that admission and the operator see it. It is ready, because what it runs is.
    async fn create_pod(&self, wanted: &Wanted) {
        let (kind, owner) = &wanted.owner;
        let template = &owner["spec"]["template"];
        let mut spec = template["spec"].clone();
        spec["nodeName"] = wanted.node.unwrap_or(NODES[0]).into();
        spec["terminationGracePeriodSeconds"] = 0.into(); // nobody would say that it has ended
        let metadata = json!({"name": wanted.name, "namespace": self.namespace,
            "labels": template["metadata"]["labels"],
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}]});
        self.api
            .create(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}))
            .await;
    }

    /// Init containers in their order, then Prometheus.
    async fn start(&self, wanted: &Wanted) -> Role {
        let spec = &wanted.owner.1["spec"]["template"]["spec"];
        let volumes = tempfile::tempdir().expect("a temporary folder");
        self.write_volumes(spec, volumes.path()).await;
        let mut sidecar = None;
        for container in spec["initContainers"].as_array().expect("init containers") {
            let mut arguments = arguments(container, volumes.path());
            if container["name"] == "nodelocal-sd" {
                sidecar = Some(self.start_sidecar(wanted, container, arguments).await);
                continue;
            }
            assert_eq!(container["name"], "init-config-reloader");
            arguments.retain(|argument| !argument.starts_with("--listen-address="));
            arguments.push(format!("--listen-address=127.0.0.1:{}", free_ports::<1>()[0]));
            let output = Command::new(folder().join("bin/prometheus-config-reloader"))
                .args(&arguments)
                .env_clear()
                .envs(environment(container, wanted))
                .output()
                .await
                .expect("it can be started");
            assert!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let containers = spec["containers"].as_array().expect("containers").iter();
        let prometheus = containers.into_iter().find(|container| container["name"] == "prometheus");
        let arguments = arguments(prometheus.expect("it is there"), volumes.path());
        assert!(arguments.iter().any(|argument| argument == "--agent"), "{arguments:?}");
        let file = arguments.iter().find_map(|argument| argument.strip_prefix("--config.file="));
        let config =
            std::fs::read_to_string(file.expect("a configuration")).expect("it was written");
        let config = replace_mounts(&config, prometheus.expect("it is there"), volumes.path());
        let binary = binaries().pop().expect("one is named");
        let prometheus = Prometheus::start_as(&binary, &config, &["--agent"]).await;
        Role { prometheus, _sidecar: sidecar, _volumes: volumes }
    }

    async fn start_sidecar(
        &self,
        wanted: &Wanted,
        container: &Value,
        mut arguments: Vec<String>,
    ) -> Child {
        let [listen, admin] = free_ports();
        arguments.extend([
            format!("--listen=127.0.0.1:{listen}"),
            format!("--admin-listen=127.0.0.1:{admin}"),
            format!("--kubeconfig={}", self.plane.kubeconfig().display()),
            "--refresh-interval=1s".to_owned(),
        ]);
        let log = std::fs::File::create(self.plane.folder().join(format!("{}.log", wanted.name)));
        let sidecar = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_nodelocal-sd")])
            .args(&arguments)
            .env_clear()
            .envs(environment(container, wanted))
            .stdin(Stdio::null())
            .stderr(log.expect("a log"))
            .kill_on_drop(true)
            .spawn()
            .expect("it can be started");
        for probe in ["startupz", "readyz"] {
            let url = format!("http://127.0.0.1:{admin}/{probe}");
            eventually(&format!("{} at {probe}", wanted.name), || async { get(&url).await }).await;
        }
        sidecar
    }

    /// A folder for each volume, with the files of Secrets.
    async fn write_volumes(&self, spec: &Value, into: &Path) {
        for volume in spec["volumes"].as_array().expect("volumes") {
            let folder = into.join(volume["name"].as_str().expect("a name"));
            std::fs::create_dir(&folder).expect("a folder");
            let projected = volume["projected"]["sources"].as_array().into_iter().flatten();
            let secrets = projected.map(|source| &source["secret"]).chain([&volume["secret"]]);
            for name in secrets.filter_map(|of| of["secretName"].as_str().or(of["name"].as_str())) {
                let what = format!("the Secret {name} that a kubelet would wait for");
                let secret = eventually(&what, || secret(self.api, self.namespace, name)).await;
                for (key, _) in secret["data"].as_object().into_iter().flatten() {
                    let bytes = secret_bytes(&secret, key).expect("it has that key");
                    std::fs::write(folder.join(key), bytes).expect("a file");
                }
            }
        }
    }
}

fn pods_of(kind: &'static str, object: &Value) -> Vec<Wanted> {
    let name = object["metadata"]["name"].as_str().expect("a name");
    let wanted = |end: &str, node| Wanted {
        name: format!("{name}-{end}"),
        owner: (kind, object.clone()),
        node,
    };
    if kind == "DaemonSet" {
        return NODES.iter().map(|node| wanted(node, Some(*node))).collect();
    }
    let replicas = object["spec"]["replicas"].as_u64().expect("replicas");
    (0..replicas).map(|number| wanted(&number.to_string(), None)).collect()
}

/// The status of a workload whose Pods are all there.
fn status(object: &Value, pods: usize) -> Value {
    let generation = &object["metadata"]["generation"];
    match object["spec"]["replicas"].is_null() {
        true => {
            json!({"observedGeneration": generation, "desiredNumberScheduled": pods, "currentNumberScheduled": pods,
            "updatedNumberScheduled": pods, "numberReady": pods, "numberAvailable": pods, "numberMisscheduled": 0})
        }
        false => {
            json!({"observedGeneration": generation, "replicas": pods, "updatedReplicas": pods,
            "readyReplicas": pods, "availableReplicas": pods})
        }
    }
}

/// The arguments of a container, with the folders of its volumes.
fn arguments(container: &Value, volumes: &Path) -> Vec<String> {
    let arguments = container["args"].as_array().expect("arguments").iter();
    let texts = arguments.map(|argument| argument.as_str().expect("a text"));
    texts.map(|argument| replace_mounts(argument, container, volumes)).collect()
}

fn replace_mounts(text: &str, container: &Value, volumes: &Path) -> String {
    let mounts = container["volumeMounts"].as_array().expect("mounts").iter();
    let mut places: Vec<(&str, PathBuf)> = mounts
        .map(|mount| {
            let of = |key: &str| mount[key].as_str().expect("a text");
            (of("mountPath"), volumes.join(of("name")))
        })
        .collect();
    // /etc/prometheus/config begins as /etc/prometheus/config_out does.
    places.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    places.iter().filter(|(path, _)| path.len() > "/prometheus".len()).fold(
        text.to_owned(),
        |text, (path, place)| {
            text.replace(&format!("{path}/"), &format!("{}/", place.display()))
                .replace(&format!("={path}"), &format!("={}", place.display()))
        },
    )
}

fn environment(container: &Value, wanted: &Wanted) -> Vec<(String, String)> {
    let variables = container["env"].as_array().into_iter().flatten();
    let value = |variable: &Value| match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("spec.nodeName") => wanted.node.unwrap_or(NODES[0]).to_owned(),
        Some("metadata.name") => wanted.name.clone(),
        Some("metadata.namespace") => {
            wanted.owner.1["metadata"]["namespace"].as_str().expect("one").to_owned()
        }
        Some(other) => panic!("a kubelet would know {other}"),
        None => variable["value"].as_str().unwrap_or_default().to_owned(),
    };
    variables
        .map(|variable| (variable["name"].as_str().expect("a name").to_owned(), value(variable)))
        .collect()
}
