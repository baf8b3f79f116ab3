//! The manifests, applied to a real API server that the real operator watches, and their Pods' commands
//! started as processes: sidecar, Prometheus, config-reloader.

#![expect(clippy::print_stderr, reason = "how far it is; this takes minutes")]

use super::super::api::Api;
use super::super::block_on;
use super::super::control_plane::ControlPlane;
use super::super::differential::create_nodes;
use super::super::random_cluster::NODES;
use super::super::support::finals::active_at;
use super::super::support::http::{eventually, get};
use super::super::support::prometheus::{Prometheus, binaries};
use super::super::whole_path::{PORT, exporter};
use super::broken;
use super::charts;
use super::corpus::{Certificates, referenced};
use super::install::{Operator, folder, secret, secret_text};
use super::pod::{Image, Pod};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tokio::task::JoinSet;

/// Where the agents are.
pub(crate) const MONITORING: &str = "monitoring";
/// Whose Pods are scraped.
pub(crate) const SHOP: &str = "shop";
/// Where the Pods' Prometheus and config-reloader listen.
pub(crate) const PROMETHEUS: &str = "http://127.0.0.1:9090";
const RELOADER: &str = "http://127.0.0.1:8080";
/// What the operator renders for the shadow.
const SECRETS: [&str; 2] = ["prom-agent-node-shadow", "prom-agent-node-shadow-tls-assets-0"];
/// The sidecar's health checks and metrics.
pub(crate) const ADMIN: &str = "http://127.0.0.1:9912";

/// A cluster with an operator, something to scrape, and a receiver.
pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) api: Api,
    pub(crate) receiver: Prometheus,
    _operator: Operator,
    _exporters: JoinSet<()>,
}

/// One of the ways to deploy.
struct Deployment {
    /// The folder in manifests/.
    base: &'static str,
    /// The DaemonSet.
    set: &'static str,
    /// What a Pod scrapes at first that cannot read what the shadow has.
    at_once: &'static [&'static str],
    /// What patches the sidecar's arguments: the kind of the object, and where in it they are.
    sidecar: (&'static str, &'static str),
}

const DEPLOYMENTS: [Deployment; 2] = [
    Deployment {
        base: "daemonset",
        set: "node-agent",
        at_once: &[],
        sidecar: ("DaemonSet", "/spec/template/spec/initContainers/0/args/-"),
    },
    Deployment {
        base: "operator-daemonset",
        set: "prom-agent-node",
        at_once: &["batch-1"],
        sidecar: ("PrometheusAgent", "/spec/initContainers/0/args/-"),
    },
];

pub(crate) fn manifests_scrape_their_node(_: &ControlPlane) {
    let plane = ControlPlane::start();
    block_on(async {
        let world = World::start(plane).await;
        world.is_accepted(&manifests().join("monitoring"));
        charts::are_accepted(&world.plane);
        for deployment in DEPLOYMENTS {
            eprintln!("manifests/{}", deployment.base);
            world.overlays_are_accepted(deployment.base);
            world.credentials_are_left_out(deployment.base);
            let set = world.apply(&deployment).await;
            has_one_version(&set);
            let mut pod = world.pod(&set, "agent-1").await;
            pod.start().await;
            world.scrapes(&["web-1", "web-2", "batch-1"], None).await;
            edited_monitor_is_one_reload(&world, &mut pod).await;
            pod = rollout_changes_no_series(&world, &set, pod).await;
            broken::leaves_a_running_agent_alone(&world, &mut pod).await;
            pod.stop().await;
            world.delete_pod(&pod);
            broken::does_not_stop_an_agent_that_starts(&world, &set, deployment.at_once).await;
            world.remove(&deployment).await;
            world.edit_monitor(None).await;
        }
    });
}

