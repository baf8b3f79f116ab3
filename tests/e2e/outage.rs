//! The API server goes away: it comes back without its history, with new certificates, or as another
//! one. A control plane of its own, because its data are replaced.

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::oracle::discovered;
use super::proxy::Proxy;
use super::support::http::{eventually, get};
use super::support::prometheus::Discovered;
use super::support::served::Served;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::{Source, Timing};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

const NODE: &str = "outage";
const MINUTE: Duration = Duration::from_secs(60);

/// The default is five minutes; two missed bookmarks are enough here.
const SILENCE: Duration = Duration::from_secs(130);

pub(crate) fn of_the_api_server(_: &ControlPlane) {
    let plane = ControlPlane::start();
    block_on(async {
        let proxy = Proxy::before(&plane.url).await;
        let source =
            Source::Kubeconfig { paths: vec![plane.kubeconfig_at(&proxy.url)], context: None };
        let timing = Timing { watch_silence: SILENCE, ..Timing::alone() };
        let old = pods("old", 0..60);
        fill(&plane, &old).await;
        let sidecars = Sidecars {
            reads: Served::start_with(EndpointsFrom::Slices, timing.clone(), &source, NODE).await,
            derives: Served::start_with(EndpointsFrom::default(), timing, &source, NODE).await,
        };
        becomes(&sidecars, &old, MINUTE).await;

        // Its history begins after our version.
        proxy.cut();
        plane.kill_api_server();
        stays(&sidecars, &old).await;
        plane.start_api_server();
        let api = Api::of(&plane).await;
        api.delete(&format!("/api/v1/namespaces/{NODE}/pods/old-0")).await;
        api.create(pod("old-60")).await;
        drop(api);
        plane.kill_api_server();
        plane.start_api_server();
        stays(&sidecars, &old).await;
        proxy.mend();
        let now = pods("old", 1..61);
        becomes(&sidecars, &now, MINUTE).await;
        for sidecar in [&sidecars.reads, &sidecars.derives] {
            let gone = "api_requests_total{resource=\"pods\",verb=\"watch\",outcome=\"gone\"}";
            assert_eq!(sidecar.metric(gone).await, Some(1));
            let relists = "watch_relists_total{resource=\"pods\"}";
            assert_eq!(sidecar.metric(relists).await, Some(1));
        }

        // Another one takes its place, which had more to write.
        let version = version(&plane).await;
        proxy.cut();
        plane.replace_data();
        let busy = pods("busy", 0..30);
        fill(&plane, &busy).await;
        write_until(&plane, version).await;
        plane.kill_api_server();
        plane.start_api_server();
        stays(&sidecars, &now).await;
        proxy.mend();
        becomes(&sidecars, &busy, MINUTE).await;

        // Another one, which had less to write: it takes our versions and says nothing.
        proxy.cut();
        plane.replace_data();
        let silent = pods("silent", 0..10);
        fill(&plane, &silent).await;
        stays(&sidecars, &busy).await;
        proxy.mend();
        becomes(&sidecars, &silent, 10 * MINUTE).await;

        // The files are read again when a minute has passed since they were; then the minute begins.
        plane.rotate();
        stays(&sidecars, &silent).await;
        Api::of(&plane).await.create(pod("silent-10")).await;
        becomes(&sidecars, &pods("silent", 0..11), 2 * MINUTE).await;
    });
}

/// A Service and its Pods.
async fn fill(plane: &ControlPlane, pods: &BTreeSet<String>) {
    let api = Api::of(plane).await;
    // The endpointslice controller leaves out Pods whose Node does not exist.
    api.create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})).await;
    api.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NODE}})).await;
    api.create(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": NODE},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}}))
        .await;
    for name in pods {
        api.create(pod(name)).await;
    }
    eventually("the controller has a slice for all", || async {
        let path = format!("/apis/discovery.k8s.io/v1/namespaces/{NODE}/endpointslices");
        let list = api.get(&path).await;
        let count = list["items"][0]["endpoints"].as_array().map_or(0, Vec::len);
        if count == pods.len() { Ok(()) } else { Err(format!("{count} endpoints")) }
    })
    .await;
}

/// The version that the API server has come to.
async fn version(plane: &ControlPlane) -> u64 {
    let list = Api::of(plane).await.get("/api/v1/pods?limit=1").await;
    list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

/// Writes something until it has come further than that.
async fn write_until(plane: &ControlPlane, past: u64) {
    let api = Api::of(plane).await;
    let path = format!("/api/v1/namespaces/{NODE}");
    while version(plane).await <= past {
        for number in 0..50 {
            api.patch(&path, &json!({"metadata": {"labels": {"write": number.to_string()}}})).await;
        }
    }
}

/// While the API server is away, nothing changes.
async fn stays(sidecars: &Sidecars, expected: &BTreeSet<String>) {
    for _ in 0..20 {
        assert!(served(sidecars).await.iter().all(|pods| pods == expected));
        tokio::time::sleep(Duration::from_millis(100)).await; // between two looks
    }
}

/// All come to have these Pods, and never lose one that they had already.
async fn becomes(sidecars: &Sidecars, expected: &BTreeSet<String>, soon: Duration) {
    let began = Instant::now();
    let stay = served(sidecars).await.map(|pods| &pods & expected);
    loop {
        let now = served(sidecars).await;
        for (now, stay) in now.iter().zip(&stay) {
            assert!(stay.is_subset(now), "lost: {:?}", stay - now);
        }
        if now.iter().all(|pods| pods == expected) {
            return;
        }
        assert!(began.elapsed() < soon, "after {soon:?} there still is {now:?}");
        tokio::time::sleep(Duration::from_millis(100)).await; // between two looks
    }
}

/// One that reads slices, and one that derives them.
struct Sidecars {
    reads: Served,
    derives: Served,
}

/// The Pods that are targets, in role pod, and in role endpointslice either way.
async fn served(sidecars: &Sidecars) -> [BTreeSet<String>; 3] {
    let Sidecars { reads, derives } = sidecars;
    let mut all = Vec::new();
    for (sidecar, role) in [(reads, "pod"), (reads, "endpointslice"), (derives, "endpointslice")] {
        let answer = get(&format!("{}/sd/{role}?namespace={NODE}", sidecar.url)).await.unwrap();
        // A slice may be known before its Pod.
        let name = |target: &Discovered| {
            target.get("__meta_kubernetes_pod_name").cloned().unwrap_or_default()
        };
        all.push(discovered(&answer).iter().map(name).collect());
    }
    all.try_into().expect("three questions")
}

fn pods(prefix: &str, numbers: std::ops::Range<u32>) -> BTreeSet<String> {
    numbers.map(|number| format!("{prefix}-{number}")).collect()
}

fn pod(name: &str) -> Value {
    let number = name.rsplit('-').next().expect("a number at the end");
    let ip = format!("10.210.0.{number}");
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NODE, "labels": {"app": "web"}},
        "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
