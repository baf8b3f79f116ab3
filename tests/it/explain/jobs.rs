//! Jobs of the rewritten configuration.

use super::cluster::cluster;
use super::{Row, judge};
use crate::commands::run;
use crate::support::asked::first;
use crate::support::http::{eventually, get};
use crate::support::served::{Served, plain};
use crate::support::world::NODE;
use nodelocal_sd::agent::Settings;
use nodelocal_sd::config::{Options, Waits};
use nodelocal_sd::explain::Verdict::{NotTarget, Target, Unknown};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::simulator;
use std::future::pending;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;

const CONFIG: &str = r#"
scrape_configs:
- job_name: web
  kubernetes_sd_configs: [{role: endpointslice, namespaces: {names: [shop]}}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_service_label_app], target_label: app}
  - {source_labels: [app], regex: web, action: keep}
- job_name: dropping
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {target_label: cluster, replacement: one}
  - {source_labels: [__meta_kubernetes_pod_phase, cluster], regex: Running;one, action: drop}
- job_name: addressless
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs: [{target_label: __address__, replacement: ""}]
- job_name: untold
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs: [{source_labels: [__meta_kubernetes_pod_name], regex: '\pL.*', action: keep}]
- job_name: two
  kubernetes_sd_configs:
  - {role: pod, namespaces: {names: [hand]}}
  - {role: pod, selectors: [{role: pod, label: app=web}]}
  - {role: service}
- job_name: nodes
  kubernetes_sd_configs: [{role: node}]
- job_name: cluster
  kubernetes_sd_configs: [{role: ingress}]
- job_name: by-hand
  static_configs: [{targets: [127.0.0.1:9090]}]
- job_name: wrong
  kubernetes_sd_configs: [{role: pod, new_key: 1}]
"#;

const ROWS: [Row; 14] = [
    ("pod=shop/web-1&job=web", Target, "the agent has the job", "the agent has job web"),
    (
        "pod=shop/web-1&job=web",
        Target,
        "asks this sidecar for Pods",
        "/sd/endpointslice?namespace=shop",
    ),
    ("pod=shop/web-1&job=web", Target, "relabel_configs keep it", "they keep 1 of 1"),
    ("pod=shop/dual-1&job=web", NotTarget, "address family", "secondary family"),
    (
        "pod=hand/moved&job=web",
        NotTarget,
        "namespace",
        "the query asks for namespace shop, and not for hand",
    ),
    (
        "pod=shop/web-1&job=dropping",
        NotTarget,
        "relabel_configs keep it",
        r#"rule 2 drops 10.1.0.1:8080: drop [__meta_kubernetes_pod_phase, cluster] by regex "Running;one": the value is "Running;one""#,
    ),
    (
        "pod=shop/web-1&job=addressless",
        NotTarget,
        "relabel_configs keep it",
        "the rules leave 10.1.0.1:8080 no __address__",
    ),
    ("pod=shop/web-1&job=untold", Unknown, "relabel_configs keep it", "rule 1 has an expression"),
    (
        "pod=shop/web-1&job=two",
        Target,
        "asks this sidecar for Pods",
        "the job is without role service belongs to no node",
    ),
    (
        "pod=shop/web-1&job=nodes",
        NotTarget,
        "asks this sidecar for Pods",
        "the job asks for role node alone",
    ),
    (
        "pod=shop/web-1&job=cluster",
        NotTarget,
        "the agent has the job",
        "the job is not for nodes: role ingress belongs to no node",
    ),
    (
        "pod=shop/web-1&job=by-hand",
        Unknown,
        "asks this sidecar for Pods",
        "the job's discovery is not ours to answer",
    ),
    (
        "pod=shop/web-1&job=wrong",
        NotTarget,
        "the agent has the job",
        "the job is left out: kubernetes_sd_configs has the key new_key",
    ),
    (
        "pod=shop/elsewhere&job=web",
        NotTarget,
        "the Pod is on node node-a",
        "the Pod is on node node-b",
    ),
];

fn settings(folder: &Path) -> Settings {
    let long = Duration::from_secs(3600);
    Settings {
        node: NODE.to_owned(),
        config_in: folder.join("in.yaml"),
        jobs_from: Vec::new(),
        config_out: folder.join("out/prometheus.yaml"),
        reload_url: None,
        state_dir: None,
        options: Options::default(),
        compat: nodelocal_sd::sd::Compat::Auto,
        waits: Waits { hold: long, spread: Duration::ZERO, pause: Duration::ZERO },
    }
}

/// A sidecar that follows that configuration, and has applied it.
pub(super) async fn served(folder: &Path) -> Served {
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = plain(&format!("http://{}", api.local_addr().unwrap()));
    tokio::spawn(simulator::serve(cluster(), api, pending()));
    std::fs::write(folder.join("in.yaml"), format!("global: {{}}{CONFIG}")).unwrap();
    let served =
        Served::following(settings(folder), first(NODE, EndpointsFrom::default()), &source).await;
    let written = folder.join("out/prometheus.yaml");
    eventually("the configuration is applied", async || {
        written.exists().then_some(()).ok_or("not yet".to_owned())
    })
    .await;
    served
}

#[tokio::test]
async fn each_reason_of_a_job() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path()).await;
    for row in ROWS {
        judge(&served.url, row).await;
    }
    let (code, _, err) = run(&["explain", "a/b", "--job", "wbe", "--url", &served.url]).await;
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("no job is named \"wbe\": there are addressless, by-hand, cluster"),
        "{err}"
    );
}

/// A change that removes most of the node's targets is held, and one that cannot be read changes nothing.
#[tokio::test]
async fn a_change_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path()).await;
    let says = async |asked: &str, expected: &str| {
        let url = format!("{}/debug/explain?{asked}", served.url);
        eventually(expected, async || {
            let said = get(&url).await?;
            said.contains(expected).then_some(()).ok_or(said)
        })
        .await;
    };
    let new = "global: {}\nscrape_configs:\n- job_name: new\n  kubernetes_sd_configs: [{role: pod, namespaces: {names: [none]}}]\n";
    std::fs::write(folder.path().join("in.yaml"), new).unwrap();
    says("pod=shop/web-1&job=web", "a newer configuration is held for 60 more minutes").await;
    let held = "a newer configuration is held for 60 more minutes";
    judge(&served.url, ("pod=shop/web-1&job=web", Target, "the agent has the job", held)).await;
    judge(&served.url, ("pod=shop/web-1&job=new", NotTarget, "the agent has the job", held)).await;

    let bad =
        "global: {}\nscrape_configs:\n- job_name: web\n  kubernetes_sd_configs: [{role: pods}]\n";
    std::fs::write(folder.path().join("in.yaml"), bad).unwrap();
    let good = "the agent has the job in its last good form: kubernetes_sd_configs has the unknown role \\\"pods\\\"";
    says("pod=shop/web-1&job=web", good).await;

    std::fs::write(folder.path().join("in.yaml"), "a: [").unwrap();
    says("pod=shop/web-1&job=web", "a newer configuration cannot be used").await;
}
