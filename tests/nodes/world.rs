//! A whole system on a cluster, as users run it: the operator, both deployments side by side, what they scrape and
//! what receives it.
//!
//! Deployment E (`manifests/daemonset`, with the complement) is in the namespace `monitoring`, A2
//! (`manifests/operator-daemonset`) in `monitoring-a2`. An external label tells their series apart.

use super::cluster::Cluster;
use super::node;
use super::operator_folder;
use super::patience::eventually;
use super::received::{self, Series};
use super::rules;
use super::state_metrics;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// One of the two deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deployment {
    /// In the external label `deployment`.
    pub(crate) name: &'static str,
    pub(crate) namespace: &'static str,
    /// The DaemonSet of the agents.
    pub(crate) set: &'static str,
    /// The label selector of its Pods.
    selector: &'static str,
    /// In manifests/.
    base: &'static str,
    /// What holds the sidecar's arguments: its kind, its name, and where in it they are.
    sidecar: [&'static str; 3],
}

pub(crate) const E: Deployment = Deployment {
    name: "e",
    namespace: "monitoring",
    set: "node-agent",
    selector: "app.kubernetes.io/name=node-agent",
    base: "overlays/daemonset-complement",
    sidecar: ["DaemonSet", "node-agent", "/spec/template/spec/initContainers/0"],
};
pub(crate) const A2: Deployment = Deployment {
    name: "a2",
    namespace: "monitoring-a2",
    set: "prom-agent-node",
    selector: "app.kubernetes.io/name=prometheus-agent",
    base: "operator-daemonset",
    sidecar: ["PrometheusAgent", "node", "/spec/initContainers/0"],
};
pub(crate) const DEPLOYMENTS: [Deployment; 2] = [E, A2];

/// The namespace whose agents are not theirs to scrape: those come and go beside them.
pub(crate) const OTHERS: &str = "central";
/// The complement of E.
pub(crate) const COMPLEMENT: &str = "deployment/node-agent-complement";
/// Of all exporters, as both deployments scrape them; see `images/exporter.c`.
pub(crate) const SCRAPES: &str = "exporter_scrapes_total{deployment=~'e|a2'}";

/// Ends with its cluster.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    /// The one of no node.
    external: Child,
}

// === impl World ===

impl World {
    /// Installs all of it on a cluster, and waits until it runs.
    pub(crate) async fn install(cluster: Cluster) -> Self {
        let external = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(Path::new(&images()).join("exporter"))
            .arg("9100")
            .spawn()
            .expect("IMAGES is the folder that .ci/build-images prints");
        let world = Self { cluster, external };
        let cluster = &world.cluster;
        for deployment in DEPLOYMENTS {
            let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
            cluster
                .api
                .create(json!({"apiVersion": "v1", "kind": "Namespace",
                    "metadata": {"name": deployment.namespace, "labels": restricted}}))
                .await;
        }
        let crds = operator_folder().join("crds");
        cluster.kubectl(&["apply", "--server-side", "-f", crds.to_str().expect("UTF-8")]);
        eventually("the CRDs are served", || async {
            let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
            cluster.plane.try_kubectl(&wait) // which fails on one that has no conditions yet
        })
        .await;
        cluster.apply("operator.yaml");
        let named = json!({"name": "receiver"});
        cluster
            .api
            .create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": named}))
            .await;
        let state_metrics = state_metrics::start(cluster.plane.kubeconfig()).await;
        cluster.api.create(rules::of_receiver(&state_metrics)).await;
        cluster.apply("receiver.yaml");
        world.apply_all("one").await;
        cluster.apply("shop.yaml");
        for (namespace, of) in [
            ("receiver", "deployment/receiver"),
            ("monitoring", "deployment/prometheus-operator"),
            ("shop", "daemonset/web"),
            ("shop", "daemonset/batch"),
            ("shop", "daemonset/host"),
            ("shop", "deployment/api"),
        ] {
            cluster.rolled_out(namespace, of);
        }
        world
    }

    /// Applies both deployments with the sidecar's image of that tag, and waits until they have rolled out.
    pub(crate) async fn apply_all(&self, tag: &str) {
        for deployment in DEPLOYMENTS {
            self.apply(deployment, tag);
        }
        for deployment in DEPLOYMENTS {
            self.rolled_out(deployment).await;
        }
    }

