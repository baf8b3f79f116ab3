//! What `migrate` makes of an agent: each field, the manifests, and the steps.

use crate::commands::run;
use nodelocal_sd::migrate::{FIELDS, Fate, File, Note, Old, Plan, Settings, Twice, Weight};
use nodelocal_sd::operator::Manifest;
use nodelocal_sd::yaml::{Yaml, read};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

/// The fields of the CRDs of prometheus-operator 0.93.1.
const AGENT: &str = include_str!("data/prometheusagent-fields.txt");
const SERVER: &str = include_str!("data/prometheus-fields.txt");

/// What each agent needs.
const LEAST: &str = "remoteWrite: [{url: 'http://r'}]\nserviceMonitorSelector: {}\n";

fn manifest(kind: &str, spec: &str) -> Manifest {
    let mut text = format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: {kind}\nmetadata: {{name: k8s, namespace: mon}}\nspec:\n"
    );
    for line in spec.lines() {
        let _ = writeln!(text, "  {line}");
    }
    Manifest::read("f", &text).unwrap().remove(0)
}

fn plan_of(kind: &str, spec: &str) -> Plan {
    let settings = Settings {
        image: "registry.example/nodelocal-sd:1".to_owned(),
        folder: "out".to_owned(),
        command: Some("nodelocal-sd migrate mon/k8s".to_owned()),
    };
    Plan::new(Old::read(&manifest(kind, spec), None).unwrap(), &settings)
}

fn plan(spec: &str) -> Plan {
    plan_of("PrometheusAgent", &format!("{LEAST}{spec}"))
}

/// The only object of that file.
fn object<'a>(plan: &'a Plan, name: &str) -> &'a Yaml {
    &plan.files.iter().find(|file| file.name == name).unwrap().objects[0]
}

fn at<'a>(node: &'a Yaml, path: &[&str]) -> &'a Yaml {
    path.iter().fold(node, |node, key| {
        let item = |items: &'a [Yaml]| {
            items.iter().find(|item| item.get("name").and_then(Yaml::text) == Some(key))
        };
        let found = node.get(key).or_else(|| node.items().and_then(item));
        found.unwrap_or_else(|| panic!("no {key} in {node}"))
    })
}

fn text_at<'a>(node: &'a Yaml, path: &[&str]) -> &'a str {
    at(node, path).text().unwrap()
}

fn notes_on<'a>(plan: &'a Plan, field: &str) -> Vec<&'a Note> {
    let field = format!("spec.{field}");
    plan.notes.iter().filter(|note| note.field == field).collect()
}

#[test]
fn all_fields_of_the_crds_are_known_and_no_others() {
    let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    let of_crds: BTreeSet<&str> = AGENT.lines().chain(SERVER.lines()).collect();
    assert_eq!(known, of_crds.into_iter().collect::<Vec<_>>());
    for field in nodelocal_sd::operator::fields::all() {
        assert!(known.contains(&field.name), "check knows {}", field.name);
    }
}

/// A value of a field that is carried to the Pods, and what both have then.
const PODS: [(&str, &str, &str); 25] = [
    (
        "additionalArgs",
        "[{name: some-flag, value: v}, {name: no-x}]",
        "- \"--some-flag=v\"\n        - \"--no-x\"\n",
    ),
    (
        "configMaps",
        "[my.map]",
        "name: configmap-my-map\n        configMap:\n          name: my.map\n",
    ),
    ("containers", "[{name: proxy, image: p}]", "- name: proxy\n        image: p\n"),
    (
        "dnsConfig",
        "{nameservers: [192.0.2.1]}",
        "dnsConfig:\n        nameservers:\n        - 192.0.2.1\n",
    ),
    ("dnsPolicy", "Default", "dnsPolicy: Default\n"),
    ("enableFeatures", "[a, b]", "- \"--enable-feature=a,b\"\n"),
    ("enableServiceLinks", "false", "enableServiceLinks: false\n"),
    ("hostAliases", "[{ip: 192.0.2.1, hostnames: [h]}]", "hostAliases:\n      - ip: 192.0.2.1\n"),
    ("hostUsers", "false", "hostUsers: false\n"),
    ("image", "my/prometheus:v9", "image: \"my/prometheus:v9\"\n"),
    ("imagePullPolicy", "Always", "imagePullPolicy: Always\n"),
    ("imagePullSecrets", "[{name: pull}]", "imagePullSecrets:\n      - name: pull\n"),
    ("initContainers", "[{name: first, image: i}]", "- name: first\n        image: i\n"),
    ("logFormat", "json", "- \"--log.format=json\"\n"),
    ("logLevel", "debug", "- \"--log-level=debug\"\n"),
    ("minReadySeconds", "77", "minReadySeconds: 77\n"),
    ("podMetadata", "{labels: {team: a, app.kubernetes.io/name: mine}}", "team: a\n"),
    ("priorityClassName", "high", "priorityClassName: high\n"),
    ("schedulerName", "s", "schedulerName: s\n"),
    ("secrets", "[my-secret]", "mountPath: \"/etc/prometheus/secrets/my-secret\"\n"),
    ("securityContext", "{runAsUser: 7}", "runAsUser: 7\n        runAsGroup: 65534\n"),
    ("serviceAccountName", "mine", "serviceAccountName: mine\n"),
    ("terminationGracePeriodSeconds", "9", "terminationGracePeriodSeconds: 9\n"),
    ("walCompression", "false", "- \"--no-storage.agent.wal-compression\"\n"),
    ("volumes", "[{name: v, emptyDir: {}}]", "- name: v\n        emptyDir: {}\n"),
];

