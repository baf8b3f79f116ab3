//! What the operator renders, judged by a real Prometheus: with the operator's own configuration it must have
//! the same final targets as with those that nodes get, all nodes together.

#![expect(clippy::print_stderr, reason = "the seed, and what was compared")]

use super::super::api::Api;
use super::super::block_on;
use super::super::control_plane::{ADMIN, ControlPlane};
use super::super::differential::{create_nodes, quiesce, seed};
use super::super::oracle::{DERIVED, Fleet, version_of};
use super::super::random_cluster::{NODES, cluster};
use super::super::support::finals::{active, finals, understood, without_sharding};
use super::super::support::http::eventually;
use super::super::support::prometheus::{Prometheus, binaries, node_of};
use super::corpus::{Certificates, KINDS, monitors, referenced, unused};
use super::install::{Operator, rendered, schema, secret, secret_bytes};
use super::relabelled::rules_do_the_same;
use fastrand::Rng;
use nodelocal_sd::config::{Config, Fate, Options, rewrite};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Random clusters that are monitored, each in a namespace.
const CLUSTERS: usize = 5;
/// Where the agents are.
const AGENTS: &str = "monitoring";
/// Where the operator names certificates.
const CERTS: &str = "/etc/prometheus/certs";

pub(crate) fn renders_what_nodes_can_use(_: &ControlPlane) {
    // Of its own: some monitors take all namespaces, and other tests change theirs.
    let plane = ControlPlane::start();
    let seed = seed();
    block_on(async {
        let files = tempfile::tempdir().unwrap();
        let certificates = Certificates::new();
        certificates.write(files.path());
        let api = Api::of(&plane).await;
        create_nodes(&api).await;
        let namespaces: Vec<String> = (0..CLUSTERS).map(|n| format!("operator-{n}")).collect();
        for (number, namespace) in namespaces.iter().enumerate() {
            let mut rng = Rng::with_seed(seed.wrapping_add(number as u64));
            for object in cluster(namespace, &namespaces[(number + 1) % CLUSTERS], &mut rng) {
                api.create(object).await;
            }
            for object in referenced(namespace, &certificates) {
                api.create(object).await;
            }
        }
        let _operator = Operator::start(
            &plane,
            &["--kubelet-service=kube-system/kubelet", "--kubelet-endpointslice=true"],
        )
        .await;
        quiesce(&api, |_| true).await;

        let path = files.path().to_str().expect("UTF-8");
        let mut monitors = monitors(&namespaces, path, &mut Rng::with_seed(seed));
        monitors.push(kubelet());
        uses_every_field(&monitors);
        for monitor in &monitors {
            api.create(monitor.clone()).await;
        }
        api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": AGENTS}}))
            .await;
        let fleet = Fleet::start(&plane.kubeconfig(), &NODES, DERIVED).await;
        for binary in binaries() {
            for agent in agents(&version_of(&binary), &plane, path) {
                let name = agent["metadata"]["name"].as_str().expect("a name").to_owned();
                let jobs = monitors.iter().filter(|monitor| selects(&agent, monitor));
                let jobs = jobs.map(entries_of).sum();
                api.create(agent).await;
                let text = rendered(&api, AGENTS, &name, jobs).await;
                let certs = files.path().join(&name);
                write_certificates(&api, &name, &certs).await;
                let text = text.replace(CERTS, certs.to_str().expect("UTF-8"));
                let compared = compare(&binary, &plane, &fleet, &text).await;
                eprintln!("{name}: {jobs} jobs, {compared} targets compared");
            }
        }
    });
}

