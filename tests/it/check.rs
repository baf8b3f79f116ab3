//! `check`: what is said of manifests, and how it ends.

use crate::commands::{kubeconfig, run};
use crate::support::served::example_cluster;
use nodelocal_sd::operator::{Version, fields};
use serde_json::Value;
use std::path::Path;

/// An agent of the operator on the nodes, as it should be, with more fields.
fn agent(more: &str) -> String {
    format!(
        "apiVersion: monitoring.coreos.com/v1alpha1\nkind: PrometheusAgent\n\
         metadata: {{name: node, namespace: monitoring}}\nspec:\n  mode: DaemonSet\n  version: v3.13.2\n  \
         replicaExternalLabelName: \"\"\n  scrapeFailureLogFile: f\n  \
         volumeMounts: [{{name: log-file, mountPath: /prometheus, subPath: wal}}]\n{more}---\n"
    )
}

/// The same with the sidecar and a shadow's Secrets.
fn agent_of(shadow: &str, more: &str) -> String {
    agent(&format!(
        "  secrets: [prom-agent-{shadow}, prom-agent-{shadow}-tls-assets-0]\n  \
         initContainers: [{{name: nodelocal-sd, image: nodelocal-sd, args: [run]}}]\n{more}"
    ))
}

/// An agent in StatefulSet mode.
fn other(name: &str, more: &str) -> String {
    format!(
        "apiVersion: monitoring.coreos.com/v1alpha1\nkind: PrometheusAgent\n\
         metadata: {{name: {name}, namespace: monitoring}}\nspec:\n  version: v3.13.2\n{more}---\n"
    )
}

/// A shadow that agrees with the agent.
fn shadow(name: &str, more: &str) -> String {
    let all = "  replicas: 0\n  replicaExternalLabelName: \"\"\n  serviceMonitorSelector: {}\n  \
               serviceMonitorNamespaceSelector: {}\n";
    other(name, &format!("{all}{more}"))
}

/// A DaemonSet of ours that reads the shadow `node-shadow`.
fn daemonset(tag: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: ours, namespace: monitoring}}\n\
         spec: {{template: {{metadata: {{labels: {{app: ours}}}}, spec: {{serviceAccountName: sd, \
         initContainers: [{{name: nodelocal-sd, image: nodelocal-sd, args: [run]}}], \
         containers: [{{name: prometheus, image: 'quay.io/prometheus/prometheus:{tag}'}}], \
         volumes: [{{name: s, secret: {{secretName: prom-agent-node-shadow}}}}]}}}}}}\n---\n"
    )
}

fn monitor(kind: &str, name: &str, spec: &str) -> String {
    let version = if kind == "ScrapeConfig" { "v1alpha1" } else { "v1" };
    format!(
        "apiVersion: monitoring.coreos.com/{version}\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: shop, labels: {{team: a}}}}\nspec: {spec}\n---\n"
    )
}

fn rule(expression: &str) -> String {
    format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: r, namespace: monitoring}}\n\
         spec: {{groups: [{{name: g, rules: [{{alert: Down, expr: '{expression}'}}]}}]}}\n---\n"
    )
}

/// A ClusterRole with these resources, bound to that account of `monitoring`.
fn rights(account: &str, resources: &[(&str, &str, &str)]) -> String {
    let rules: Vec<String> = resources
        .iter()
        .map(|(group, resource, verbs)| {
            format!("{{apiGroups: ['{group}'], resources: [{resource}], verbs: [{verbs}]}}")
        })
        .collect();
    let api = "apiVersion: rbac.authorization.k8s.io/v1";
    format!(
        "{api}\nkind: ClusterRole\nmetadata: {{name: {account}}}\nrules: [{}]\n---\n\
         {api}\nkind: ClusterRoleBinding\nmetadata: {{name: {account}}}\n\
         roleRef: {{kind: ClusterRole, name: {account}}}\n\
         subjects: [{{kind: ServiceAccount, name: {account}, namespace: monitoring}}]\n---\n",
        rules.join(", ")
    )
}

fn operator(arguments: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: operator, namespace: monitoring}}\n\
         spec: {{template: {{spec: {{serviceAccountName: operator, containers: [{{name: o, \
         image: 'quay.io/prometheus-operator/prometheus-operator:v0.93.1', args: [{arguments}]}}]}}}}}}\n---\n"
    )
}

/// One of ours for what belongs to no node.
fn complement(shadow: &str, flags: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: c, namespace: monitoring}}\n\
         spec: {{template: {{spec: {{containers: [{{name: nodelocal-sd, image: x, args: [run, --complement{flags}]}}], \
         volumes: [{{name: v, secret: {{secretName: prom-agent-{shadow}}}}}]}}}}}}\n---\n"
    )
}

/// Judges a text: the exit code, and a line `verdict object field` for each finding that is not fine, or not as
/// it should be, with why.
async fn judged(text: &str, flags: &[&str]) -> (i32, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifests.yaml");
    std::fs::write(&file, text).unwrap();
    let path = file.display().to_string();
    let arguments = [&["check", &path, "--output", "json"], flags].concat();
    let (code, out, err) = run(&arguments).await;
    let json: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let findings = json["findings"].as_array().unwrap().iter();
    let line = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        let object = text("object");
        let object = object.split_once(' ').map_or(&*object, |(_, name)| name).to_owned();
        // What nobody takes has this verdict too.
        let warned = text("verdict") == "complement" && text("severity") == "warning";
        let verdict = if warned { "uncovered".to_owned() } else { text("verdict") };
        format!("{verdict} {object} {}: {}", text("field"), text("why"))
    };
    let lines = findings.map(line).filter(|line| !line.starts_with("fine "));
    (code, lines.collect())
}

