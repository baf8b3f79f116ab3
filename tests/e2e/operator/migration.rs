//! `migrate`, step by step, as it prints them: at each moment somebody scrapes each target, after each step the
//! targets that are scraped twice are those that the plan names, and the way back ends where it began.

#![expect(clippy::print_stderr, reason = "how far it is; this takes minutes")]

use super::super::api::Api;
use super::super::block_on;
use super::super::control_plane::{self, ControlPlane};
use super::super::differential::create_nodes;
use super::super::random_cluster::NODES;
use super::super::support::http::{eventually, get};
use super::super::support::prometheus::{Prometheus, binaries};
use super::super::whole_path::{PORT, exporter};
use super::corpus::{Certificates, referenced};
use super::deployments::{SHOP, app};
use super::install::{Operator, schema};
use super::plan::{Printed, printed};
use super::roles::Roles;
use nodelocal_sd::migrate::{FIELDS, Twice};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const MONITORING: &str = "monitoring";
/// What is scraped: the numbers of those on nodes, and of those that belong to none.
const ON_NODES: [(u8, &str, usize); 5] =
    [(1, "web-1", 0), (2, "web-2", 0), (3, "web-3", 1), (4, "batch-1", 2), (5, "batch-2", 0)];
const OF_NO_NODE: [u8; 2] = [6, 7];

/// How long a step may take beyond what it says itself.
const PATIENCE: Duration = Duration::from_secs(90);
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

struct World {
    plane: ControlPlane,
    api: Api,
    receiver: Prometheus,
    /// Where steps are run, with `kubectl` and `nodelocal-sd` in `bin`.
    shell: TempDir,
    /// Whether the old one has scraped everything.
    began: Cell<bool>,
    _operator: Operator,
    _exporters: JoinSet<()>,
}

pub(crate) fn migration_leaves_no_gap(_: &ControlPlane) {
    fields_are_those_of_the_crds();
    let plane = ControlPlane::start();
    block_on(async {
        let world = World::start(plane).await;
        let mut roles = Roles::new(&world.plane, &world.api, MONITORING);
        world.reach(&mut roles, "the old agent scrapes all", Twice::Nothing.text()).await;
        let first = world.state().await;
        let there = world
            .print(&["migrate", "monitoring/central", "--image=registry.example/nodelocal-sd:test"])
            .await;
        world.run(&mut roles, &there).await;
        let back = world.print(&["migrate", "monitoring/central", "--revert"]).await;
        world.run(&mut roles, &back).await;
        eventually("the first state is back", || async {
            let now = world.state().await;
            let names: BTreeSet<&String> = first.keys().chain(now.keys()).collect();
            let differ = names.into_iter().filter(|name| first.get(*name) != now.get(*name));
            let differ: Vec<_> =
                differ.map(|name| (name, first.get(name), now.get(name))).collect();
            if differ.is_empty() { Ok(()) } else { Err(format!("{differ:#?}")) }
        })
        .await;
    });
}

fn fields_are_those_of_the_crds() {
    let mut of_crds = BTreeSet::new();
    for plural in ["prometheusagents", "prometheuses"] {
        of_crds.extend(schema(plural)["properties"].as_object().expect("fields").keys().cloned());
    }
    let known: BTreeSet<String> = FIELDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, of_crds);
}

// === impl World ===