/// Compares, on each node and all together; how many targets there are.
async fn compare(binary: &Path, plane: &ControlPlane, fleet: &Fleet, rendered: &str) -> usize {
    let on = |node: &str, text: &str| {
        let pod = format!("agent-on-{node}");
        text.replace("$(SHARD)", "0").replace("$(NODE_NAME)", node).replace("$(POD_NAME)", &pod)
    };
    // What differs between nodes is filled in for each: then each has an oracle of its own.
    let differs = rendered.contains("$(NODE_NAME)") || rendered.contains("$(POD_NAME)");
    let mut by_itself = Vec::new();
    for node in NODES.iter().take(if differs { NODES.len() } else { 1 }) {
        by_itself.push(Prometheus::start_as(binary, &on(node, rendered), &[]).await);
    }
    let mut of_nodes = Vec::new();
    for sidecar in &fleet.sidecars {
        let options = Options {
            sd_url: sidecar.url.clone(),
            refresh_interval: "1s".to_owned(),
            own_api_server: Some(plane.url.clone()),
            ..Options::default()
        };
        let config = Config::read(rendered).expect("a configuration");
        let rewriting =
            rewrite(config, Vec::new(), &options, &BTreeMap::new()).expect("it is good");
        let others: Vec<_> =
            rewriting.jobs.iter().filter(|job| !matches!(job.fate, Fate::Rewritten)).collect();
        assert!(others.is_empty(), "{others:#?}");
        let text = on(&sidecar.node, &rewriting.config.to_string());
        of_nodes.push(Prometheus::start_as(binary, &text, &[]).await);
    }
    let theirs = understood(&by_itself[0]).await;
    assert_eq!(without_sharding(&theirs), understood(&of_nodes[0]).await);

    let compared = same_targets(fleet, &by_itself, &of_nodes, differs, rendered).await;
    // Before 3.0 a dot in an expression was no line break, and names were ASCII.
    if !version_of(binary).starts_with("2.") {
        rules_do_the_same(&by_itself[0], &on(NODES[0], rendered)).await;
    }
    compared
}

async fn same_targets(
    fleet: &Fleet,
    by_itself: &[Prometheus],
    of_nodes: &[Prometheus],
    differs: bool,
    rendered: &str,
) -> usize {
    eventually("the same targets", || async {
        let (mut together, mut jobs) = (0, BTreeSet::new());
        let mut assigned = BTreeSet::new();
        for (number, (sidecar, prometheus)) in fleet.sidecars.iter().zip(of_nodes).enumerate() {
            let theirs = active(&by_itself[number % by_itself.len()]).await;
            let of = |node: &str| {
                finals(theirs.iter().filter(|t| node_of(&t.discovered_labels) == Some(node)))
            };
            let expected = of(&sidecar.node);
            let ours = finals(active(prometheus).await.iter());
            if ours != expected {
                let more: Vec<_> = ours.difference(&expected).take(2).collect();
                let less: Vec<_> = expected.difference(&ours).take(2).collect();
                let node = &sidecar.node;
                return Err(format!("{node}: only ours {more:#?}, only its own {less:#?}"));
            }
            together += ours.len();
            jobs.extend(ours.into_iter().map(|(job, ..)| job));
            assigned.extend(NODES.iter().flat_map(|node| of(node)));
        }
        if !differs && assigned.len() != together {
            return Err(format!("{together} targets, but {} different ones", assigned.len()));
        }
        let all = rendered.matches("- job_name:").count();
        if 2 * jobs.len() < all {
            return Err(format!("only {} of {all} jobs have targets", jobs.len()));
        }
        Ok(together)
    })
    .await
}