/// Each finding begins so and has that in it; there are no others.
fn has(lines: &[String], expected: &[(&str, &str)], of: &str) {
    let fits = |line: &String, (begin, part): &(&str, &str)| {
        line.starts_with(begin) && line.contains(part)
    };
    for one in expected {
        assert!(lines.iter().any(|line| fits(line, one)), "{one:?} of {of}: {lines:#?}");
    }
    for line in lines {
        assert!(expected.iter().any(|one| fits(line, one)), "more than expected: {line}, of {of}");
    }
}

/// What is said of an agent whose operator is not in the set, and of one without a shadow.
const GATE: (&str, &str) = ("note monitoring/node spec.mode", "is not judged");
const NO_SHADOW: (&str, &str) = ("note monitoring/node spec.secrets", "PodMonitors only");
const NO_RIGHTS: (&str, &str) = ("note monitoring/", "not judged: no ClusterRoleBinding");

#[tokio::test]
async fn each_field_has_its_verdict() {
    for (more, flags, code, expected) in [
        (
            "  replicas: 0\n",
            &[][..],
            1,
            &[("refused monitoring/node spec.replicas", "since 0.84.0")][..],
        ),
        ("  replicas: null\n", &[], 0, &[]),
        ("  shards: 1\n", &[], 0, &[]),
        ("  shards: 2\n", &[], 1, &[("refused monitoring/node spec.shards", "")]),
        ("  storage: {}\n", &[], 1, &[("refused monitoring/node spec.storage", "")]),
        (
            "  probeNamespaceSelector: {}\n",
            &["--operator-version", "0.85.0"],
            0,
            &[("ignored monitoring/node spec.probeNamespaceSelector", "")],
        ),
        (
            "  probeNamespaceSelector: {}\n",
            &["--operator-version", "v0.88.0"],
            1,
            &[("refused monitoring/node spec.probeNamespaceSelector", "since 0.88.0")],
        ),
        (
            "  volumes: [{name: v, emptyDir: {}}]\n",
            &[],
            0,
            &[("ignored monitoring/node spec.volumes", "only its own volumes")],
        ),
        (
            "  apiserverConfig: {host: h}\n",
            &[],
            0,
            &[("half monitoring/node spec.apiserverConfig", "")],
        ),
        ("  newField: 1\n", &[], 3, &[("unknown monitoring/node spec.newField", "no such field")]),
        (
            "  newField: 1\n",
            &["--operator-version", "0.80.0"],
            3,
            &[("unknown", "0.93.1 has no such field; names are compared with that")],
        ),
        ("", &["--operator-version", "0.94.0"], 3, &[("unknown", "0.94.0 is newer")]),
        ("  newField: 1\n  replicas: 1\n", &[], 1, &[("unknown", ""), ("refused", "")]),
    ] {
        let expected = [expected, &[GATE, NO_SHADOW]].concat();
        let (ended, lines) = judged(&agent(more), flags).await;
        assert_eq!(ended, code, "{more}: {lines:#?}");
        has(&lines, &expected, more);
    }
}

#[tokio::test]
async fn an_agent_that_could_move_is_judged_as_if_it_had() {
    let selectors = "  replicas: 2\n  podMonitorSelector: {}\n  serviceMonitorSelector: {}\n";
    let more = "  targetLimit: 5\n  podManagementPolicy: Parallel\n";
    let (code, lines) = judged(&other("old", &format!("{selectors}{more}")), &[]).await;
    assert_eq!(code, 0, "{lines:#?}");
    has(
        &lines,
        &[
            ("note monitoring/old spec.mode", "it is in StatefulSet mode"),
            ("note monitoring/old spec.replicas", "in DaemonSet mode: refused by the CRD since"),
            ("note monitoring/old spec.serviceMonitorSelector", "in DaemonSet mode: refused"),
            ("note monitoring/old spec.targetLimit", "in DaemonSet mode: half: each agent"),
            ("note monitoring/old spec.podManagementPolicy", "in DaemonSet mode: ignored: it is"),
        ],
        "alone",
    );
    let (code, _) = judged(&other("old", "  newField: 1\n"), &[]).await;
    assert_eq!(code, 3, "what no CRD has is no matter of the mode");
    let server = other("old", selectors).replace("PrometheusAgent", "Prometheus");
    let (code, lines) = judged(&server.replace("v1alpha1", "v1"), &[]).await;
    assert_eq!(code, 0);
    has(&lines, &[("note monitoring/old", "no DaemonSet mode")], "a server");
    // Beside agents on the nodes it is there for what they leave; a shadow is what it is.
    let beside = "  scrapeConfigSelector: {}\n";
    for other in [other("old", beside), shadow("s", "")] {
        let (code, lines) = judged(&(agent("") + &other), &[]).await;
        assert_eq!(code, 0, "{lines:#?}");
        has(&lines, &[GATE, NO_SHADOW], &other);
    }
}

#[tokio::test]
async fn what_no_api_server_takes() {
    let agent_with = |mode: &str| agent("").replace("mode: DaemonSet", mode);
    let monitor = monitor("PodMonitor", "m", "oops");
    for (text, expected) in [
        (
            agent_with("mode: Daemonset"),
            &[("refused monitoring/node spec.mode", "\"Daemonset\": it must be StatefulSet or")][..],
        ),
        (agent_with("mode: {}"), &[("refused monitoring/node spec.mode", "it must be")]),
        (
            other("a", "").replace("spec:\n  version: v3.13.2", "spec: oops"),
            &[("refused monitoring/a spec:", "it must be a mapping")],
        ),
        (
            other("a", "").replace("spec:\n  version: v3.13.2", "status: {}"),
            &[("refused monitoring/a spec:", "without it")],
        ),
        (monitor, &[("refused shop/m spec:", "it must be a mapping")]),
    ] {
        let (code, lines) = judged(&text, &[]).await;
        assert_eq!(code, 1, "{text}: {lines:#?}");
        has(&lines, expected, &text);
    }
}