impl World {
    async fn start(plane: ControlPlane) -> Self {
        let api = Api::of(&plane).await;
        create_nodes(&api).await;
        let operator = Operator::start(&plane, &[]).await;
        let binary = binaries().pop().expect("one is named");
        let receives = ["--web.enable-remote-write-receiver"];
        let receiver = Prometheus::start_as(&binary, "scrape_configs: []\n", &receives).await;
        for (name, labels) in [
            (MONITORING, json!({"pod-security.kubernetes.io/enforce": "restricted"})),
            (SHOP, json!({})),
        ] {
            api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})).await;
        }
        let mut exporters = JoinSet::new();
        for (number, name, node) in ON_NODES {
            exporters.spawn(exporter(&address(number), number).await);
            api.create(app(name, &address(number), NODES[node])).await;
        }
        for number in OF_NO_NODE {
            exporters.spawn(exporter(&address(number), number).await);
        }
        for object in referenced(SHOP, &Certificates::new()).into_iter().chain(scraped()) {
            api.create(object).await;
        }
        api.create(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "central", "namespace": MONITORING}}))
            .await;
        api.create(old(&plane, &receiver)).await;
        let shell = tempfile::tempdir().expect("a temporary folder");
        let bin = shell.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        symlink(control_plane::binary("kubectl"), bin.join("kubectl")).unwrap();
        symlink(env!("CARGO_BIN_EXE_nodelocal-sd"), bin.join("nodelocal-sd")).unwrap();
        Self {
            plane,
            api,
            receiver,
            shell,
            began: Cell::new(false),
            _operator: operator,
            _exporters: exporters,
        }
    }

    /// A command of a step, as a shell takes it.
    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        let path = std::env::var("PATH").expect("a PATH");
        shell
            .args(["-c", command])
            .current_dir(self.shell.path())
            .env("PATH", format!("{}:{path}", self.shell.path().join("bin").display()))
            .env("KUBECONFIG", self.plane.kubeconfig())
            .env("KUBECACHEDIR", self.plane.kubectl_cache())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        shell
    }

    /// The steps that our program prints.
    async fn print(&self, arguments: &[&str]) -> Vec<Printed> {
        let output = self.shell(&format!("nodelocal-sd {}", arguments.join(" "))).output().await;
        let output = output.expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        printed(&String::from_utf8(output.stdout).expect("UTF-8"))
    }

    async fn run(&self, roles: &mut Roles<'_>, steps: &[Printed]) {
        assert!(steps.len() > 3);
        for step in steps {
            eprintln!("step {}", step.id);
            for command in &step.commands {
                match command.strip_prefix("sleep ") {
                    // What is waited for is looked at instead: it must be so by then.
                    Some(_) => self.reach(roles, command, &step.twice).await,
                    None => self.run_command(roles, command).await,
                }
            }
            self.reach(roles, &step.id, &step.twice).await;
            for query in &step.queries {
                eventually(query, || self.gives_nothing(query)).await;
            }
        }
    }

    /// Runs a command to its end, while the cluster does what it does.
    async fn run_command(&self, roles: &mut Roles<'_>, command: &str) {
        let mut child = self.shell(command).spawn().expect("a shell");
        let began = Instant::now();
        while child.try_wait().expect("a child of ours").is_none() {
            assert!(began.elapsed() < PATIENCE, "{command} has not ended");
            self.look(roles).await;
            sleep(BETWEEN_LOOKS).await;
        }
        let output = child.wait_with_output().await.expect("a child of ours");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
    }

    /// Waits until what is scraped twice is what the plan says, and everything else once.
    async fn reach(&self, roles: &mut Roles<'_>, what: &str, twice: &str) {
        let expected = self.expected(twice);
        let began = Instant::now();
        loop {
            let counts = self.look(roles).await;
            if counts == expected {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{what}: twice must be {twice}, and it is {counts:?}"
            );
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// How often each target is scraped with success. Each must be scraped at all, once the old one has begun.
    async fn look(&self, roles: &mut Roles<'_>) -> BTreeMap<String, usize> {
        roles.follow().await;
        let (mut good, mut any) = (BTreeMap::new(), BTreeSet::new());
        for (pod, url) in roles.prometheuses() {
            let body = get(&format!("{url}/api/v1/targets?state=active")).await.expect("an answer");
            let answer: Value = serde_json::from_str(&body).expect("JSON");
            for target in answer["data"]["activeTargets"].as_array().expect("targets") {
                let address =
                    target["discoveredLabels"]["__address__"].as_str().expect("an address");
                let of_none = OF_NO_NODE.iter().any(|number| address == target_of(*number));
                let on_a_node = pod.starts_with("central-node-agent-");
                assert!(
                    !(of_none && on_a_node),
                    "{pod} scrapes {address}, which belongs to no node"
                );
                if !self.expected("").contains_key(address) {
                    continue; // an agent itself
                }
                if target["health"] != "unknown" {
                    any.insert(address.to_owned());
                }
                if target["health"] == "up" {
                    *good.entry(address.to_owned()).or_default() += 1;
                }
            }
        }
        let began = self.began.get();
        if any.len() == self.expected("").len() {
            self.began.set(true);
        } else {
            assert!(
                !began,
                "nobody scrapes some target: {any:?} of {:?}",
                roles.prometheuses().collect::<Vec<_>>()
            );
        }
        good
    }

    fn expected(&self, twice: &str) -> BTreeMap<String, usize> {
        let (nodes, rest) = match twice {
            _ if twice == Twice::Everything.text() => (2, 2),
            _ if twice == Twice::Nodes.text() => (2, 1),
            _ => (1, 1),
        };
        let on_nodes = ON_NODES.iter().map(|(number, ..)| (*number, nodes));
        let of_none = OF_NO_NODE.iter().map(|number| (*number, rest));
        on_nodes.chain(of_none).map(|(number, times)| (target_of(number), times)).collect()
    }

    async fn gives_nothing(&self, query: &str) -> Result<(), String> {
        let escaped = query.bytes().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "%{byte:02x}"); // a String takes all
            text
        });
        let answer = get(&format!("{}/api/v1/query?query={escaped}", self.receiver.url)).await?;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let found = &answer["data"]["result"];
        if *found == json!([]) { Ok(()) } else { Err(found.to_string()) }
    }

    /// What there is, without what changes by itself.
    async fn state(&self) -> BTreeMap<String, String> {
        let mut state = BTreeMap::new();
        let of = |path: &str| format!("{path}/namespaces/{MONITORING}");
        let (core, apps) = (of("/api/v1"), of("/apis/apps/v1"));
        let (v1, v1alpha1) =
            (of("/apis/monitoring.coreos.com/v1"), of("/apis/monitoring.coreos.com/v1alpha1"));
        let rbac = "/apis/rbac.authorization.k8s.io/v1".to_owned();
        let policies = of("/apis/networking.k8s.io/v1");
        for (path, plural) in [
            (&core, "pods"),
            (&core, "secrets"),
            (&core, "services"),
            (&core, "serviceaccounts"),
            (&apps, "statefulsets"),
            (&apps, "daemonsets"),
            (&apps, "deployments"),
            (&v1, "podmonitors"),
            (&v1alpha1, "prometheusagents"),
            (&policies, "networkpolicies"),
            (&rbac, "clusterroles"),
            (&rbac, "clusterrolebindings"),
        ] {
            let mut list = self.api.get(&format!("{path}/{plural}")).await;
            for object in list["items"].as_array_mut().expect("a list") {
                let metadata = &mut object["metadata"];
                if let Some(annotations) = metadata["annotations"].as_object_mut() {
                    // It counts the changes of the old one too.
                    annotations.remove("prometheus-operator-input-hash");
                }
                let name = metadata["name"].as_str().expect("a name").to_owned();
                let what = json!([
                    metadata["labels"],
                    metadata["annotations"],
                    object["spec"],
                    object["data"],
                    object["rules"]
                ]);
                state.insert(format!("{plural}/{name}"), what.to_string());
            }
        }
        state
    }
}