/// The agents whose configuration is compared, each for that version of Prometheus.
fn agents(version: &str, plane: &ControlPlane, files: &str) -> [Value; 3] {
    let api_server =
        json!({"host": plane.url, "bearerToken": ADMIN, "tlsConfig": {"caFile": plane.ca_file()}});
    let class = json!({"name": "extra", "attachMetadata": {"node": true}, "fallbackScrapeProtocol": "PrometheusText0.0.4",
        "relabelings": [{"action": "replace", "targetLabel": "class", "replacement": "extra"}],
        "metricRelabelings": [{"action": "labeldrop", "regex": "noise"}],
        "tlsConfig": {"caFile": format!("{files}/ca.crt")}});
    let mut default = class.clone();
    default["name"] = "usual".into();
    default["default"] = true.into();
    let agent = |name: &str, spec: Value| {
        let name = format!("{name}-{}", version.replace('.', "-"));
        json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
            "metadata": {"name": name, "namespace": AGENTS}, "spec": spec})
    };
    let plain = json!({"mode": "StatefulSet", "replicas": 0, "version": version, "apiserverConfig": api_server,
        "serviceDiscoveryRole": "EndpointSlice", "scrapeClasses": [class],
        "serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": {},
        "podMonitorSelector": {}, "podMonitorNamespaceSelector": {}});
    let mut strict = plain.clone();
    for (field, value) in [
        ("serviceDiscoveryRole", json!("Endpoints")),
        ("scrapeClasses", json!([class, default])),
        ("enforcedNamespaceLabel", json!("owner")),
        (
            "excludedFromEnforcement",
            json!([
            {"group": "monitoring.coreos.com", "resource": "servicemonitors", "namespace": "operator-1"},
            {"group": "monitoring.coreos.com", "resource": "podmonitors", "namespace": "operator-2", "name": "m2"}]),
        ),
        ("enforcedSampleLimit", json!(500)),
        ("enforcedTargetLimit", json!(400)),
        ("enforcedLabelLimit", json!(70)),
        ("enforcedLabelNameLengthLimit", json!(100)),
        ("enforcedLabelValueLengthLimit", json!(1000)),
        ("enforcedKeepDroppedTargets", json!(5)),
        ("enforcedBodySizeLimit", json!("5MB")),
        ("overrideHonorLabels", json!(true)),
        ("overrideHonorTimestamps", json!(true)),
        ("ignoreNamespaceSelectors", json!(true)),
        ("podTargetLabels", json!(["track"])),
        ("replicaExternalLabelName", json!("")),
    ] {
        strict[field] = value;
    }
    // Prometheus takes no PodMonitor with RoleSelector in this mode: two selectors for one role.
    let node = json!({"mode": "DaemonSet", "version": version, "apiserverConfig": api_server, "scrapeClasses": [class],
        "podMonitorSelector": {"matchLabels": {"selects-by-role": "false"}}, "podMonitorNamespaceSelector": {}});
    [agent("plain", plain), agent("strict", strict), agent("node", node)]
}

/// Whether the agent has jobs for the monitor.
fn selects(agent: &Value, monitor: &Value) -> bool {
    let selector = if monitor["kind"] == "PodMonitor" {
        "podMonitorSelector"
    } else {
        "serviceMonitorSelector"
    };
    let wanted = &agent["spec"][selector];
    let labels = &monitor["metadata"]["labels"];
    let matches = wanted["matchLabels"].as_object().into_iter().flatten();
    wanted.is_object() && matches.into_iter().all(|(key, value)| labels[key] == *value)
}

fn entries_of(monitor: &Value) -> usize {
    let lists = KINDS.iter().filter_map(|(_, entries)| monitor["spec"][entries].as_array());
    lists.map(Vec::len).sum()
}

fn uses_every_field(monitors: &[Value]) {
    for (kind, _) in KINDS {
        let schema = schema(&format!("{}s", kind.to_lowercase()));
        let of_kind = monitors.iter().filter(|monitor| monitor["kind"] == kind);
        let specs: Vec<&Value> = of_kind.map(|monitor| &monitor["spec"]).collect();
        assert_eq!(unused(&schema, &specs), Vec::<String>::new(), "{kind}: no monitor has them");
    }
}

/// The monitor of kube-prometheus for the endpoints that the operator itself writes.
fn kubelet() -> Value {
    let entry = |path: &str| {
        json!({"port": "https-metrics", "scheme": "https", "path": path, "honorLabels": true,
            "honorTimestamps": false, "tlsConfig": {"insecureSkipVerify": true},
            "relabelings": [{"action": "replace", "sourceLabels": ["__metrics_path__"], "targetLabel": "metrics_path"}]})
    };
    json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
        "metadata": {"name": "kubelet", "namespace": "kube-system"},
        "spec": {"jobLabel": "app.kubernetes.io/name", "selector": {"matchLabels": {"app.kubernetes.io/name": "kubelet"}},
            "endpoints": [entry("/metrics"), entry("/metrics/cadvisor")]}})
}

/// The files that the operator names in that agent's jobs.
async fn write_certificates(api: &Api, agent: &str, folder: &Path) {
    let name = format!("prom-agent-{agent}-tls-assets-0");
    let secret =
        eventually("the operator has written the certificates", || secret(api, AGENTS, &name))
            .await;
    std::fs::create_dir(folder).unwrap();
    for name in secret["data"].as_object().into_iter().flatten().map(|(name, _)| name) {
        std::fs::write(folder.join(name), secret_bytes(&secret, name).unwrap()).unwrap();
    }
}