#[tokio::test]
async fn what_of_a_monitor_is_of_one_node() {
    const NAME: &str = "__meta_kubernetes_endpointslice_name";
    let limited = |kind| monitor(kind, "m", "{targetLimit: 5, keepDroppedTargets: 0}");
    let rules =
        format!("{{endpoints: [{{}}, {{relabelings: [{{}}, {{sourceLabels: [a, {NAME}]}}]}}]}}");
    let reading = monitor("ServiceMonitor", "m", &rules);
    let ours = |flag: &str| {
        daemonset("v3.13.2").replace("args: [run]", &format!("args: [run{flag}]"))
            + &shadow("node-shadow", "")
    };
    let (taken, per_node) = (("taken shop/m", ""), ("half shop/m spec.targetLimit", "per node"));
    let empty = ("half shop/m spec.endpoints[1].relabelings[1]", "is empty");
    for (text, expected) in [
        (limited("PodMonitor"), &[taken, per_node][..]),
        (limited("ServiceMonitor"), &[taken, per_node]),
        (limited("Probe"), &[("complement shop/m", "")]),
        (reading.clone(), &[taken, empty]),
        (ours("") + &reading, &[taken, empty, NO_RIGHTS]),
        (ours(", --endpoints-from=slices") + &reading, &[taken, NO_RIGHTS]),
    ] {
        let (code, lines) = judged(&text, &[]).await;
        assert_eq!(code, 0, "{text}: {lines:#?}");
        has(&lines, expected, &text);
    }
}