    fn apply(&self, deployment: Deployment, tag: &str) {
        let overlay = self.overlay(deployment, tag);
        let overlay = overlay.to_str().expect("UTF-8");
        self.cluster.kubectl(&["apply", "-k", overlay, "--server-side", "--force-conflicts"]);
    }

    /// Waits until its agents run as they shall be now on all nodes.
    pub(crate) async fn rolled_out(&self, deployment: Deployment) {
        let path = format!(
            "/apis/apps/v1/namespaces/{}/daemonsets?fieldSelector=metadata.name%3D{}",
            deployment.namespace, deployment.set
        );
        eventually("the DaemonSet is there", || async {
            let list = self.cluster.api.get(&path).await;
            let found = list["items"].as_array().is_some_and(|items| !items.is_empty());
            if found { Ok(()) } else { Err(format!("no {}", deployment.set)) }
        })
        .await;
        self.cluster.rolled_out(deployment.namespace, &format!("daemonset/{}", deployment.set));
        if deployment == E {
            self.cluster.rolled_out(E.namespace, COMPLEMENT);
        }
    }

    /// The Pods of its agents; the complement's is not among them.
    pub(crate) async fn agents(&self, deployment: Deployment) -> Vec<Value> {
        self.cluster.staying_pods(deployment.namespace, deployment.selector).await
    }