/// The operator renders for the version that runs.
fn has_one_version(set: &Value) {
    let agreed: Value =
        serde_saphyr::from_str(include_str!("../../../manifests/agreed/agreed.yaml"))
            .expect("YAML");
    let version = agreed["spec"]["version"].as_str().expect("a version");
    let containers = set["spec"]["template"]["spec"]["containers"].as_array().expect("containers");
    let prometheus = containers.iter().find(|container| container["name"] == "prometheus");
    let image = prometheus.expect("it is there")["image"].as_str().expect("an image");
    assert!(image.ends_with(&format!(":{version}")), "{image}");
}

/// Twice: a file that is replaced may be watched once only.
async fn edited_monitor_is_one_reload(world: &World, pod: &mut Pod) {
    for value in ["no", "yes"] {
        // The first attempt fails until Prometheus listens.
        eventually("the reloader has reloaded", || async {
            match metric(RELOADER, "reloader_last_reload_successful").await {
                1 => Ok(()),
                _ => Err("not yet".to_owned()),
            }
        })
        .await;
        let (reloads, writes) = (self::reloads().await, writes().await);
        world.edit_monitor(Some(value)).await;
        world.takes_over(pod, &format!("replacement: \"{value}\"")).await;
        world.scrapes(&["web-1", "web-2", "batch-1"], Some(value)).await;
        // Another write would come after ten seconds, in which there are some twenty scrapes.
        let samples = samples().await;
        eventually("more was scraped", || async {
            let now = self::samples().await;
            if now > samples + 300 { Ok(()) } else { Err(format!("{now}")) }
        })
        .await;
        assert_eq!(self::reloads().await, reloads + 1, "one edit is one reload");
        assert_eq!(self::writes().await, writes + 1, "and one write");
    }
}

/// The agent is replaced by one with another name; what it sends has the same labels.
async fn rollout_changes_no_series(world: &World, set: &Value, mut old: Pod) -> Pod {
    let before = world.series().await;
    assert!(before.len() > 3, "{before:?}");
    old.stop().await;
    world.delete_pod(&old);
    drop(old);
    let mut pod = world.pod(set, "agent-2").await;
    pod.start().await;
    world.scrapes(&["web-1", "web-2", "batch-1"], Some("yes")).await;
    assert_eq!(world.series().await, before);
    pod
}

/// Reloads that the Pod's config-reloader has made.
async fn reloads() -> u64 {
    metric(RELOADER, "reloader_reloads_total").await
}

/// Configurations that the sidecar has written.
async fn writes() -> u64 {
    metric(ADMIN, "nodelocal_sd_config_writes_total{}").await
}

/// Samples that the Pod's Prometheus has appended.
async fn samples() -> u64 {
    metric(PROMETHEUS, "prometheus_agent_samples_appended_total{type=\"float\"}").await
}