#[tokio::test]
async fn a_crd_says_which_version() {
    let crd = |version: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
             metadata: {{name: prometheusagents.monitoring.coreos.com, annotations: {{{version}}}}}\n---\n"
        )
    };
    let text = |version: &str| crd(version) + &agent("  serviceMonitorSelector: {}\n");
    for (version, flags, code, word) in [
        ("operator.prometheus.io/version: 0.85.0", &[][..], 0, "ignored monitoring/node"),
        ("operator.prometheus.io/version: 0.88.0", &[], 1, "refused monitoring/node"),
        (
            "operator.prometheus.io/version: 0.85.0",
            &["--operator-version", "0.93.1"],
            1,
            "refused monitoring/node",
        ),
        ("operator.prometheus.io/version: 0.99.0", &[], 1, "unknown  "),
        ("", &[], 1, "unknown prometheusagents"),
    ] {
        let (ended, lines) = judged(&text(version), flags).await;
        assert_eq!(ended, code, "{version}: {lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with(word)), "{version}: {lines:#?}");
    }
}

#[tokio::test]
async fn shadows_and_their_agents_fit_together() {
    let long = "node-shadow-with-a-name-of-33-chars";
    for (name, text, code, expected) in [
        ("they agree", agent_of("s", "") + &shadow("s", ""), 0, &[][..]),
        (
            "a name that is too long",
            agent_of(long, "") + &shadow(long, ""),
            1,
            &[("breaks monitoring/node-shadow-with", "35 characters")],
        ),
        (
            "the shadow has no version",
            agent_of("s", "") + &shadow("s", "").replace("  version: v3.13.2\n", ""),
            1,
            &[("conflict monitoring/node spec.version", "PrometheusAgent monitoring/s")],
        ),
        ("another spelling of it", agent_of("s", "") + &shadow("s", "").replace("v3", "3"), 0, &[]),
        (
            "limits and labels",
            agent_of("s", "  enforcedSampleLimit: 5\n  externalLabels: {a: b}\n")
                + &shadow("s", "  externalLabels: {a: c}\n"),
            1,
            &[
                ("conflict monitoring/node spec.enforcedSampleLimit", ""),
                ("conflict monitoring/node spec.externalLabels", ""),
            ],
        ),
        (
            "what means the same",
            agent_of(
                "s",
                "  enforcedSampleLimit: 0\n  arbitraryFSAccessThroughSMs: {deny: false}\n",
            ) + &shadow("s", "  overrideHonorLabels: false\n"),
            0,
            &[("ignored monitoring/node spec.arbitraryFSAccessThroughSMs", "")],
        ),
        (
            "the shadow's label is not off",
            agent_of("s", "") + &shadow("s", "").replace("  replicaExternalLabelName: \"\"\n", ""),
            1,
            &[("conflict monitoring/node spec.replicaExternalLabelName", "")],
        ),
        (
            "the shadow runs",
            agent_of("s", "") + &shadow("s", "").replace("replicas: 0", "replicas: 1"),
            1,
            &[("conflict monitoring/s spec.replicas", "")],
        ),
        (
            "the shadow is not given",
            agent_of("s", ""),
            0,
            &[("note monitoring/node ", "its shadow PrometheusAgent monitoring/s is not among")],
        ),
    ] {
        let expected = [expected, &[GATE, NO_RIGHTS]].concat();
        let (ended, lines) = judged(&text, &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, &expected, name);
    }
    for (tag, code, expected) in [
        ("v3.13.2", 0, &[NO_RIGHTS][..]),
        ("v3.13.2-distroless", 0, &[NO_RIGHTS]),
        ("v3.5.3", 1, &[NO_RIGHTS, ("conflict monitoring/ours", "runs Prometheus 3.5.3")]),
    ] {
        let (ended, lines) = judged(&(daemonset(tag) + &shadow("node-shadow", "")), &[]).await;
        assert_eq!(ended, code, "{tag}: {lines:#?}");
        has(&lines, expected, tag);
    }
}

#[tokio::test]
async fn labels_that_change_with_the_pod() {
    for (text, field) in [
        (
            agent("").replace("  replicaExternalLabelName: \"\"\n", ""),
            "half monitoring/node spec.replicaExternalLabelName",
        ),
        (
            agent("").replace("LabelName: \"\"", "LabelName: r"),
            "half monitoring/node spec.replicaExternalLabelName",
        ),
        (
            agent("  externalLabels: {pod: $(POD_NAME)}\n"),
            "half monitoring/node spec.externalLabels.pod",
        ),
    ] {
        let (code, lines) = judged(&text, &[]).await;
        assert_eq!(code, 0);
        has(&lines, &[GATE, NO_SHADOW, (field, "random")], field);
    }
    let old = shadow("node-shadow", "").replace("  replicaExternalLabelName: \"\"\n", "");
    let (_, lines) = judged(&(daemonset("v3.13.2") + &old), &[]).await;
    has(&lines, &[NO_RIGHTS, ("half monitoring/node-shadow spec.replica", "random name")], "ours");
}

#[tokio::test]
async fn volumes_that_are_not_there() {
    let mount = |name: &str| {
        format!("  containers: [{{name: c, volumeMounts: [{{name: {name}, mountPath: /x}}]}}]\n")
    };
    for (more, code, expected) in [
        (mount("config-out"), 0, &[][..]),
        (
            mount("mine"),
            1,
            &[("breaks monitoring/node spec.containers[c].volumeMounts", "\"mine\"")],
        ),
        (mount("secret-a-b") + "  secrets: [a.b]\n", 0, &[]),
        (mount("secret-a-b"), 1, &[("breaks", "secret-a-b")]),
    ] {
        let (ended, lines) = judged(&agent(&more), &[]).await;
        assert_eq!(ended, code, "{more}: {lines:#?}");
        has(&lines, &[expected, &[GATE, NO_SHADOW]].concat(), &more);
    }
    let without = agent("").replace("  volumeMounts", "  # volumeMounts");
    let (_, lines) = judged(&without, &[]).await;
    has(
        &lines,
        &[GATE, NO_SHADOW, ("half monitoring/node spec.volumeMounts", "/prometheus")],
        "no data",
    );
}

#[tokio::test]
async fn rights_of_the_sidecar_and_of_the_operator() {
    let needed = [
        ("", "pods", "list, watch"),
        ("", "nodes", "list, watch"),
        ("", "services", "list, watch"),
        ("discovery.k8s.io", "endpointslices", "list, watch"),
        ("", "endpoints", "list, watch"),
        ("", "namespaces", "list, watch"),
        ("apps", "replicasets", "get"),
        ("batch", "jobs", "get"),
    ];
    let ours = daemonset("v3.13.2") + &shadow("node-shadow", "");
    for (name, resources, code, expected) in [
        ("all", &needed[..], 0, &[][..]),
        ("everything", &[("*", "'*'", "'*'")], 0, &[]),
        (
            "no Pods",
            &needed[1..],
            1,
            &[("forbidden monitoring/ours", "may not list and watch pods")],
        ),
        (
            "no Jobs",
            &needed[..7],
            0,
            &[("note monitoring/ours", "get jobs.batch, which attach=cronjob")],
        ),
    ] {
        let (ended, lines) = judged(&(ours.clone() + &rights("sd", resources)), &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, expected, name);
    }
    let as_node = "'impersonate-on:associated-node:list', 'impersonate-on:associated-node:watch'";
    let own_node = [
        &[
            ("", "pods", as_node),
            ("", "nodes", as_node),
            ("authentication.k8s.io", "nodes", "'impersonate:associated-node'"),
        ],
        &needed[2..],
    ]
    .concat();
    let not_as_node = |resource: &str| {
        format!(
            "may not impersonate-on:associated-node:list and impersonate-on:associated-node:watch {resource}"
        )
    };
    let nobody = "may not impersonate:associated-node nodes.authentication.k8s.io".to_owned();
    let no = |resource: &str| format!("may not list and watch {resource}");
    for (flag, resources, expected) in [
        ("", &own_node[..], vec![]),
        (", --impersonate-node=auto", &own_node, vec![]),
        (", --impersonate-node=on", &own_node, vec![]),
        (", --impersonate-node, 'on'", &own_node, vec![]),
        (
            ", --impersonate-node=on",
            &needed,
            vec![not_as_node("pods"), not_as_node("nodes"), nobody],
        ),
        (", --impersonate-node=on", &own_node[1..], vec![not_as_node("pods")]),
        (", --impersonate-node=off", &own_node, vec![no("pods"), no("nodes")]),
        // Without one of them the others are no use, so the ordinary ones are what is missing.
        ("", &own_node[1..], vec![no("pods"), no("nodes")]),
    ] {
        let ours = ours.replace("args: [run]", &format!("args: [run{flag}]"));
        let (ended, lines) = judged(&(ours + &rights("sd", resources)), &[]).await;
        assert_eq!(ended, i32::from(!expected.is_empty()), "{flag}: {lines:#?}");
        let expected: Vec<_> =
            expected.iter().map(|why| ("forbidden monitoring/ours", why.as_str())).collect();
        has(&lines, &expected, flag);
    }
    let text = complement("unseen", "") + &rights("default", &own_node);
    let (code, lines) = judged(&text, &[]).await;
    assert_eq!(code, 1, "it reads all nodes: {lines:#?}");
    let text = complement("unseen", "") + &rights("default", &needed[1..]);
    let (code, lines) = judged(&text, &[]).await;
    assert_eq!(code, 1, "{lines:#?}");
    let no_agents = ("note monitoring/c --agents", "");
    has(&lines, &[no_agents, ("forbidden monitoring/c", "list and watch pods")], "the complement");
    let gate = "--feature-gates=PrometheusAgentDaemonSet=true";
    let sets = [("apps", "daemonsets", "get, list, watch, create, update, delete")];
    for (name, text, code, expected) in [
        ("all", operator(gate) + &rights("operator", &sets), 0, &[][..]),
        (
            "no gate",
            operator("") + &rights("operator", &sets),
            1,
            &[("conflict monitoring/operator", "without its gate")],
        ),
        (
            "no rights",
            operator(gate) + &rights("operator", &[("apps", "statefulsets", "'*'")]),
            1,
            &[("forbidden monitoring/operator", "may not get and list")],
        ),
        (
            "a gate in the command",
            operator("").replace(
                "args: []",
                "command: [/operator, -feature-gates, PrometheusAgentDaemonSet=1]",
            ) + &rights("operator", &sets),
            0,
            &[],
        ),
        (
            "a gate that is off",
            operator("--feature-gates=PrometheusAgentDaemonSet=false") + &rights("operator", &sets),
            1,
            &[("conflict monitoring/operator", "without its gate")],
        ),
        ("unseen", operator(gate), 0, &[("note monitoring/operator", "are not judged")]),
    ] {
        let (ended, lines) = judged(&(agent("") + &text), &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, &[expected, &[NO_SHADOW]].concat(), name);
    }
}

#[tokio::test]
async fn two_agents_for_one_monitor() {
    let pods = "  podMonitorSelector: {}\n  podMonitorNamespaceSelector: {}\n";
    let team =
        "  podMonitorSelector: {matchLabels: {team: a}}\n  podMonitorNamespaceSelector: {}\n";
    let theirs =
        "  podMonitorSelector: {matchLabels: {team: b}}\n  podMonitorNamespaceSelector: {}\n";
    let own = "  podMonitorSelector: {}\n";
    let rest = "  scrapeClasses: [{name: r, default: true, relabelings: [{action: drop, regex: .+, \
                sourceLabels: [__meta_kubernetes_pod_node_name]}]}]\n";
    let one = monitor("PodMonitor", "m", "{podMetricsEndpoints: [{port: http}]}");
    let overlap =
        ("conflict monitoring/node spec.podMonitorSelector", "PrometheusAgent monitoring/old");
    let taken = ("taken shop/m", "PrometheusAgent monitoring/node");
    for (name, text, code, expected) in [
        ("equal selectors", agent(pods) + &other("old", pods), 1, &[overlap][..]),
        ("both select it", agent(pods) + &other("old", team) + &one, 1, &[overlap, taken]),
        ("one does", agent(pods) + &other("old", theirs) + &one, 0, &[taken]),
        ("nobody knows", agent(pods) + &other("old", team), 0, &[]),
        (
            "one has no replicas",
            agent(pods) + &other("old", &format!("{pods}  replicas: 0\n")),
            0,
            &[],
        ),
        (
            "one takes the rest",
            agent(pods) + &other("old", &format!("{pods}{rest}")) + &one,
            0,
            &[taken],
        ),
        (
            "Probes are not rendered on nodes",
            agent("  probeSelector: {}\n  serviceMonitorSelector: {}\n")
                + &other("old", "  probeSelector: {}\n  serviceMonitorSelector: {}\n")
                + &monitor("Probe", "m", "{}").replace("shop", "monitoring"),
            1,
            &[
                ("refused monitoring/node spec.probeSelector", ""),
                ("refused monitoring/node spec.serviceMonitorSelector", ""),
                ("complement monitoring/m", "PrometheusAgent monitoring/old takes it"),
            ],
        ),
        ("own namespaces", agent(own) + &other("old", own), 1, &[overlap]),
        (
            "another namespace",
            agent(own) + &other("old", own).replace("namespace: monitoring", "namespace: x"),
            0,
            &[],
        ),
        (
            "a Prometheus",
            agent(pods)
                + &other("old", pods)
                    .replace("PrometheusAgent", "Prometheus")
                    .replace("v1alpha1", "v1"),
            1,
            &[(
                "conflict monitoring/node spec.podMonitorSelector",
                "Prometheus monitoring/old scrapes",
            )],
        ),
    ] {
        let (ended, lines) = judged(&text, &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, &[expected, &[GATE, NO_SHADOW]].concat(), name);
    }
    // Through the shadow.
    let all = "  serviceMonitorSelector: {}\n  serviceMonitorNamespaceSelector: {}\n";
    let text = daemonset("v3.13.2") + &shadow("node-shadow", "") + &other("old", all);
    let (code, lines) = judged(&text, &[]).await;
    assert_eq!(code, 1);
    has(
        &lines,
        &[
            NO_RIGHTS,
            ("conflict monitoring/ours serviceMonitorSelector of node-shadow", "monitoring/old"),
        ],
        "ours",
    );
}

#[tokio::test]
async fn each_monitor_has_its_verdict() {
    let ours = daemonset("v3.13.2")
        + &shadow(
            "node-shadow",
            "  podMonitorSelector: {matchLabels: {team: b}}\n  podMonitorNamespaceSelector: {}\n",
        );
    let entry = |entry: &str| {
        monitor(
            "ServiceMonitor",
            "m",
            &format!("{{selector: {{matchLabels: {{a: b}}}}, endpoints: [{entry}]}}"),
        )
    };
    let service = |spec: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop, labels: {{a: b}}}}\nspec: {spec}\n---\n"
        )
    };
    let pods_somewhere = service("{selector: {x: y}}").replace("namespace: shop, ", "");
    let kubelet = "{a: b, k8s-app: kubelet, app.kubernetes.io/managed-by: prometheus-operator}";
    let agents = ", '--agents=monitoring/app=ours'";
    let complement = |shadow: &str| complement(shadow, agents);
    let probes = "  probeSelector: {}\n  probeNamespaceSelector: {}\n";
    let probe = monitor("Probe", "m", "{}");
    for (name, text, code, expected) in [
        (
            "an ordinary one",
            entry("{port: http}"),
            0,
            &[("taken shop/m", "DaemonSet monitoring/ours")][..],
        ),
        (
            "a Service with Pods",
            entry("{port: http}") + &service("{selector: {x: y}}"),
            0,
            &[("taken shop/m", "")],
        ),
        (
            "a Service without",
            entry("{port: http}") + &service("{}"),
            0,
            &[("uncovered shop/m", "Service shop/s has no selector")],
        ),
        (
            "the operator's Service of kubelets",
            entry("{port: http}") + &service("{}").replace("{a: b}", kubelet),
            0,
            &[("taken shop/m", "")],
        ),
        (
            "another one with Pods",
            entry("{port: http}")
                + &service("{}")
                + &service("{selector: {x: y}}").replace("name: s,", "name: t,"),
            0,
            &[("taken shop/m", "")],
        ),
        (
            "another one with Pods whose namespace is not known",
            entry("{port: http}") + &service("{}") + &pods_somewhere,
            0,
            &[("taken shop/m", "")],
        ),
        (
            "the same among named namespaces",
            entry("{port: http}")
                .replace("{selector", "{namespaceSelector: {matchNames: [shop]}, selector")
                + &service("{}")
                + &pods_somewhere,
            0,
            &[("taken shop/m", "")],
        ),
        (
            "elsewhere",
            entry("{port: http}") + &service("{}").replace("shop", "x"),
            0,
            &[("taken shop/m", "")],
        ),
        (
            "an ExternalName",
            entry("{}") + &service("{type: ExternalName}"),
            0,
            &[("uncovered shop/m", "ExternalName")],
        ),
        (
            "two authentications",
            entry("{bearerTokenFile: /t, basicAuth: {username: {}}}"),
            1,
            &[("breaks shop/m spec.endpoints[0]:", "basicAuth and bearerTokenFile")],
        ),
        (
            "a bracket",
            entry("{port: 'web('}"),
            1,
            &[("breaks shop/m spec.endpoints[0].port", "regular expression")],
        ),
        ("a number", entry("{targetPort: 80}"), 0, &[("taken shop/m", "")]),
        (
            "an empty label",
            monitor("ServiceMonitor", "m", "{targetLabels: ['']}"),
            1,
            &[("breaks shop/m spec.targetLabels", "empty name")],
        ),
        ("a Probe", probe.clone(), 0, &[("uncovered shop/m", "belongs to no node")]),
        (
            "a Probe that an agent takes",
            probe.clone() + &other("old", probes),
            0,
            &[("complement shop/m", "PrometheusAgent monitoring/old takes it")],
        ),
        (
            "a Probe that the complement takes",
            probe.clone() + &complement("p") + &shadow("p", probes),
            0,
            &[("complement shop/m", "")],
        ),
        (
            "a Probe that it does not take",
            probe.clone() + &complement("p") + &shadow("p", ""),
            0,
            &[("uncovered shop/m", "")],
        ),
        (
            "a complement whose shadow is not in the set",
            probe.clone() + &complement("unseen"),
            0,
            &[("complement shop/m", "")],
        ),
        (
            "a Probe that both take",
            probe.clone() + &complement("p") + &shadow("p", probes) + &other("old", probes),
            1,
            &[
                ("complement shop/m", ""),
                ("conflict monitoring/c probeSelector of p", "Probe shop/m"),
            ],
        ),
        (
            "a ScrapeConfig",
            monitor("ScrapeConfig", "m", "{staticConfigs: [{}]}"),
            0,
            &[("uncovered shop/m", "")],
        ),
        ("nobody selects it", monitor("PodMonitor", "m", "{}"), 0, &[("left shop/m", "no agent")]),
        (
            "another agent does",
            monitor("PodMonitor", "m", "{}")
                + &other("old", "  podMonitorSelector: {}\n  podMonitorNamespaceSelector: {}\n"),
            0,
            &[("note shop/m", "PrometheusAgent monitoring/old takes it")],
        ),
        (
            "a role's selector is harmless in a shadow",
            monitor("PodMonitor", "m", "{selectorMechanism: RoleSelector}")
                .replace("team: a", "team: b"),
            0,
            &[("taken shop/m", "")],
        ),
    ] {
        let (ended, lines) = judged(&(ours.clone() + &text), &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, &[expected, &[NO_RIGHTS]].concat(), name);
    }
}

