//! The admission policies: they refuse what the newest CRD refuses, also where a CRD has no rules, and warn of what
//! is ignored.

use super::super::api::Api;
use super::super::block_on;
use super::super::control_plane::ControlPlane;
use super::super::support::http::eventually;
use super::install::{established, folder};
use serde_json::{Value, json};
use std::fs;

const NAMESPACE: &str = "policies";

/// Fields with values that DaemonSet mode cannot have, and one that it can have.
fn refused() -> Vec<(&'static str, Value, Option<Value>)> {
    let any = || json!({});
    vec![
        ("replicas", json!(0), None),
        ("shards", json!(2), Some(json!(1))),
        ("shardingStrategy", json!({"mode": "Address"}), None),
        ("storage", any(), None),
        ("persistentVolumeClaimRetentionPolicy", any(), None),
        ("serviceMonitorSelector", any(), None),
        ("serviceMonitorNamespaceSelector", any(), None),
        ("probeSelector", any(), None),
        ("probeNamespaceSelector", any(), None),
        ("scrapeConfigSelector", any(), None),
        ("scrapeConfigNamespaceSelector", any(), None),
        ("additionalScrapeConfigs", json!({"name": "s", "key": "k"}), None),
    ]
}

/// Fields that are ignored, with values.
fn ignored() -> Vec<(&'static str, Value)> {
    vec![
        ("volumes", json!([{"name": "v", "emptyDir": {}}])),
        ("updateStrategy", json!({"type": "RollingUpdate"})),
        ("podManagementPolicy", json!("Parallel")),
        ("serviceName", json!("s")),
        ("replicaExternalLabelName", json!("replica")),
    ]
}

pub(crate) fn policies_refuse_and_warn(_: &ControlPlane) {
    // Of its own, for CRDs of its own.
    let plane = ControlPlane::start();
    block_on(async {
        let api = Api::of(&plane).await;
        api.create(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        )
        .await;
        let crds = folder().join("crds/monitoring.coreos.com_prometheusagents.yaml");
        let text = fs::read_to_string(crds).expect("the CRDs are there");
        let mut crd: Value = serde_saphyr::from_str(&text).expect("YAML");
        apply_crd(&plane, &crd).await;

        // What the newest rules refuse is what the policy has to refuse.
        for (field, value, good) in refused() {
            let said = tried(&plane, "DaemonSet", field, &value).expect_err(field);
            assert!(said.contains(field), "{field}: {said}");
            if let Some(good) = good {
                tried(&plane, "DaemonSet", field, &good).expect(field);
            }
        }

        let validations = "x-kubernetes-validations";
        let schema =
            &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let had = schema.as_object_mut().expect("a schema").remove(validations);
        assert!(had.is_some(), "the CRD has rules");
        apply_crd(&plane, &crd).await;
        eventually("the CRD has no rules any more", || async {
            tried(&plane, "DaemonSet", "replicas", &json!(0))
        })
        .await;

        // One that is there before the policy.
        let old = json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
            "metadata": {"name": "old", "namespace": NAMESPACE}, "spec": {"mode": "DaemonSet", "replicas": 0}});
        api.create(old).await;

        let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/policies");
        plane.kubectl(&["apply", "--server-side", "--validate=strict", "-k", policies]);
        eventually("the policy works", || async {
            match tried(&plane, "DaemonSet", "replicas", &json!(0)) {
                Ok(said) => Err(said),
                Err(_) => Ok(()),
            }
        })
        .await;
        for (field, value, good) in refused() {
            let said = tried(&plane, "DaemonSet", field, &value).expect_err(field);
            assert!(said.contains(&format!("spec.{field}: ")), "{field}: {said}");
            assert_eq!(said.matches("spec.").count(), 1, "nothing else is refused: {said}");
            let said = tried(&plane, "StatefulSet", field, &value).expect(field);
            assert_eq!(said, "", "{field}: the other mode is none of its business");
            if let Some(good) = good {
                assert_eq!(tried(&plane, "DaemonSet", field, &good).expect(field), "", "{field}");
            }
        }
        let old = ["prometheusagent", "old", "-n", NAMESPACE];
        plane.kubectl(&[&["label"], &old[..], &["seen=yes"]].concat());
        let edited =
            [&["patch"], &old[..], &["--type=merge", "-p", "{\"spec\":{\"paused\":true}}"]];
        let said = plane.try_kubectl(&edited.concat()).expect_err("its spec is still wrong");
        assert!(said.contains("spec.replicas: "), "{said}");
        plane.kubectl(&[&["delete"], &old[..]].concat());
        eventually("the other policy works", || async {
            let said = tried(&plane, "DaemonSet", "serviceName", &json!("s"))?;
            if said.is_empty() { Err("no warning".to_owned()) } else { Ok(()) }
        })
        .await;
        for (field, value) in ignored() {
            let said = tried(&plane, "DaemonSet", field, &value).expect(field);
            assert!(
                said.contains("Warning:") && said.contains(&format!("spec.{field} ")),
                "{said}"
            );
            assert_eq!(said.matches("Warning:").count(), 1, "of nothing else: {said}");
            assert_eq!(tried(&plane, "StatefulSet", field, &value).expect(field), "", "{field}");
        }
    });
}

pub(crate) async fn apply_crd(plane: &ControlPlane, crd: &Value) {
    let file = plane.folder().join("crd.json");
    fs::write(&file, crd.to_string()).unwrap();
    let file = file.to_str().expect("UTF-8");
    plane.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", file]);
    established(plane).await;
}

/// What the API server says of an agent of that mode with that field: warnings if it takes it, the reason if it does
/// not. Nothing is created.
fn tried(plane: &ControlPlane, mode: &str, field: &str, value: &Value) -> Result<String, String> {
    let mut spec = json!({"mode": mode, "replicaExternalLabelName": ""});
    spec[field] = value.clone();
    let agent = json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
        "metadata": {"name": "agent", "namespace": NAMESPACE}, "spec": spec});
    let file = plane.folder().join("agent.json");
    fs::write(&file, agent.to_string()).unwrap();
    plane.try_kubectl(&["create", "--dry-run=server", "-f", file.to_str().expect("UTF-8")])
}