pub(crate) async fn metric(url: &str, name: &str) -> u64 {
    let metrics = eventually("metrics", || async { get(&format!("{url}/metrics")).await }).await;
    let sample = format!("{name} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&sample));
    let value: f64 =
        value.unwrap_or_else(|| panic!("{url} has no {name}")).parse().expect("a number");
    value as u64
}

// === impl World ===

impl World {
    async fn start(plane: ControlPlane) -> Self {
        let api = Api::of(&plane).await;
        create_nodes(&api).await;
        let operator = Operator::start(&plane, &[]).await;
        let binary = binaries().pop().expect("one is named");
        let receiver = Prometheus::start_as(
            &binary,
            "scrape_configs: []\n",
            &["--web.enable-remote-write-receiver"],
        )
        .await;
        for (name, labels) in [
            (MONITORING, json!({"pod-security.kubernetes.io/enforce": "restricted"})),
            (SHOP, json!({})),
        ] {
            api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
                .await;
        }
        let mut exporters = JoinSet::new();
        for (number, (name, node)) in
            [("web-1", 0), ("web-2", 0), ("web-9", 1), ("batch-1", 0)].into_iter().enumerate()
        {
            let number = u8::try_from(number).expect("few") + 1;
            exporters.spawn(exporter(&address(number), number).await);
            api.create(app(name, &address(number), NODES[node])).await;
        }
        api.create(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": SHOP, "labels": {"app": "web"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "metrics", "port": 80, "targetPort": PORT}]}}))
            .await;
        for object in referenced(SHOP, &Certificates::new()) {
            api.create(object).await;
        }
        // With certificates, whose files must be where the configuration says.
        let entry = json!({"port": "metrics", "interval": "1s", "scrapeTimeout": "1s",
            "basicAuth": {"username": {"name": "credentials", "key": "user"}, "password": {"name": "credentials", "key": "password"}},
            "tlsConfig": {"ca": {"secret": {"name": "tls", "key": "ca.crt"}}}});
        api.create(json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
            "metadata": {"name": "web", "namespace": SHOP},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "endpoints": [entry]}}))
            .await;
        api.create(json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
            "metadata": {"name": "batch", "namespace": SHOP},
            "spec": {"selector": {"matchLabels": {"app": "batch"}},
                "podMetricsEndpoints": [{"port": "metrics", "interval": "1s", "scrapeTimeout": "1s",
                    "tlsConfig": {"ca": {"configMap": {"name": "public", "key": "ca.crt"}}}}]}}))
            .await;
        Self { plane, api, receiver, _operator: operator, _exporters: exporters }
    }

    /// Applies an overlay of the manifests as a user's: where samples go to, and an image. Times are short. The
    /// DaemonSet that is there then.
    async fn apply(&self, deployment: &Deployment) -> Value {
        let Deployment { base, set, sidecar: (kind, path), .. } = deployment;
        let overlay = self.plane.folder().join(base);
        std::fs::create_dir(&overlay).unwrap();
        let arguments = ["--refresh-interval=1s", "--config-spread=1s"];
        let patch: Vec<Value> = arguments
            .iter()
            .map(|argument| json!({"op": "add", "path": path, "value": argument}))
            .collect();
        let url = format!("{}/api/v1/write", self.receiver.url);
        let receiver =
            json!([{"op": "replace", "path": "/spec/remoteWrite", "value": [{"url": url}]}]);
        let name = if *kind == "DaemonSet" { "node-agent" } else { "node" };
        let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [from(&overlay, &manifests().join(base))],
            "images": [{"name": "nodelocal-sd", "newName": "registry.example/nodelocal-sd", "newTag": "test"}],
            "patches": [
                {"target": {"kind": "PrometheusAgent"}, "patch": receiver.to_string()},
                {"target": {"kind": kind, "name": name}, "patch": Value::from(patch).to_string()}]});
        std::fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        self.kubectl("apply", base, &["--server-side", "--validate=strict"]);
        let path = format!(
            "/apis/apps/v1/namespaces/{MONITORING}/daemonsets?fieldSelector=metadata.name%3D{set}"
        );
        if *kind == "PrometheusAgent" {
            self.operator_may_write_daemonsets();
        }
        eventually("the DaemonSet is there", || async {
            let mut found = self.api.get(&path).await;
            found["items"].get_mut(0).map(Value::take).ok_or_else(|| format!("no {set}"))
        })
        .await
    }

    /// What DaemonSet mode asks of the operator beyond its own ClusterRole.
    fn operator_may_write_daemonsets(&self) {
        let operator = format!("system:serviceaccount:{MONITORING}:prometheus-operator");
        for verb in ["get", "list", "watch", "create", "update", "delete"] {
            // It fails if the answer is no.
            self.plane.kubectl(&["auth", "can-i", verb, "daemonsets.apps", "--as", &operator]);
        }
    }

    /// Whatever selects monitors leaves out those that are labelled as having credentials.
    fn credentials_are_left_out(&self, base: &str) {
        let overlay = manifests().join(format!("overlays/{base}-without-credentials"));
        let objects = self.plane.kubectl(&["kustomize", overlay.to_str().expect("UTF-8")]);
        let objects: Vec<Value> = serde_saphyr::from_multiple(&objects).expect("YAML");
        let agents = objects.iter().filter(|object| object["kind"] == "PrometheusAgent");
        let selectors = agents.flat_map(|agent| {
            ["serviceMonitorSelector", "podMonitorSelector"]
                .map(|selector| &agent["spec"][selector])
        });
        let selectors: Vec<&Value> = selectors.filter(|selector| !selector.is_null()).collect();
        assert_eq!(selectors.len(), 2, "{base}: of ServiceMonitors and of PodMonitors");
        let left_out =
            json!({"key": "monitoring.nodelocal-sd/credentials", "operator": "DoesNotExist"});
        for selector in selectors {
            assert_eq!(*selector, json!({"matchExpressions": [left_out]}), "{base}");
        }
    }

    /// All overlays of that base, tried but not kept.
    fn overlays_are_accepted(&self, base: &str) {
        let overlays = std::fs::read_dir(manifests().join("overlays")).expect("there are some");
        let of_base = overlays.flatten().filter(|overlay| {
            let name = overlay.file_name().into_string().expect("UTF-8");
            name.starts_with(&format!("{base}-"))
        });
        let mut tried = 0;
        for overlay in of_base {
            self.is_accepted(&overlay.path());
            tried += 1;
        }
        assert!(tried > 1, "{base} has no overlays");
    }

    /// Tries a kustomization, and keeps nothing of it.
    fn is_accepted(&self, folder: &Path) {
        let folder = folder.to_str().expect("UTF-8");
        let how = ["--server-side", "--validate=strict", "--dry-run=server"];
        self.plane.kubectl(&[&["apply", "-k", folder], &how[..]].concat());
    }

    async fn remove(&self, deployment: &Deployment) {
        self.kubectl("delete", deployment.base, &["--wait=false"]);
        // The next one has a shadow of the same name.
        for name in SECRETS {
            eventually("what the operator has rendered goes too", || async {
                match secret(&self.api, MONITORING, name).await {
                    Ok(_) => Err(format!("{name} is still there")),
                    Err(_) => Ok(()),
                }
            })
            .await;
        }
    }

    fn kubectl(&self, verb: &str, overlay: &str, more: &[&str]) {
        let overlay = self.plane.folder().join(overlay);
        let arguments = [&[verb, "-k", overlay.to_str().expect("UTF-8")], more].concat();
        self.plane.kubectl(&arguments);
    }

    /// A Pod of that DaemonSet on the first node, once the operator has written what it mounts.
    pub(crate) async fn pod(&self, set: &Value, name: &str) -> Pod {
        for name in SECRETS {
            let there = || secret(&self.api, MONITORING, name);
            eventually("the operator has rendered", there).await;
        }
        Pod::create((&self.plane, &self.api), set, (name, NODES[0]), images()).await
    }

    /// There is no kubelet that would say that it has ended.
    pub(crate) fn delete_pod(&self, pod: &Pod) {
        self.plane.kubectl(&[
            "delete",
            "pod",
            "-n",
            MONITORING,
            &pod.name,
            "--grace-period=0",
            "--force",
        ]);
    }

    /// Adds a label to what the monitor finds, or takes it away.
    pub(crate) async fn edit_monitor(&self, edited: Option<&str>) {
        let path = format!("/apis/monitoring.coreos.com/v1/namespaces/{SHOP}/servicemonitors/web");
        let mut monitor = self.api.get(&path).await;
        let rules = edited
            .map_or(json!([]), |value| json!([{"targetLabel": "edited", "replacement": value}]));
        monitor["spec"]["endpoints"][0]["relabelings"] = rules;
        self.api.replace(&path, &monitor).await;
    }

    /// Waits until the operator has rendered that, and brings it to the Pod.
    pub(crate) async fn takes_over(&self, pod: &mut Pod, rendered: &str) {
        eventually("the operator has rendered it", || async {
            let secret = secret(&self.api, MONITORING, "prom-agent-node-shadow").await?;
            let text = secret_text(&secret, "prometheus.yaml.gz").unwrap_or_default();
            let has = text.lines().any(|line| line.trim() == rendered);
            if has { Ok(()) } else { Err(format!("no {rendered}")) }
        })
        .await;
        pod.sync_volumes(&self.api).await;
    }

    /// Waits until the receiver has live samples of these Pods and no others, with that label.
    pub(crate) async fn scrapes(&self, pods: &[&str], edited: Option<&str>) {
        let with = |name: &str| match edited {
            Some(value) if name.starts_with("web") => format!("{name} {value}"),
            _ => name.to_owned(),
        };
        let expected: BTreeSet<String> = pods.iter().map(|name| with(name)).collect();
        let what = format!("samples of {expected:?}");
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        eventually(&what, || async {
            let live = self.live(since).await?;
            if live == expected { Ok(()) } else { Err(format!("{live:?}")) }
        })
        .await;
    }

    /// Whose samples of after that time are as new as the newest, give or take some scrapes.
    async fn live(&self, since: f64) -> Result<BTreeSet<String>, String> {
        const SCRAPES: f64 = 4.0;
        let query = "timestamp(exporter_number)";
        let answer = get(&format!("{}/api/v1/query?query={query}", self.receiver.url)).await?;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let results = answer["data"]["result"].as_array().expect("results");
        let time = |sample: &Value| -> f64 {
            sample["value"][1].as_str().expect("a value").parse().expect("a time")
        };
        let newest = results.iter().map(time).fold(since, f64::max);
        let of = |sample: &Value| {
            let label = |name: &str| sample["metric"][name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", label("pod"), label("edited")).trim_end().to_owned()
        };
        let live = results.iter().filter(|sample| time(sample) > since.max(newest - SCRAPES));
        Ok(live.map(of).collect())
    }

    /// All series of the shop that were ever received.
    async fn series(&self) -> BTreeSet<String> {
        let select = format!("%7Bnamespace%3D%22{SHOP}%22%7D");
        let url = format!("{}/api/v1/series?match%5B%5D={select}", self.receiver.url);
        let answer: Value =
            serde_json::from_str(&get(&url).await.expect("an answer")).expect("JSON");
        answer["data"].as_array().expect("series").iter().map(Value::to_string).collect()
    }
}