#[tokio::test]
async fn nodes_and_complement_have_the_same_idea_of_their_parts() {
    let ours = daemonset("v3.13.2");
    let with = |flag: &str| ours.replace("args: [run]", &format!("args: [run, {flag}]"));
    let configs = "  scrapeConfigSelector: {}\n";
    let agents = ", --agents, monitoring/app=ours";
    let excluding = format!("{agents}, '--exclude=a/b=c', --exclude, x/y=z");
    let conflict = |flag: &'static str, why: &'static str| [(flag, why)];
    for (name, nodes, flags, more, code, expected) in [
        ("the same", ours.clone(), agents, "", 0, &[][..]),
        ("a default is said", with("--foreign-slices=auto"), agents, "", 0, &[]),
        (
            "other slices",
            with("--foreign-slices, all"),
            agents,
            "",
            1,
            &conflict(
                "conflict monitoring/c --foreign-slices",
                "is auto here and all for DaemonSet",
            ),
        ),
        (
            "excluded by one",
            ours.clone(),
            &excluding,
            "",
            1,
            &conflict("conflict monitoring/c --exclude", "a/b=c, x/y=z here and none"),
        ),
        ("excluded by both", with("--exclude=x/y=z, --exclude=a/b=c"), &excluding, "", 0, &[]),
        (
            "no agents are named",
            ours.clone(),
            "",
            "",
            0,
            &conflict("note monitoring/c --agents", "nodes that have no agent"),
        ),
        (
            "others are",
            ours.clone(),
            ", --agents=monitoring/app=theirs",
            "",
            1,
            &conflict("conflict monitoring/c --agents", "monitoring/app=theirs does not select"),
        ),
        (
            "elsewhere",
            ours.clone(),
            ", --agents=shop/app=ours",
            "",
            1,
            &conflict("conflict monitoring/c --agents", "shop/app=ours does not select"),
        ),
        (
            "jobs for all",
            ours.clone(),
            agents,
            configs,
            1,
            &conflict("conflict monitoring/ours --leave-to-complement", "scrapeConfigSelector"),
        ),
        ("jobs that are left", with("--leave-to-complement"), agents, configs, 0, &[]),
    ] {
        let text = nodes + &shadow("node-shadow", more) + &complement("node-shadow", flags);
        let (ended, lines) = judged(&text, &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, &[expected, &[NO_RIGHTS]].concat(), name);
    }
}

