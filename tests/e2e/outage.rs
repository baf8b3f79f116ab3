//! The API server goes away and comes back.

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::support::http::{eventually, get};
use super::support::served::Served;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Source;
use serde_json::{Value, json};
use std::time::Duration;

const NODE: &str = "outage";
const PODS: usize = 60;

/// Nothing is lost while it is away, and what changes afterwards is seen.
pub(crate) fn of_the_api_server(plane: &ControlPlane) {
    block_on(async {
        let api = Api::of(plane).await;
        // The endpointslice controller leaves out Pods whose Node does not exist.
        api.create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})).await;
        api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NODE}}))
            .await;
        api.create(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": NODE},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}}))
            .await;
        for number in 0..PODS {
            api.create(pod(number)).await;
        }
        let source = Source::Kubeconfig { paths: vec![plane.kubeconfig()], context: None };
        let reads = Served::start(&source, NODE).await;
        let derives = Served::start_from(EndpointsFrom::default(), &source, NODE).await;
        let urls = [(&reads, "pod"), (&reads, "endpointslice"), (&derives, "endpointslice")]
            .map(|(sidecar, role)| format!("{}/sd/{role}?namespace={NODE}", sidecar.url));
        let mut before = Vec::new();
        for url in &urls {
            before.push(
                eventually("all targets", || async { targets(&get(url).await?, PODS) }).await,
            );
        }

        plane.kill_api_server();
        for _ in 0..50 {
            for (url, before) in urls.iter().zip(&before) {
                assert_eq!(&get(url).await.unwrap(), before, "while the API server is away");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        plane.start_api_server();
        for (url, before) in urls.iter().zip(&before) {
            assert_eq!(&get(url).await.unwrap(), before, "when it has come back");
        }
        let api = Api::of(plane).await; // the old connections are gone
        api.create(pod(PODS)).await;
        for url in &urls {
            eventually("the Pod that came afterwards", || async {
                targets(&get(url).await?, PODS + 1)
            })
            .await;
        }
    });
}

fn targets(body: &str, expected: usize) -> Result<String, String> {
    let count = body.matches("\"targets\"").count();
    if count == expected { Ok(body.to_owned()) } else { Err(format!("{count} targets")) }
}

fn pod(number: usize) -> Value {
    let ip = format!("10.210.0.{}", number + 1);
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{number}"), "namespace": NODE, "labels": {"app": "web"}},
        "spec": {"nodeName": NODE, "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
