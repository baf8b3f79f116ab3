//! The chart and the manifests say the same, object by object.

use super::{MONITORING, chart, name, objects, root, run, usual};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Folders of manifests, and the values with which the chart renders them.
const PAIRS: [(&[&str], &str); 9] = [
    (&["daemonset"], "{}"),
    (&["overlays/daemonset-complement"], "complement: {enabled: true}"),
    (&["overlays/daemonset-deny-file-access"], "monitors: {denyFileAccess: true}"),
    (&["overlays/daemonset-host-path"], "hostPath: /var/lib/node-agent"),
    (
        &["overlays/daemonset-kube-prometheus"],
        "networkPolicy: {kubePrometheusNamespace: monitoring}",
    ),
    (&["overlays/daemonset-own-node-only"], "rbac: {ownNodeOnly: true}"),
    (
        &["overlays/daemonset-own-node-only-complement"],
        "{rbac: {ownNodeOnly: true}, complement: {enabled: true}}",
    ),
    (&["overlays/daemonset-without-credentials"], "monitors: {withoutCredentials: true}"),
    (&["daemonset", "monitoring"], "monitoring: {rules: true, dashboard: true}"),
];

/// Helm's own: of them the manifests have none.
const OF_HELM: [&str; 3] =
    ["helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"];

/// By name, so that an object that only one side has is named.
type Objects = BTreeMap<String, Value>;

fn by_name(objects: Vec<Value>) -> Objects {
    let mut named = Objects::new();
    for mut object in objects {
        // The only list whose order kustomize changes, and Kubernetes does not mind.
        let volumes = object.pointer_mut("/spec/template/spec/volumes");
        if let Some(volumes) = volumes.and_then(Value::as_array_mut) {
            volumes.sort_by_key(|volume| volume["name"].to_string());
        }
        let name = name(&object);
        assert!(named.insert(name.clone(), object).is_none(), "{name} twice");
    }
    named
}

fn of_chart(values: &str) -> Objects {
    let mut objects = usual(&chart()).objects(values).unwrap();
    for object in &mut objects {
        let metadata = object["metadata"].as_object_mut().unwrap();
        let labels = metadata["labels"].as_object_mut().unwrap();
        for label in OF_HELM {
            assert!(labels.remove(label).is_some(), "{metadata:?} has no {label}");
        }
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    by_name(objects)
}

/// With the image of `ci/defaults-values.yaml`, as a user's overlay would have it.
fn of_manifests(folder: &str) -> Objects {
    let path = root().join("manifests").join(folder);
    let yaml = run(&kubectl(), &["kustomize", path.to_str().unwrap()]).unwrap();
    let mut objects = objects(&yaml);
    let image = format!("registry.example/nodelocal-sd:{}", env!("CARGO_PKG_VERSION"));
    for object in &mut objects {
        let Some(pod) = object.pointer_mut("/spec/template/spec") else { continue };
        let sidecar = &mut pod["initContainers"][0]["image"];
        assert_eq!(sidecar, "nodelocal-sd");
        *sidecar = image.clone().into();
    }
    by_name(objects)
}

fn kubectl() -> PathBuf {
    let folder = std::env::var_os("KUBERNETES_BIN");
    let folder = folder.expect("KUBERNETES_BIN names kubectl's folder, as .ci/run chart sets it");
    PathBuf::from(folder).join("kubectl")
}

/// Where the two differ. What is an object on one side only is descended into, to name the field.
fn differences(at: &str, manifests: &Value, chart: &Value, found: &mut Vec<String>) {
    static NONE: Value = Value::Null;
    match (manifests, chart) {
        (Value::Object(left), Value::Object(right)) => {
            let of = |fields: &Map<String, Value>| fields.keys().cloned().collect::<BTreeSet<_>>();
            for key in of(left).union(&of(right)) {
                let [left, right] = [left, right].map(|side| side.get(key).unwrap_or(&NONE));
                differences(&format!("{at}.{key}"), left, right, found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (place, (left, right)) in left.iter().zip(right).enumerate() {
                differences(&format!("{at}[{place}]"), left, right, found);
            }
        }
        _ if manifests == chart => {}
        _ => found.push(format!("{at}: manifests {manifests}, chart {chart}")),
    }
}

#[test]
#[ignore = "needs helm and kubectl; run by .ci/run chart"]
fn the_chart_renders_what_the_manifests_say() {
    let mut found = Vec::new();
    for (folders, values) in PAIRS {
        let manifests: Objects = folders.iter().flat_map(|folder| of_manifests(folder)).collect();
        let chart = of_chart(values);
        let names: BTreeSet<&String> = manifests.keys().chain(chart.keys()).collect();
        assert!(names.len() > 8, "{folders:?}: {names:?}");
        for name in names {
            let at = format!("{folders:?}: {name}");
            match (manifests.get(name), chart.get(name)) {
                (Some(manifests), Some(chart)) => differences(&at, manifests, chart, &mut found),
                (only, _) => found.push(format!(
                    "{at}: only in the {}",
                    if only.is_some() { "manifests" } else { "chart" }
                )),
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whoever adds an overlay decides what it is in the chart.
#[test]
fn every_overlay_of_the_daemonset_has_a_pair() {
    let overlays = std::fs::read_dir(root().join("manifests/overlays")).unwrap();
    let overlays = overlays.map(|overlay| overlay.unwrap().file_name().into_string().unwrap());
    let mut expected: BTreeSet<String> = overlays
        .filter(|name| name.starts_with("daemonset"))
        .map(|name| format!("overlays/{name}"))
        .collect();
    assert!(expected.len() > 5, "{expected:?}");
    expected.extend(["daemonset", MONITORING].map(str::to_owned));
    let paired: BTreeSet<String> = PAIRS
        .iter()
        .flat_map(|(folders, _)| folders.iter().map(|folder| (*folder).to_owned()))
        .collect();
    assert_eq!(paired, expected);
}