/// As `helm template` prints them, or as `kubectl -n` applies them.
#[tokio::test]
async fn a_namespace_that_is_not_in_the_manifest_is_unknown() {
    let without =
        |text: &str| text.replace(", namespace: monitoring", "").replace(", namespace: shop", "");
    let selecting = "  podMonitorSelector: {}\n";
    let one = monitor("PodMonitor", "m", "{}");
    let unjudged = |object| (object, "not judged: its namespace is not in the manifest");
    let rights = rights("sd", &[("", "pods", "list, watch")])
        + &rights("other", &[]).replace(
            "kind: ServiceAccount, name: other",
            "kind: Group, name: system:serviceaccounts",
        );
    let flags = |labels: &str| format!(", '--agents=monitoring/{labels}'");
    let ours = |labels: &str| {
        daemonset("v3.13.2")
            + &shadow("node-shadow", "")
            + &complement("node-shadow", &flags(labels))
    };
    for (name, text, code, expected) in [
        (
            "the nodes' agents",
            without(&ours("app=ours")),
            0,
            &[unjudged("note ours"), unjudged("note c")][..],
        ),
        (
            "their labels are known",
            without(&ours("app=theirs")),
            1,
            &[
                unjudged("note ours"),
                unjudged("note c"),
                ("conflict c --agents", "does not select"),
            ],
        ),
        (
            "one with and one without",
            without(&daemonset("v3.13.2")) + &shadow("node-shadow", ""),
            0,
            &[unjudged("note ours")],
        ),
        (
            "an account's rights",
            without(&daemonset("v3.13.2")) + &shadow("node-shadow", "") + &rights,
            0,
            &[unjudged("note ours")],
        ),
        (
            "who selects namespaces by name",
            agent(&format!(
                "{selecting}  podMonitorNamespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: shop}}}}\n"
            )) + &without(&one),
            0,
            &[GATE, NO_SHADOW, ("taken m", "by agents on the nodes that select it")],
        ),
        (
            "who selects in its own",
            without(&(agent(selecting) + &other("old", selecting) + &one)),
            0,
            &[
                ("note node spec.mode", "is not judged"),
                ("note node spec.secrets", "PodMonitors only"),
                ("taken m", "by agents on the nodes that select it"),
            ],
        ),
    ] {
        let (ended, lines) = judged(&text, &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, expected, name);
    }
}