#[test]
fn each_field_is_carried_or_named() {
    for (field, fate) in FIELDS {
        let value = match field {
            "remoteWrite" => "[{url: 'http://other'}]",
            "prometheusExternalLabelName" | "replicaExternalLabelName" => "own",
            "mode" => "StatefulSet",
            "paused" => "false",
            "replicas" | "shards" => "3",
            "volumeMounts" => "[{name: wal, mountPath: /elsewhere}]",
            _ => PODS
                .iter()
                .find(|(name, ..)| *name == field)
                .map_or("{some: {thing: 5}}", |(_, value, _)| value),
        };
        let least =
            if field == "remoteWrite" { "podMonitorSelector: {}" } else { LEAST.trim_end() };
        let least = if field == "serviceMonitorSelector" {
            "remoteWrite: [{url: 'http://r'}]"
        } else {
            least
        };
        let plan = plan_of("Prometheus", &format!("{least}\n{field}: {value}\n"));
        let carried = plan.carried.iter().any(|name| name == field);
        let noted = !notes_on(&plan, field).is_empty();
        assert!(carried || noted, "{field} is neither carried nor named");
        let pods = [File::NODES, File::COMPLEMENT].map(|file| object(&plan, file).to_string());
        match fate {
            Fate::Shadow => {
                let shadow = object(&plan, File::SHADOW);
                let expected = match field {
                    "externalLabels" => read("{some: {thing: 5}, prometheus: mon/k8s}").unwrap(),
                    _ => read(value).unwrap(),
                };
                assert_eq!(at(shadow, &["spec", field]), &expected, "{field}");
            }
            Fate::Pods if field == "volumeMounts" => {
                assert!(pods.iter().all(|pod| pod.contains("mountPath: /elsewhere\n")));
            }
            Fate::Pods => {
                let (.., expected) = PODS
                    .iter()
                    .find(|(name, ..)| *name == field)
                    .unwrap_or_else(|| panic!("no case of {field}"));
                for pod in &pods {
                    assert!(pod.contains(expected), "{field}: {expected:?} in {pod}");
                }
            }
            Fate::Complement(_) => {
                assert!(!pods[0].contains("thing: 5") && pods[1].contains("thing: 5"), "{field}");
            }
            Fate::Changed(_) | Fate::Dropped(_) | Fate::First(_) | Fate::Server(_) => {
                assert!(pods.iter().all(|pod| !pod.contains("thing: 5")), "{field}");
            }
        }
    }
}