/// The targets that the Pod's Prometheus has in the shop.
pub(crate) async fn targets() -> BTreeSet<String> {
    let all = active_at(PROMETHEUS).await;
    let of_shop =
        all.iter().filter(|target| target.labels.get("namespace").is_some_and(|of| of == SHOP));
    of_shop.map(|target| format!("{} {:?}", target.scrape_pool, target.labels)).collect()
}

fn images() -> Vec<Image> {
    let root = std::env::var_os("IMAGE_ROOT");
    let root = PathBuf::from(
        root.expect("IMAGE_ROOT must name the folder that .ci/build-image-root prints"),
    );
    let reloader = folder().join("bin/prometheus-config-reloader");
    let recipe = include_str!("../../../image/Dockerfile");
    assert!(
        recipe.contains("\nUSER 65534:65534\n")
            && recipe.contains("\nENTRYPOINT [\"/nodelocal-sd\"]\n")
    );
    vec![
        Image {
            name: "nodelocal-sd",
            files: vec![(root.join("nodelocal-sd"), "/nodelocal-sd")],
            entrypoint: "/nodelocal-sd",
        },
        Image {
            name: "prometheus",
            files: vec![(binaries().pop().expect("one is named"), "/bin/prometheus")],
            entrypoint: "/bin/prometheus",
        },
        Image {
            name: "prometheus-config-reloader",
            files: vec![(reloader, "/bin/prometheus-config-reloader")],
            entrypoint: "/bin/prometheus-config-reloader",
        },
    ]
}

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

/// The way from one folder to another; kustomize takes no absolute one.
fn from(folder: &Path, to: &Path) -> String {
    let up = folder.components().count() - 1;
    format!("{}{}", "../".repeat(up), to.strip_prefix("/").expect("absolute").display())
}

fn address(number: u8) -> String {
    format!("10.231.0.{number}")
}

/// A Pod of the shop with an exporter.
pub(crate) fn app(name: &str, ip: &str, node: &str) -> Value {
    let app = name.split('-').next().expect("a name");
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": SHOP, "labels": {"app": app}},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "i", "ports": [{"name": "metrics", "containerPort": PORT}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