#[tokio::test]
async fn what_an_agent_makes_of_a_monitor() {
    let pods = "  podMonitorSelector: {}\n  podMonitorNamespaceSelector: {}\n";
    let class =
        "  scrapeClasses: [{name: c, default: true, authorization: {credentialsFile: /t}}]\n";
    let by_role = monitor("PodMonitor", "m", "{selectorMechanism: RoleSelector}");
    let basic = monitor("PodMonitor", "m", "{podMetricsEndpoints: [{basicAuth: {username: {}}}]}");
    let taken = ("taken shop/m", "");
    for (name, text, code, expected) in [
        (
            "without the sidecar",
            agent(pods) + &by_role,
            1,
            &[("breaks shop/m spec.selectorMechanism", "two selectors"), NO_SHADOW, GATE][..],
        ),
        (
            "with it",
            agent_of("s", pods) + &shadow("s", "") + &by_role,
            0,
            &[("half shop/m spec.selectorMechanism", "until the sidecar"), taken, NO_RIGHTS, GATE],
        ),
        ("no agent", by_role.clone(), 0, &[("half shop/m spec.selectorMechanism", ""), taken]),
        (
            "a scrape class",
            agent(&format!("{pods}{class}")) + &basic,
            1,
            &[
                ("breaks shop/m spec.podMetricsEndpoints[0].basicAuth", "scrape class c"),
                NO_SHADOW,
                GATE,
            ],
        ),
        ("no scrape class", agent(pods) + &basic, 0, &[taken, NO_SHADOW, GATE]),
    ] {
        let (ended, lines) = judged(&text, &[]).await;
        assert_eq!(ended, code, "{name}: {lines:#?}");
        has(&lines, expected, name);
    }
}