#[test]
fn what_is_lost_is_said_first() {
    for (kind, spec, field, why) in [
        ("PrometheusAgent", "newField: 1", "newField", "does not know the field"),
        (
            "PrometheusAgent",
            "hostNetwork: true",
            "hostNetwork",
            "the old agent has them while both run",
        ),
        ("PrometheusAgent", "enableOTLPReceiver: true", "enableOTLPReceiver", "one address"),
        ("Prometheus", "ruleSelector: {}", "ruleSelector", "evaluates rules"),
        ("Prometheus", "alerting: {}", "alerting", "sends alerts"),
        ("Prometheus", "thanos: {}", "thanos", "stores anything"),
        ("PrometheusAgent", "volumes: [{name: wal, emptyDir: {}}]", "volumes", "wal is dropped"),
        (
            "PrometheusAgent",
            "volumeMounts: [{name: prom-agent-k8s-db, mountPath: /x}]",
            "volumeMounts",
            "prom-agent-k8s-db is dropped",
        ),
        (
            "PrometheusAgent",
            "containers: [{name: prometheus, args: [--x], env: [{name: A, value: b}]}]",
            "containers",
            "prometheus in the new Pods is not the operator's, and this of it is not carried: args.",
        ),
        (
            "PrometheusAgent",
            "containers: [{name: thanos-sidecar, image: t}]",
            "containers",
            "thanos-sidecar runs beside the agent on every node",
        ),
        (
            "PrometheusAgent",
            "volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]",
            "volumes",
            "v is one claim",
        ),
    ] {
        let plan = plan_of(kind, &format!("{LEAST}{spec}\n"));
        let notes = notes_on(&plan, field);
        let said = notes.iter().any(|note| note.weight == Weight::First && note.why.contains(why));
        assert!(said, "{spec}: {notes:?}");
        let steps = plan.steps();
        let (first, rest) =
            (steps.find("To be looked at").unwrap(), steps.find("## Changed").unwrap());
        let there = steps.find(&format!("`spec.{field}`")).unwrap();
        assert!(first < there && there < rest, "{spec}");
    }
    let merged = plan("containers: [{name: prometheus, args: [--x], env: [{name: A, value: b}]}]");
    assert_eq!(
        text_at(
            object(&merged, File::NODES),
            &["spec", "template", "spec", "containers", "prometheus", "env", "A", "value"]
        ),
        "b"
    );
}

/// While both run, the Pods of the old one and the new ones must fit on the same nodes.
#[test]
fn old_and_new_pods_do_not_keep_each_other_off_their_nodes() {
    let required = |selector: &str| {
        format!(
            "podMetadata: {{labels: {{part-of: kube, team: a}}}}\naffinity: {{nodeAffinity: {{some: thing}}, podAntiAffinity: \
             {{requiredDuringSchedulingIgnoredDuringExecution: [{{labelSelector: {selector}, topologyKey: t}}]}}}}"
        )
    };
    for (selector, carried, kept_off) in [
        ("{matchLabels: {part-of: kube}}", &["team"][..], false),
        ("{matchExpressions: [{key: team, operator: In, values: [a]}]}", &["part-of"], false),
        ("{matchExpressions: [{key: team, operator: Exists}]}", &["part-of"], false),
        ("{matchLabels: {app.kubernetes.io/name: prometheus-agent}}", &["part-of", "team"], false),
        // The new Pods have these by themselves.
        ("{matchLabels: {app.kubernetes.io/instance: k8s}}", &["part-of", "team"], true),
        ("{matchExpressions: [{key: x, operator: DoesNotExist}]}", &["part-of", "team"], true),
        ("{}", &["part-of", "team"], true),
    ] {
        let plan = plan(&required(selector));
        for file in [File::NODES, File::COMPLEMENT] {
            let pod = at(object(&plan, file), &["spec", "template"]);
            let labels = at(pod, &["metadata", "labels"]);
            let has: Vec<&str> = ["part-of", "team"]
                .into_iter()
                .filter(|label| labels.get(label).is_some())
                .collect();
            assert_eq!(has, carried, "{file}: {selector}");
            assert!(!pod.to_string().contains("podAntiAffinity"), "{file}: {selector}");
        }
        let complement = object(&plan, File::COMPLEMENT);
        at(complement, &["spec", "template", "spec", "affinity", "nodeAffinity"]);
        assert_eq!(notes_on(&plan, "podMetadata").len(), 2 - carried.len(), "{selector}");
        let first = notes_on(&plan, "affinity").iter().any(|note| note.weight == Weight::First);
        assert_eq!(first, kept_off, "{selector}");
    }
    let preferred = required("{}").replace("required", "preferred");
    assert_eq!(notes_on(&plan(&preferred), "affinity").len(), 1);
}

#[test]
fn what_is_off_is_not_said_to_be_lost() {
    let plan = plan("hostNetwork: false\nenableOTLPReceiver: false");
    assert!(notes_on(&plan, "hostNetwork").is_empty());
    assert!(notes_on(&plan, "enableOTLPReceiver").is_empty());
}

