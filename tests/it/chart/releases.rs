//! Releases side by side: none takes another's objects, and each is whole.

use super::{Release, chart, name};
use serde_json::Value;
use std::collections::BTreeSet;

/// All that can be named.
const ALL: &str = "rbac: {ownNodeOnly: true}
kubePrometheusStack: {release: kps}
networkPolicy: {kubePrometheusNamespace: kube-prometheus}
monitoring: {rules: true, dashboard: true}
";

fn objects(release: &str, namespace: &str, values: &str) -> Vec<Value> {
    let chart = chart();
    Release { chart: &chart, name: release, namespace }.objects(&format!("{ALL}{values}")).unwrap()
}

/// Every string of the key, however deep.
fn texts(value: &Value, key: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| texts(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn releases_share_no_object() {
    let mut taken = BTreeSet::new();
    let releases = [
        ("nodelocal-sd", "monitoring", ""),
        ("nodelocal-sd", "two", ""),
        ("again", "monitoring", "nameSuffix: -two"),
        ("again", "two", "nameSuffix: -two"),
    ];
    for (release, namespace, values) in releases {
        for object in objects(release, namespace, values) {
            let name = name(&object);
            assert!(taken.insert(name.clone()), "{name} is also of another release");
        }
    }
    assert!(taken.len() > 60, "{taken:?}");
}

/// What an object refers to is in the same release.
#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn each_release_is_whole() {
    for (namespace, values) in [("monitoring", ""), ("two", "nameSuffix: -x")] {
        let objects = objects("any", namespace, values);
        let names: BTreeSet<String> = objects.iter().map(name).collect();
        let has = |name: String| assert!(names.contains(&name), "no {name} in {names:?}");
        let mut accounts = 0;
        for object in &objects {
            let of_object = name(object);
            let namespaced = object["metadata"]["namespace"].as_str();
            let elsewhere = of_object.contains("kube-prometheus-from-node-agents");
            let expected = if elsewhere { "kube-prometheus" } else { namespace };
            assert!(namespaced.is_none_or(|there| there == expected), "{of_object}");
            if let Some(role) = object["roleRef"]["name"].as_str() {
                has(format!("ClusterRole (none) {role}"));
            }
            if let Some(level) = object["spec"]["priorityLevelConfiguration"]["name"].as_str() {
                has(format!("PriorityLevelConfiguration (none) {level}"));
            }
            let mut of_subjects = Vec::new();
            let of_bindings = object["subjects"].as_array().into_iter().flatten();
            of_subjects.extend(of_bindings);
            let of_schemas =
                object["spec"]["rules"][0]["subjects"].as_array().into_iter().flatten();
            of_subjects.extend(of_schemas.map(|subject| &subject["serviceAccount"]));
            for subject in of_subjects {
                let [there, account] =
                    ["namespace", "name"].map(|key| subject[key].as_str().unwrap());
                has(format!("ServiceAccount {there} {account}"));
                accounts += 1;
            }
            let mut named = BTreeSet::new();
            texts(object, "serviceAccountName", &mut named);
            for account in named {
                has(format!("ServiceAccount {namespace} {account}"));
            }
            let mut secrets = BTreeSet::new();
            texts(object, "secretName", &mut secrets);
            for secret in secrets {
                let shadow =
                    secret.trim_end_matches("-tls-assets-0").trim_start_matches("prom-agent-");
                has(format!("PrometheusAgent {namespace} {shadow}"));
            }
        }
        assert!(accounts > 5, "{accounts}");
    }
}

/// The complement waits for the agents of its own release, and nobody selects another's Pods.
#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn selectors_are_of_the_own_pods() {
    let objects = objects("any", "two", "nameSuffix: -x");
    let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let pod = &of_kind("DaemonSet")["spec"]["template"];
    let labels = &pod["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/name"], "node-agent-x");
    let arguments = &of_kind("Deployment")["spec"]["template"]["spec"]["initContainers"][0]["args"];
    let agents = "--agents=two/app.kubernetes.io/name=node-agent-x";
    assert!(arguments.as_array().unwrap().iter().any(|argument| argument == agents), "{arguments}");
    let monitor = &of_kind("PodMonitor")["spec"]["selector"]["matchLabels"];
    let component = "app.kubernetes.io/component";
    assert_eq!(monitor[component], labels[component]);
    let policies = objects.iter().filter(|object| object["kind"] == "NetworkPolicy");
    let mut selected = BTreeSet::new();
    policies.for_each(|policy| texts(policy, component, &mut selected));
    assert_eq!(selected, BTreeSet::from([labels[component].as_str().unwrap().to_owned()]));
}