#[tokio::test]
async fn namespaces_are_selected_too() {
    let one = monitor("PodMonitor", "m", "{}");
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {stage: live}}\n---\n";
    let (taken, left) = (("taken shop/m", "by PrometheusAgent"), ("left shop/m", ""));
    for (selector, namespace, expected) in [
        ("null", "", left),
        ("{}", "", taken),
        ("{matchLabels: {kubernetes.io/metadata.name: shop}}", "", taken),
        ("{matchLabels: {kubernetes.io/metadata.name: other}}", "", left),
        ("{matchLabels: {stage: live}}", namespace, taken),
        ("{matchLabels: {stage: test}}", namespace, left),
        // Without the Namespace its labels are not known.
        (
            "{matchLabels: {stage: test}}",
            "",
            ("taken shop/m", "by agents on the nodes that select it"),
        ),
    ] {
        let more =
            format!("  podMonitorSelector: {{}}\n  podMonitorNamespaceSelector: {selector}\n");
        let text = agent(&more) + namespace + &one;
        let (code, lines) = judged(&text, &[]).await;
        assert_eq!(code, 0, "{selector}: {lines:#?}");
        has(&lines, &[expected, GATE, NO_SHADOW], selector);
    }
}

#[tokio::test]
async fn alerts_that_a_dead_node_takes_along() {
    for (expression, expected) in [
        ("up == 0", &[("silent monitoring/r spec.groups[0].rules[0].expr", "Down")][..]),
        ("absent(up)", &[]),
    ] {
        let (code, lines) = judged(&rule(expression), &[]).await;
        assert_eq!(code, 0);
        has(&lines, expected, expression);
    }
}

#[tokio::test]
async fn what_cannot_be_found_out_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    file("a.yaml", &agent(""));
    file("b.yaml", "a: [\n");
    let all = folder.path().display().to_string();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = empty.display().to_string();
    let nothing = file("nothing", "# nothing\n");
    for (arguments, code, out, err) in [
        (&["check", &all][..], 3, "unknown", "error: not found out: 1"),
        (
            &["check", &empty],
            3,
            "empty has no file *.yaml, *.yml or *.json",
            "error: not found out: 1",
        ),
        (&["check", &nothing], 3, "nothing has no object", "error: not found out: 1"),
        (&["check", "-"], 3, "standard input has no object", "error: not found out: 1"),
        (&["check", "/no/such/file"], 2, "", "/no/such/file cannot be read"),
        (&["check"], 2, "", "<PATH>"),
        (&["check", &all, "--operator-version", "0.93"], 2, "", "three numbers, such as 0.93.1"),
        (&["check", "--live"], 2, "", "pass --kubeconfig"),
    ] {
        let ended = run(arguments).await;
        assert_eq!(ended.0, code, "{arguments:?}: {}", ended.2);
        assert!(
            ended.1.contains(out) && ended.2.contains(err),
            "{arguments:?}: {}{}",
            ended.1,
            ended.2
        );
        assert_eq!(ended.2.lines().count(), 1, "{arguments:?}: {}", ended.2);
    }
}

/// A kind that an API server does not have costs no other one.
#[tokio::test]
async fn what_an_api_server_does_not_have_is_said() {
    let (api, _) = example_cluster().await;
    let (_folder, file) = kubeconfig(&api);
    let (code, out, err) = run(&["check", "--live", "--kubeconfig", &file]).await;
    assert_eq!(code, 3, "{err}");
    assert!(out.contains("the kind prometheusagents is not installed: no object"), "{out}");
    assert!(out.contains("there is no CRD prometheusagents.monitoring.coreos.com"), "{out}");
    assert!(out.contains("install the CRDs of prometheus-operator"), "{out}");
    assert!(!out.contains("the kind services"), "{out}");
    let (_folder, file) = kubeconfig("http://127.0.0.1:1");
    let (code, out, err) = run(&["check", "--live", "--kubeconfig", &file]).await;
    assert_eq!(code, 3, "{err}");
    assert!(out.contains("refused") && out.contains("nothing else was asked for"), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
}

/// The project's own manifests are as good as it can tell.
#[tokio::test]
async fn our_own_manifests_have_no_negative_verdict() {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let at = |name: &str| manifests.join(name).display().to_string();
    for base in ["daemonset", "operator-daemonset"] {
        let parts = [base, "shadow", "common", "rbac", "policies"].map(at);
        let arguments: Vec<&str> =
            std::iter::once("check").chain(parts.iter().map(String::as_str)).collect();
        let (code, out, err) = run(&arguments).await;
        assert_eq!((code, &*err), (0, ""), "{base}: {out}");
        assert!(out.starts_with("VERDICT"), "{out}");
    }
}

/// The table of fields has those of the CRD, whose names are kept here.
#[test]
fn the_table_has_all_fields() {
    let kept = include_str!("data/prometheusagent-fields.txt");
    let names: Vec<&str> = fields::all().iter().map(|field| field.name).collect();
    assert_eq!(
        names,
        kept.lines().collect::<Vec<_>>(),
        "of prometheus-operator {}",
        Version::NEWEST
    );
}