    /// A kustomization of that deployment for this cluster. What is changed is what a user would (the receiver, the
    /// interval, external labels, the image) and what would otherwise take minutes.
    fn overlay(&self, deployment: Deployment, tag: &str) -> PathBuf {
        let Deployment { name, namespace, base, sidecar: [kind, object, path], .. } = deployment;
        let overlay = self.cluster.plane.folder().join(format!("overlay-{name}"));
        std::fs::create_dir_all(&overlay).expect("a folder of ours");
        let agreed = json!([
            {"op": "replace", "path": "/spec/remoteWrite", "value": received::remote_write()},
            {"op": "replace", "path": "/spec/scrapeInterval", "value": "2s"},
            {"op": "add", "path": "/spec/podMonitorNamespaceSelector",
                "value": {"matchExpressions": [{"key": "kubernetes.io/metadata.name",
                    "operator": "NotIn", "values": [OTHERS]}]}},
            {"op": "add", "path": "/spec/externalLabels",
                "value": {"cluster": "one", "deployment": name}}]);
        let quick = ["--refresh-interval=2s", "--config-spread=2s"];
        let quick_at = |path: &str| -> Vec<Value> {
            let path = format!("{path}/args/-");
            let add = |value: &&str| json!({"op": "add", "path": path, "value": value});
            quick.iter().map(add).collect()
        };
        // A rollout waits so long for each node.
        let soon = json!({"op": "replace", "path": "/spec/minReadySeconds", "value": 2});
        let mut of_sidecar = quick_at(path);
        of_sidecar.push(soon.clone());
        let mut patches = vec![
            json!({"target": {"kind": "PrometheusAgent"}, "patch": agreed.to_string()}),
            json!({"target": {"kind": kind, "name": object},
                "patch": Value::from(of_sidecar).to_string()}),
        ];
        // The metrics that the rules ask for; the rest would be most of the samples.
        let few = json!([{"sourceLabels": ["__name__"], "action": "keep",
            "regex": "nodelocal_sd_.*|prometheus_build_info|prometheus_target_scrape_pool_targets|prometheus_(sd|config|agent|remote)_.*|reloader_.*"}]);
        let few: Vec<Value> = (0..3)
            .map(|at| {
                json!({"op": "add", "value": few,
            "path": format!("/spec/podMetricsEndpoints/{at}/metricRelabelings")})
            })
            .collect();
        patches
            .push(json!({"target": {"kind": "PodMonitor"}, "patch": Value::from(few).to_string()}));
        if deployment == E {
            let mut of_complement = quick_at("/spec/template/spec/initContainers/0");
            of_complement.push(soon);
            patches.push(json!({"target": {"kind": "Deployment"},
                "patch": Value::from(of_complement).to_string()}));
        } else {
            // Two deployments in one cluster: what has no namespace would be the same twice.
            for binding in ["nodelocal-sd", "node-agent-scraping"] {
                let rename = json!([{"op": "replace", "path": "/metadata/name",
                    "value": format!("{binding}-{name}")}]);
                patches.push(json!({"target": {"kind": "ClusterRoleBinding", "name": binding},
                    "patch": rename.to_string(), "options": {"allowNameChange": true}}));
            }
        }
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(base);
        let up = "../".repeat(overlay.components().count() - 1);
        let base = format!("{up}{}", base.strip_prefix("/").expect("absolute").display());
        let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization", "namespace": namespace, "resources": [base], "patches": patches,
            "images": [{"name": "nodelocal-sd", "newName": "registry.example/nodelocal-sd", "newTag": tag}]});
        std::fs::write(overlay.join("kustomization.yaml"), kustomization.to_string())
            .expect("a folder of ours");
        overlay
    }

    /// Waits until what is live at the receiver is what shall be.
    pub(crate) async fn settles(&self, what: &str) {
        eventually(what, || async {
            let expected = self.expected().await;
            let live = received::live(SCRAPES).await?;
            let live: Vec<String> = live.iter().map(Self::line).collect();
            let once: BTreeSet<String> = live.iter().cloned().collect();
            let missing: Vec<_> = expected.difference(&once).collect();
            let beyond: Vec<_> = once.difference(&expected).collect();
            if !missing.is_empty() || !beyond.is_empty() {
                return Err(format!("missing {missing:#?}, beyond {beyond:#?}"));
            }
            if live.len() == once.len() { Ok(()) } else { Err(format!("twice: {live:#?}")) }
        })
        .await;
    }

    /// The node of each Pod of the shop, by its name.
    pub(crate) async fn nodes_of_pods(&self) -> BTreeMap<String, String> {
        let pods = self.cluster.pods("shop", "app").await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let placed =
            |pod: &Value| text(&pod["metadata"]["name"]).zip(text(&pod["spec"]["nodeName"]));
        pods.iter().filter_map(placed).collect()
    }

    /// What identifies a target: who scraped what, and what it says of itself.
    pub(crate) fn line(series: &Series) -> String {
        let label = |name| series.label(name);
        let place =
            [label("deployment"), label("job"), label("pod"), label("instance"), label("self")];
        place.join(" ")
    }

    /// What shall be live, from what the API server says: each Pod of the shop once in each deployment, those of the
    /// Service that prefers IPv6 at that address, and in E, which has a complement, what belongs to no node.
    pub(crate) async fn expected(&self) -> BTreeSet<String> {
        let mut expected = BTreeSet::new();
        for pod in self.cluster.pods("shop", "app").await {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (name, app) =
                (text(&pod["metadata"]["name"]), text(&pod["metadata"]["labels"]["app"]));
            let on_host = pod["spec"]["hostNetwork"] == true;
            let myself = if on_host { text(&pod["spec"]["nodeName"]) } else { name.clone() };
            let port = if on_host { 9101 } else { 9100 };
            let running = pod["status"]["phase"] == "Running"
                && pod["metadata"]["deletionTimestamp"].is_null();
            let ips = pod["status"]["podIPs"].as_array().cloned().unwrap_or_default();
            let first = usize::from(app == "web");
            let Some(ip) = ips.get(first).filter(|_| running).map(|ip| text(&ip["ip"])) else {
                continue;
            };
            let ip = if ip.contains(':') { format!("[{ip}]") } else { ip };
            let job = if app == "batch" { "shop/batch" } else { &*app };
            for deployment in DEPLOYMENTS {
                expected.insert(format!("{} {job} {name} {ip}:{port} {myself}", deployment.name));
            }
        }
        let this = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("proc is mounted");
        expected.insert(format!("e external  {}:9100 {}", node::BRIDGE, this.trim()));
        expected
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.external.kill();
        let _ = self.external.wait();
    }
}

/// The folder that `.ci/build-images` prints.
fn images() -> PathBuf {
    std::env::var_os("IMAGES")
        .expect("IMAGES must name the folder that .ci/build-images prints")
        .into()
}