#[test]
fn what_has_no_name() {
    let text = "{apiVersion: monitoring.coreos.com/v1, kind: PrometheusAgent, spec: {}}";
    let error = Old::read(&Manifest::read("f", text).unwrap()[0], None).unwrap_err().to_string();
    assert_eq!(error, "f:1: PrometheusAgent: metadata.name is missing: write it into the file");
}

#[test]
fn what_cannot_be_migrated() {
    for (kind, spec, expected) in [
        ("DaemonSet", LEAST, "neither a PrometheusAgent nor a Prometheus"),
        ("PrometheusAgent", "serviceMonitorSelector: {}", "spec.remoteWrite is missing"),
        (
            "Prometheus",
            "serviceMonitorSelector: {}\nremoteWrite: []",
            "spec.remoteWrite is missing",
        ),
        ("Prometheus", "remoteWrite: [{url: a}]", "there is nothing to scrape"),
        ("PrometheusAgent", "mode: DaemonSet\nserviceMonitorSelector: {}", "on the nodes already"),
        (
            "PrometheusAgent",
            "paused: true\nserviceMonitorSelector: {}\nremoteWrite: [{url: a}]",
            "spec.paused",
        ),
        (
            "PrometheusAgent",
            "replicas: two\nserviceMonitorSelector: {}",
            "spec.replicas: two is no number",
        ),
        (
            "PrometheusAgent",
            "replicas: 0\nserviceMonitorSelector: {}\nremoteWrite: [{url: a}]",
            "spec.replicas is 0, and after the way back nobody would scrape: say with --replicas",
        ),
        ("PrometheusAgent", "image: a\nimage: b", "the key image is there twice"),
    ] {
        let error = Old::read(&manifest(kind, spec), None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("f:1: {kind} mon/k8s: ")), "{error}");
        assert!(error.contains(expected), "{spec}: {error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn series_keep_their_labels_but_for_the_replica() {
    for (spec, label, value, noted) in [
        ("", "prometheus", "mon/k8s", true),
        ("prometheusExternalLabelName: agent", "agent", "mon/k8s", true),
        ("externalLabels: {prometheus: mine}", "prometheus", "mon/k8s", true), // as the operator has it
        (
            "prometheusExternalLabelName: ''\nexternalLabels: {prometheus: mine}",
            "prometheus",
            "mine",
            false,
        ),
    ] {
        let plan = plan(spec);
        let shadow = object(&plan, File::SHADOW);
        assert_eq!(text_at(shadow, &["spec", "externalLabels", label]), value, "{spec}");
        assert_eq!(text_at(shadow, &["spec", "replicaExternalLabelName"]), "");
        assert_eq!(text_at(shadow, &["spec", "prometheusExternalLabelName"]), "");
        assert_eq!(!notes_on(&plan, "prometheusExternalLabelName").is_empty(), noted, "{spec}");
    }
    assert_eq!(notes_on(&plan(""), "replicaExternalLabelName").len(), 1);
    let without = plan("replicaExternalLabelName: ''");
    assert_eq!(notes_on(&without, "replicaExternalLabelName").len(), 0);
    let steps = without.steps();
    assert!(!steps.contains("unless ignoring"), "nothing tells old from new");
    let (query, next) = (
        steps.find("\n    count by (job) (up{prometheus=\"mon/k8s\"})\n").unwrap(),
        steps.find("### old-off").unwrap(),
    );
    assert!(query < next, "{steps}");
}

/// What is written in the steps is what is there.
#[test]
fn what_is_looked_at_before_the_old_one_ends() {
    for (kind, spec, expected) in [
        ("PrometheusAgent", "", "/pods/{}:9090/proxy/metrics'"),
        ("Prometheus", "routePrefix: /a/", "/pods/{}:9090/proxy/a/metrics'"),
        ("PrometheusAgent", "web: {tlsConfig: {}}", "/pods/https:{}:9090/proxy/metrics'"),
    ] {
        let steps = plan_of(kind, &format!("{LEAST}{spec}")).steps();
        let line = steps.lines().find(|line| line.contains(expected));
        let line = line.unwrap_or_else(|| panic!("{expected}: {steps}"));
        assert!(line.contains("-l operator.prometheus.io/name=k8s,"), "{line}");
        assert!(line.contains("prometheus_remote_storage_samples_pending"), "{line}");
        assert!(steps.contains("`nodelocal-sd check --live out`"), "{steps}");
    }
}

/// A step cannot read standard input again.
#[test]
fn what_was_read_from_standard_input_is_to_be_given_again() {
    let settings = Settings { image: String::new(), folder: "out".to_owned(), command: None };
    let manifest = manifest("PrometheusAgent", LEAST);
    let plan = Plan::new(Old::read(&manifest, None).unwrap(), &settings);
    for (steps, text) in [(&plan.there, plan.steps()), (&plan.back, plan.back())] {
        assert_eq!((steps[0].id, &*steps[0].commands), ("files", &[][..]));
        assert!(text.contains("not in out yet, give the same once more"), "{text}");
        assert!(!text.contains("$ nodelocal-sd"), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.yaml");
    let text = "{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {name: k8s, namespace: mon}, \
        spec: {remoteWrite: [{url: a}], probeSelector: {}}}";
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nodelocal-sd"))
        .args(["migrate", "--from", "-"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    let stream = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !stream.contains("$ nodelocal-sd"), "{stream}");
}

/// Others may send to the same receiver.
#[test]
fn the_query_is_about_the_old_one_and_read_when_all_is_scraped() {
    const ALONE: &str = "only where nobody else sends to it";
    for (spec, expected, alone) in [
        (
            "",
            "up{prometheus=\"mon/k8s\",prometheus_replica!=\"\"} unless ignoring(prometheus_replica) \
             up{prometheus=\"mon/k8s\",prometheus_replica=\"\"}",
            false,
        ),
        (
            "prometheusExternalLabelName: agent\nreplicaExternalLabelName: r",
            "up{agent=\"mon/k8s\",r!=\"\"} unless ignoring(r) up{agent=\"mon/k8s\",r=\"\"}",
            false,
        ),
        (
            "prometheusExternalLabelName: ''",
            "up{prometheus_replica!=\"\"} unless ignoring(prometheus_replica) up{prometheus_replica=\"\"}",
            true,
        ),
    ] {
        let steps = plan(spec).steps();
        let query = steps.find(&format!("\n    {expected}\n")).unwrap_or_else(|| panic!("{steps}"));
        assert_eq!(steps.contains(ALONE), alone, "{spec}");
        let (sleep, next) =
            (steps.find("$ sleep 360").unwrap(), steps.find("### old-off").unwrap());
        assert!(sleep < query && query < next, "{steps}");
    }
}

/// The agents' own PodMonitor is selected as the old one selects.
#[test]
fn a_pod_monitor_that_nobody_selects_is_said_first() {
    let any = "podMonitorSelector: {}\n";
    for (spec, field, why) in [
        (
            "",
            "podMonitorSelector",
            "it is missing, and no new agent selects PodMonitor k8s-node-agent",
        ),
        (
            "podMonitorSelector: {matchExpressions: [{key: team, operator: Exists}]}",
            "podMonitorSelector",
            "it does not select PodMonitor k8s-node-agent",
        ),
        (
            &format!("{any}podMonitorNamespaceSelector: {{matchLabels: {{monitored: yes}}}}"),
            "podMonitorNamespaceSelector",
            "see that it selects the namespace mon",
        ),
        (
            // Without its labels nobody knows.
            &format!(
                "{any}podMonitorNamespaceSelector: {{matchExpressions: [{{key: a, operator: DoesNotExist}}]}}"
            ),
            "podMonitorNamespaceSelector",
            "see that it selects the namespace mon",
        ),
    ] {
        let plan = plan(spec);
        let notes = notes_on(&plan, field);
        let said = notes.iter().any(|note| note.weight == Weight::First && note.why.contains(why));
        assert!(said, "{spec}: {notes:?}");
    }
    for spec in [
        any.to_owned(),
        "podMonitorSelector: {matchLabels: {team: a}, matchExpressions: [{key: team, operator: Exists}]}".to_owned(),
        format!("{any}podMonitorNamespaceSelector: {{}}"),
        format!("{any}podMonitorNamespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: mon}}}}"),
    ] {
        let plan = plan(&spec);
        for field in ["podMonitorSelector", "podMonitorNamespaceSelector"] {
            assert!(notes_on(&plan, field).is_empty(), "{spec}");
        }
    }
}

/// Roles are of the cluster: names in it that are put together must not meet.
#[test]
fn two_agents_have_no_role_in_common() {
    let roles = |namespace: &str, name: &str| -> BTreeSet<String> {
        let text = manifest("PrometheusAgent", LEAST);
        let manifest = Manifest { namespace: namespace.to_owned(), name: name.to_owned(), ..text };
        let settings = Settings { image: String::new(), folder: String::new(), command: None };
        let plan = Plan::new(Old::read(&manifest, None).unwrap(), &settings);
        let roles = plan.files[0].objects.iter();
        let roles = roles.filter(|object| text_at(object, &["kind"]) == "ClusterRole");
        roles.map(|role| text_at(role, &["metadata", "name"]).to_owned()).collect()
    };
    let all = [("team-a", "prod"), ("team", "a-prod"), ("team-a", "prod-scraping"), ("team", "a")];
    let names: BTreeSet<String> =
        all.iter().flat_map(|(namespace, name)| roles(namespace, name)).collect();
    assert_eq!(names.len(), 2 * all.len(), "{names:?}");
}

/// What is measured and documented holds for `manifests/components/complement`.
#[test]
fn the_complement_is_that_of_the_manifests() {
    let ours = read(include_str!("../../manifests/components/complement/deployment.yaml")).unwrap();
    let plan = plan("");
    let complement = object(&plan, File::COMPLEMENT);
    let sidecar = ["spec", "template", "spec", "initContainers", "nodelocal-sd"];
    for path in [
        &["kind"][..],
        &["spec", "replicas"],
        &["spec", "strategy"],
        &[&sidecar[..], &["resources"]].concat(),
        &[&sidecar[..], &["env"]].concat(),
    ] {
        assert_eq!(at(complement, path), at(&ours, path), "{path:?}");
    }
}

#[test]
fn images_are_the_operators() {
    for (spec, image, argument) in [
        ("", "quay.io/prometheus/prometheus:v3.13.2", "--agent"),
        ("version: 2.55.1", "quay.io/prometheus/prometheus:v2.55.1", "--enable-feature=agent"),
        ("version: v3.5.0\nimage: a/b:c", "a/b:c", "--agent"),
        ("version: v3.5.0\nbaseImage: a/b", "a/b:v3.5.0", "--agent"),
        ("baseImage: r:5000/b\ntag: t", "r:5000/b:t", "--agent"),
        ("baseImage: a/b\ntag: t\nsha: s", "a/b@sha256:s", "--agent"),
        ("baseImage: a/b:c\nsha: s", "a/b:c", "--agent"),
    ] {
        let plan = plan(spec);
        let prometheus = &["spec", "template", "spec", "containers", "prometheus"];
        let prometheus = at(object(&plan, File::NODES), prometheus);
        assert_eq!(text_at(prometheus, &["image"]), image, "{spec}");
        let arguments: Vec<&str> =
            at(prometheus, &["args"]).items().unwrap().iter().filter_map(Yaml::text).collect();
        assert!(arguments.contains(&argument), "{spec}: {arguments:?}");
    }
}

#[test]
fn the_parts_fit_together() {
    let plan = plan(
        "serviceAccountName: mine\npodMonitorSelector: {matchLabels: {team: a}}\nnodeSelector: {kubernetes.io/arch: arm64, role: x}",
    );
    let (nodes, complement) = (object(&plan, File::NODES), object(&plan, File::COMPLEMENT));
    let shadow = text_at(object(&plan, File::SHADOW), &["metadata", "name"]);
    for set in [nodes, complement] {
        let labels = at(set, &["spec", "template", "metadata", "labels"]);
        for (key, value) in at(set, &["spec", "selector", "matchLabels"]).entries().unwrap() {
            assert_eq!(labels.get(&key.text), Some(value));
        }
        let volumes = &["spec", "template", "spec", "volumes"];
        let secret = |volume| text_at(at(set, volumes), &[volume, "secret", "secretName"]);
        assert_eq!(secret("shadow"), format!("prom-agent-{shadow}"));
        assert_eq!(secret("certificates"), format!("prom-agent-{shadow}-tls-assets-0"));
    }
    let label = |set, key| text_at(set, &["spec", "template", "metadata", "labels", key]);
    let name = "app.kubernetes.io/name";
    let arguments =
        at(complement, &["spec", "template", "spec", "initContainers", "nodelocal-sd", "args"]);
    let arguments: Vec<&str> = arguments.items().unwrap().iter().filter_map(Yaml::text).collect();
    assert_eq!(arguments[..2], ["run", "--complement"]);
    assert!(
        arguments.contains(&&*format!("--agents=mon/{name}={}", label(nodes, name))),
        "{arguments:?}"
    );
    let of_node =
        at(nodes, &["spec", "template", "spec", "initContainers", "nodelocal-sd", "args"]);
    assert!(of_node.items().unwrap().contains(&Yaml::string("--leave-to-complement")));
    assert_ne!(label(nodes, name), label(complement, name), "the complement is no node's agent");
    let selector = at(nodes, &["spec", "template", "spec", "nodeSelector"]);
    assert_eq!(selector.to_string(), "kubernetes.io/os: linux\nkubernetes.io/arch: arm64\n");
    // What the old one's account may do is not given to another.
    let rights = &plan.files[0];
    assert!(
        rights.text().contains("kind: PodMonitor\n")
            && !rights.text().contains("kind: ServiceAccount\nm")
    );
    assert!(
        rights.text().contains("  labels:\n    team: a\n"),
        "the old one's selector selects the PodMonitor"
    );
}

#[test]
fn what_is_printed_is_yaml_without_double_keys() {
    assert!(serde_saphyr::from_str::<Value>("{a: 1, a: 2}").is_err(), "this test would see one");
    let plan = plan(
        "secrets: [a]\nvolumes: [{name: v, emptyDir: {}}]\ntolerations: []\nexternalLabels: {yes: 'no'}",
    );
    let objects: Vec<Value> = serde_saphyr::from_multiple(&plan.stream()).unwrap();
    let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    let expected = [
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "NetworkPolicy",
        "PodMonitor",
        "PrometheusAgent",
        "DaemonSet",
        "Deployment",
    ];
    assert_eq!(kinds, expected);
    let files: Vec<Value> = plan
        .files
        .iter()
        .flat_map(|file| serde_saphyr::from_multiple::<Value>(&file.text()).unwrap())
        .collect();
    assert_eq!(files, objects);
    let namespaces =
        objects.iter().filter(|object| !object["kind"].as_str().unwrap().starts_with("Cluster"));
    assert!(namespaces.into_iter().all(|object| object["metadata"]["namespace"] == "mon"));
}

#[test]
fn steps_never_leave_a_gap() {
    let plan = plan("replicas: 2\nshards: 3\nscrapeInterval: 1m30s");
    let shown = |steps: &[nodelocal_sd::migrate::Step]| -> Vec<(&'static str, Twice)> {
        steps.iter().map(|step| (step.id, step.twice)).collect()
    };
    use Twice::{Everything, Nodes, Nothing};
    assert_eq!(
        shown(&plan.there),
        [
            ("files", Nothing),
            ("shadow", Nothing),
            ("nodes", Nodes),
            ("complement", Everything),
            ("old-off", Nothing)
        ]
    );
    assert_eq!(
        shown(&plan.back),
        [
            ("files", Nothing),
            ("old-on", Everything),
            ("complement-off", Nodes),
            ("nodes-off", Nothing),
            ("shadow-off", Nothing)
        ]
    );
    let commands = |steps: &[nodelocal_sd::migrate::Step]| {
        steps.iter().flat_map(|step| step.commands.clone()).collect::<Vec<_>>().join("\n")
    };
    let (there, back) = (commands(&plan.there), commands(&plan.back));
    for file in &plan.files {
        assert_eq!(there.matches(&format!("apply --server-side -f out/{}", file.name)).count(), 1);
        assert_eq!(back.matches(&format!("-f out/{}", file.name)).count(), 1);
    }
    assert!(there.contains("sleep 180"), "two scrapes: {there}");
    assert!(
        back.contains("'{.status.availableReplicas}'=6 "),
        "all replicas of all shards: {back}"
    );
    assert_eq!(there.lines().collect::<Vec<_>>(), printed(&plan.steps()));
    assert_eq!(there.lines().collect::<Vec<_>>(), printed(&plan.stream()));
    assert_eq!(back.lines().collect::<Vec<_>>(), printed(&plan.back()));
}

/// The commands in a text.
fn printed(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.trim_start_matches("# ").trim_start().strip_prefix("$ "))
        .collect()
}

#[test]
fn the_replicas_of_before_are_remembered() {
    let patch = |plan: &Plan, back: bool| {
        let steps = if back { &plan.back } else { &plan.there };
        let commands = steps.iter().flat_map(|step| &step.commands);
        let patch = commands.into_iter().find(|command| command.contains(" patch ")).unwrap();
        patch.split_once("--patch=").unwrap().1.to_owned()
    };
    for (before, remembered, given_back) in [("2", "\"2\"", "2"), ("null", "\"unset\"", "null")] {
        let before = plan(&format!("replicas: {before}"));
        let off = format!(
            "'{{\"metadata\":{{\"annotations\":{{\"nodelocal-sd/replicas\":{remembered}}}}},\"spec\":{{\"replicas\":0}}}}'"
        );
        assert_eq!(patch(&before, false), off);
        let on = format!(
            "'{{\"metadata\":{{\"annotations\":{{\"nodelocal-sd/replicas\":null}}}},\"spec\":{{\"replicas\":{given_back}}}}}'"
        );
        assert_eq!(patch(&before, true), on);
        // And in the state that it leaves.
        let text = format!(
            "{{apiVersion: monitoring.coreos.com/v1, kind: PrometheusAgent, metadata: {{name: k8s, namespace: mon, annotations: \
             {{nodelocal-sd/replicas: {remembered}}}}}, spec: {{replicas: 0, serviceMonitorSelector: {{}}, remoteWrite: [{{url: 'http://r'}}]}}}}"
        );
        let after = Old::read(&Manifest::read("f", &text).unwrap()[0], None).unwrap();
        let settings = Settings { image: String::new(), folder: String::new(), command: None };
        assert_eq!(patch(&Plan::new(after, &settings), true), on);
    }
}

#[tokio::test]
async fn a_file_is_read_and_a_folder_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (file, out) = (at("agent.yaml"), at("out"));
    let text = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: k8s, namespace: mon}\n\
        spec: {remoteWrite: [{url: a}], probeSelector: {}}\n";
    std::fs::write(&file, text).unwrap();
    let (code, stream, err) = run(&["migrate", "--from", &file]).await;
    assert_eq!((code, &*err), (0, ""));
    assert!(stream.contains("-f k8s-to-nodes/3-nodes.yaml"), "{stream}");
    let (code, said, err) = run(&["migrate", "--from", &file, "--output-dir", &out]).await;
    assert_eq!((code, &*said), (0, ""), "{err}");
    for name in [File::RIGHTS, File::SHADOW, File::NODES, File::COMPLEMENT] {
        let written = std::fs::read_to_string(at(&format!("out/{name}"))).unwrap();
        assert!(stream.contains(&written), "{name}");
    }
    let (code, verdicts, err) = run(&["check", &out]).await;
    assert_eq!((code, &*err), (0, ""), "check finds fault with what migrate writes: {verdicts}");
    let (code, back, _) = run(&["migrate", "--from", &file, "--revert"]).await;
    assert_eq!(code, 0);
    let written = std::fs::read_to_string(at("out/REVERT.md")).unwrap();
    assert_eq!(written.replace(&out, "k8s-to-nodes"), back);
    // Who keeps the old one in git writes the last step into its file.
    let off = text.replace("spec: {", "spec: {replicas: 0, ");
    std::fs::write(&file, &off).unwrap();
    let (code, back, err) = run(&["migrate", "--from", &file, "--revert", "--replicas", "3"]).await;
    assert_eq!((code, &*err), (0, ""));
    assert!(back.contains("\"spec\":{\"replicas\":3}}"), "{back}");
    assert!(back.contains(" --replicas=3 "), "the step that writes the files says so too: {back}");
    let (code, out, err) = run(&["migrate", "--from", &file, "--revert"]).await;
    assert_eq!((code, &*out, err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("say with --replicas"), "{err}");
    for (text, arguments, expected) in [
        (text.to_owned(), &["--replicas", "0"][..], "--replicas"),
        (text.replace("Prometheus", "Service"), &[], "no PrometheusAgent and no Prometheus in it"),
        (
            format!("{text}---\n{text}"),
            &[],
            "more than one: Prometheus mon/k8s, Prometheus mon/k8s",
        ),
        (
            text.to_owned(),
            &["--kind", "prometheusagent"],
            "there is no PrometheusAgent in it, only Prometheus mon/k8s",
        ),
        ("# nothing".to_owned(), &[], "no Prometheus in it, and nothing else"),
        (
            format!("{text}---\n").replace("Prometheus", "Service").repeat(5),
            &[],
            "only Service mon/k8s, Service mon/k8s, Service mon/k8s, 2 more",
        ),
        (text.replace("url: a", "url: [a"), &[], "not valid YAML"),
    ] {
        std::fs::write(&file, text).unwrap();
        let (code, out, err) = run(&[&["migrate", "--from", &file], arguments].concat()).await;
        assert_eq!((code, &*out), (2, ""), "{err}");
        assert!(err.contains(expected) && err.lines().count() == 1, "{err}");
    }
}
