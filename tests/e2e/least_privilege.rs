//! The rights in `manifests/rbac/rbac.yaml` are enough, and none of them can be taken away.

use super::api::Api;
use super::block_on;
use super::control_plane::{ControlPlane, kubeconfig};
use super::support::http::eventually;
use nodelocal_sd::index::{Deriving, EndpointsFrom, ForeignSlices};
use nodelocal_sd::kube::{Source, Timing, connect};
use nodelocal_sd::objects::Resource;
use nodelocal_sd::sd::{Answers, Question, parse};
use nodelocal_sd::sidecar::Sidecar;
use nodelocal_sd::targets::Profile;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NODE: &str = "least-privilege";

/// Everything that has a right of its own is asked for.
const QUERIES: [&str; 4] = [
    "pod?attach=node&attach=namespace&attach=deployment&attach=job&attach=cronjob",
    "endpointslice?attach=node&attach=namespace",
    "endpoints",
    "node",
];

pub(crate) fn each_right_is_needed_and_enough(plane: &ControlPlane) {
    block_on(async {
        let api = Api::of(plane).await;
        api.create(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}),
        )
        .await;
        let manifests = include_str!("../../manifests/rbac/rbac.yaml");
        let mut role = Value::Null;
        for object in serde_saphyr::from_multiple::<Value>(manifests).expect("YAML") {
            if object["kind"] == "ClusterRole" {
                role = object.clone();
            }
            api.create(object).await;
        }
        create_objects(&api).await;
        let token = token(&api).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeconfig");
        std::fs::write(
            &file,
            kubeconfig(&plane.url, &plane.ca_file(), &format!("token: '{token}'")),
        )
        .unwrap();

        eventually("the rights are enough", || troubles(&file)).await;
        let rules = role["rules"].as_array().unwrap().clone();
        for (number, rule) in rules.iter().enumerate() {
            for (at, verb) in rule["verbs"].as_array().unwrap().iter().enumerate() {
                let mut less = role.clone();
                less["rules"][number]["verbs"].as_array_mut().unwrap().remove(at);
                // The API server wants at least one verb.
                if less["rules"][number]["verbs"] == json!([]) {
                    less["rules"].as_array_mut().unwrap().remove(number);
                }
                api.replace("/apis/rbac.authorization.k8s.io/v1/clusterroles/nodelocal-sd", &less)
                    .await;
                let resource = rule["resources"][0].as_str().unwrap();
                let named = format!("resources: [\"{resource}\"]");
                let what = format!("without {verb} on {resource} something is missing");
                eventually(&what, || async {
                    match troubles(&file).await {
                        Err(trouble)
                            if trouble.contains("HTTP 403") && trouble.contains(&named) =>
                        {
                            Ok(())
                        }
                        other => Err(format!("{other:?}")),
                    }
                })
                .await;
            }
        }
        api.replace("/apis/rbac.authorization.k8s.io/v1/clusterroles/nodelocal-sd", &role).await;
        eventually("and with all of them nothing is", || troubles(&file)).await;
    });
}

/// What a sidecar with that token cannot do.
async fn troubles(kubeconfig: &Path) -> Result<(), String> {
    // One mode reads slices of others and the other one Endpoints.
    let deriving = Deriving { foreign_slices: ForeignSlices::All, ..Deriving::default() };
    for from in [EndpointsFrom::Pods(deriving), EndpointsFrom::Slices] {
        troubles_of(kubeconfig, from).await?;
    }
    Ok(())
}

async fn troubles_of(kubeconfig: &Path, from: EndpointsFrom) -> Result<(), String> {
    let source = Source::Kubeconfig { paths: vec![kubeconfig.to_owned()], context: None };
    let client = connect(&source).await.unwrap();
    let sidecar = Sidecar::start(NODE, from, client, Timing::alone());
    let answers = Answers::new(
        Arc::clone(&sidecar.snapshots),
        Arc::clone(&sidecar.demand),
        Arc::clone(&sidecar.board),
    );
    for query in QUERIES {
        let (role, parameters) = query.split_once('?').unwrap_or((query, ""));
        let parsed = parse(role, Some(parameters), from).unwrap();
        let question = Question::new(parsed, Profile::Latest);
        let answer = answers.answer(question, 0, Duration::from_secs(2)).await;
        answer.map_err(|error| error.to_string())?;
    }
    // Synced; but do the watches open? Each says so by its first bookmark, or by its refusal, which
    // comes at once.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let troubles = Resource::ALL.into_iter().filter_map(|r| sidecar.board.of(r).view().trouble);
    troubles.map(|trouble| Err(trouble.message)).next().unwrap_or(Ok(()))
}

/// A token of the account, bound to a Pod as the kubelet's are.
async fn token(api: &Api) -> String {
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {
        "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "agent"}, "expirationSeconds": 3600}});
    let path = "/api/v1/namespaces/monitoring/serviceaccounts/nodelocal-sd/token";
    let answer = api.post(path, &request).await;
    answer["status"]["token"].as_str().unwrap().to_owned()
}

/// A Node, the agent's Pod, and Pods whose owners have to be read. The owners are real: the garbage
/// collector deletes what belongs to nobody.
async fn create_objects(api: &Api) {
    api.create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.0.9.1"}]}}))
        .await;
    api.create(pod("agent", &json!([]))).await;
    let template = json!({"metadata": {"labels": {"app": "owned"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let mut always = template.clone();
    always["spec"]["restartPolicy"] = "Always".into();
    for (version, kind, plural, spec) in [
        (
            "apps/v1",
            "ReplicaSet",
            "replicasets",
            json!({"selector": {"matchLabels": {"app": "owned"}}, "template": always}),
        ),
        ("batch/v1", "Job", "jobs", json!({"template": template})),
    ] {
        let metadata = json!({"name": "owner", "namespace": "monitoring"});
        api.create(
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}),
        )
        .await;
        let owner = api.get(&format!("/apis/{version}/namespaces/monitoring/{plural}/owner")).await;
        let reference = json!([{"apiVersion": version, "kind": kind, "name": "owner",
            "uid": owner["metadata"]["uid"], "controller": true}]);
        api.create(pod(&format!("of-{plural}"), &reference)).await;
    }
}

fn pod(name: &str, owners: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "monitoring", "ownerReferences": owners},
        "spec": {"nodeName": NODE, "serviceAccountName": "nodelocal-sd", "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "podIP": "10.200.0.1", "podIPs": [{"ip": "10.200.0.1"}]}})
}
