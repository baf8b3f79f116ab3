//! What is refused, and how that is said.

use super::{chart, usual};

/// Values, and what the complaint must name.
const REFUSED: [(&str, &[&str]); 28] = [
    // Typos.
    ("remotewrite: []", &["remotewrite"]),
    ("image: {repo: a}", &["image", "repo"]),
    ("monitors: {serviceMonitorsSelector: {}}", &["monitors", "serviceMonitorsSelector"]),
    ("monitors: {podMonitorSelector: {matchlabels: {a: b}}}", &["podMonitorSelector"]),
    ("complement: {enable: true}", &["complement", "enable"]),
    ("resources: {prometheus: {memory: 1Gi}}", &["resources", "memory"]),
    ("resources: {nodelocal-sd: {}}", &["resources", "nodelocal-sd"]),
    ("tolerations: [{operators: Exists}]", &["tolerations", "operators"]),
    ("updateStrategy: {maxUnavailable: 1}", &["updateStrategy", "maxUnavailable"]),
    // Types.
    ("complement: {enabled: 'yes'}", &["complement", "enabled"]),
    ("externalLabels: {cluster: 1}", &["externalLabels", "cluster"]),
    ("extraArgs: --log-format=json", &["extraArgs"]),
    ("extraArgs: [log-format=json]", &["extraArgs"]),
    ("remoteWrite: [{name: nowhere}]", &["remoteWrite", "url"]),
    ("prometheus: {version: 3.13.2}", &["prometheus", "version"]),
    ("hostPath: var/lib/node-agent", &["hostPath"]),
    ("nameSuffix: .two", &["nameSuffix"]),
    ("externalLabels: null", &["externalLabels"]),
    ("complement: {resources: null}", &["resources"]),
    // What the schema cannot say.
    ("remoteWrite: []", &["remoteWrite is required", "--set remoteWrite[0].url="]),
    ("image: {repository: ''}", &["image.repository is required", "image/Dockerfile"]),
    (
        "shadowSpec: {version: v3.0.0}",
        &["shadowSpec.version: that is the value prometheus.version"],
    ),
    ("shadowSpec: {replicas: 1}", &["shadowSpec.replicas: the agents need it as the chart has it"]),
    (
        "shadowSpec: {podMonitorSelector: {}}",
        &["shadowSpec.podMonitorSelector: that is the value monitors.podMonitorSelector"],
    ),
    (
        "extraArgs: [--node-name=x]",
        &["extraArgs: --node-name=x", "--node-name as the chart sets it"],
    ),
    ("complement: {extraArgs: [--complement]}", &["--complement as the chart sets it"]),
    ("extraArgs: [--agent-delay=10m]", &["--agent-delay=10m is for the complement only"]),
    (
        "{extraArgs: [--impersonate-node=off], kubePrometheusStack: {release: kps}}",
        &["--impersonate-node=off is not for the complement", "rbac.ownNodeOnly"],
    ),
];

#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn wrong_values_are_refused_by_name() {
    for (values, named) in REFUSED {
        let said = usual(&chart()).objects(values).expect_err(values);
        for name in named {
            assert!(said.contains(name), "{values}: {name} is not in {said}");
        }
    }
}

#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn own_node_only_is_refused_where_it_gives_no_rights() {
    let chart = chart();
    let values = chart.join("ci/own-node-only-values.yaml");
    let [chart, values] = [&chart, &values].map(|path| path.to_str().unwrap());
    let said = super::helm(&["template", chart, "--values", values, "--kube-version", "1.35.9"]);
    let said = said.unwrap_err();
    assert!(said.contains("rbac.ownNodeOnly needs Kubernetes 1.36, and this is v1.35.9"), "{said}");
}