/// The old agent, of two shards.
fn old(plane: &ControlPlane, receiver: &Prometheus) -> Value {
    let authority = plane.ca_file();
    let spec = json!({
        "replicas": 1, "shards": 2, "serviceAccountName": "central",
        "serviceDiscoveryRole": "EndpointSlice", "scrapeInterval": "1s", "scrapeTimeout": "1s",
        "serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": {},
        "podMonitorSelector": {}, "podMonitorNamespaceSelector": {},
        "scrapeConfigSelector": {}, "scrapeConfigNamespaceSelector": {},
        "probeSelector": {}, "probeNamespaceSelector": {},
        "externalLabels": {"cluster": "one"},
        "remoteWrite": [{"url": format!("{}/api/v1/write", receiver.url)}],
        "resources": {"requests": {"memory": "4Gi"}},
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
        // It is no Pod.
        "apiserverConfig": {"host": plane.url, "bearerToken": control_plane::ADMIN, "tlsConfig": {"caFile": authority}}});
    json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
        "metadata": {"name": "central", "namespace": MONITORING}, "spec": spec})
}

/// Services, and what says that they are scraped.
fn scraped() -> Vec<Value> {
    let metadata = |name: &str| json!({"name": name, "namespace": SHOP, "labels": {"app": name}});
    let entry = json!({"port": "metrics", "basicAuth": {"username": {"name": "credentials", "key": "user"},
        "password": {"name": "credentials", "key": "password"}}, "tlsConfig": {"ca": {"secret": {"name": "tls", "key": "ca.crt"}}}});
    let monitor = |name: &str| {
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": metadata(name),
            "spec": {"selector": {"matchLabels": {"app": name}}, "endpoints": [entry]}})
    };
    let port = json!({"name": "metrics", "port": PORT, "targetPort": PORT});
    vec![
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("web"),
            "spec": {"selector": {"app": "web"}, "ports": [port]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("external"), "spec": {"clusterIP": "None", "ports": [port]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "external-1", "namespace": SHOP, "labels": {"kubernetes.io/service-name": "external"}},
            "endpoints": [{"addresses": [address(OF_NO_NODE[0])], "conditions": {"ready": true}}],
            "ports": [{"name": "metrics", "port": PORT, "protocol": "TCP"}]}),
        monitor("web"),
        monitor("external"),
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": metadata("batch"),
            "spec": {"selector": {"matchLabels": {"app": "batch"}}, "podMetricsEndpoints": [{"port": "metrics"}]}}),
        json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "ScrapeConfig", "metadata": metadata("static"),
            "spec": {"staticConfigs": [{"targets": [target_of(OF_NO_NODE[1])]}]}}),
    ]
}

fn target_of(number: u8) -> String {
    format!("{}:{PORT}", address(number))
}

fn address(number: u8) -> String {
    format!("10.232.0.{number}")
}
