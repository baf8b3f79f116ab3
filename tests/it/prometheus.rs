//! A real Prometheus as the judge: its own kubernetes_sd against the simulator, and http_sd against
//! a sidecar of each node, must discover the same.
//!
//! Ignored in a plain `cargo test`, because it needs the binary; `.ci/run prometheus` runs it.

use crate::support::http::{eventually, get};
use crate::support::prometheus::{Prometheus, node_of};
use crate::support::served::{Served, example_cluster, plain};
use crate::support::world;
use nodelocal_sd::http::Limits;
use nodelocal_sd::simulator::On;
use std::collections::BTreeSet;

const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];

/// Name, role, what is attached as kubernetes_sd says it, and as we say it.
const JOBS: [(&str, &str, &str, &str); 7] = [
    ("pod", "pod", "", ""),
    ("pod-node", "pod", "attach_metadata: {node: true}", "attach=node"),
    ("slice", "endpointslice", "", ""),
    ("slice-node", "endpointslice", "attach_metadata: {node: true}", "attach=node"),
    ("endpoints", "endpoints", "", ""),
    ("endpoints-node", "endpoints", "attach_metadata: {node: true}", "attach=node"),
    ("node", "node", "", ""),
];

const SHOP_ONLY: &str = "namespaces: {names: [shop]}";

fn config(api: &str, sidecars: &[Served]) -> String {
    let mut config = String::from("scrape_configs:\n");
    let mut job = |name: &str, discovery: String| {
        config.push_str(&format!(
            "- job_name: {name}\n  {discovery}\n  relabel_configs: [{{action: drop, regex: '.*'}}]\n"
        ));
    };
    for (name, role, attach, parameter) in JOBS {
        for (suffix, namespaces, namespace) in
            [("", "", ""), ("-shop", SHOP_ONLY, "namespace=shop")]
        {
            if role == "node" && !suffix.is_empty() {
                continue; // Nodes are in no namespace
            }
            let options: Vec<&str> =
                [attach, namespaces].into_iter().filter(|option| !option.is_empty()).collect();
            let options: String = options.iter().map(|option| format!(", {option}")).collect();
            job(
                &format!("k8s-{name}{suffix}"),
                format!("kubernetes_sd_configs: [{{role: {role}, api_server: '{api}'{options}}}]"),
            );
            for (node, sidecar) in NODES.iter().zip(sidecars) {
                let url = format!("{}/sd/{role}?{parameter}&{namespace}", sidecar.url);
                job(
                    &format!("http-{name}{suffix}-{node}"),
                    format!(
                        "http_sd_configs: [{{url: '{}', refresh_interval: 1s}}]",
                        url.trim_end_matches(['&', '?'])
                    ),
                );
            }
        }
    }
    config
}

#[tokio::test]
#[ignore = "needs a Prometheus; run by .ci/run prometheus"]
async fn discovers_the_same_through_us_as_by_itself() {
    let (api_url, _) = example_cluster().await;
    let mut sidecars = Vec::new();
    for node in NODES {
        sidecars.push(Served::start(&plain(&api_url), node).await);
    }
    let prometheus = Prometheus::start(&config(&api_url, &sidecars)).await;

    for (name, role, ..) in JOBS {
        for suffix in if role == "node" { &[""][..] } else { &["", "-shop"] } {
            let job = format!("{name}{suffix}");
            // Prometheus gives no sign of having discovered all: so until nothing differs.
            eventually(&job, || async {
                let by_itself = prometheus.discovered(&format!("k8s-{job}")).await;
                if by_itself.is_empty() {
                    return Err("kubernetes_sd has no targets".to_owned());
                }
                let mut assigned = 0;
                for node in NODES {
                    let expected: Vec<_> =
                        by_itself.iter().filter(|t| node_of(t) == Some(node)).cloned().collect();
                    let ours = prometheus.discovered(&format!("http-{job}-{node}")).await;
                    if ours != expected {
                        return Err(format!("{node}: ours {ours:#?}\nits own {expected:#?}"));
                    }
                    assigned += ours.len();
                }
                // Each node's targets are its own, so the union has each assigned one once.
                let all = by_itself.iter().filter(|target| node_of(target).is_some()).count();
                if assigned == all { Ok(()) } else { Err(format!("{assigned} of {all} targets")) }
            })
            .await;
        }
    }
    let of_no_node: BTreeSet<_> = prometheus
        .discovered("k8s-slice")
        .await
        .into_iter()
        .filter(|target| node_of(target).is_none())
        .collect();
    assert!(!of_no_node.is_empty(), "the example has endpoints of no node, which nobody serves");
}

/// A sidecar that restarts while the API server is away answers 503; that must not cost a target.
#[tokio::test]
#[ignore = "needs a Prometheus; run by .ci/run prometheus"]
async fn keeps_its_targets_while_we_answer_503() {
    let (api_url, simulator) = example_cluster().await;

    let sidecar = Served::start(&plain(&api_url), "node-a").await;
    let prometheus = Prometheus::start(&format!(
        "scrape_configs:\n- job_name: pods\n  relabel_configs: [{{action: drop, regex: '.*'}}]\n  \
         http_sd_configs: [{{url: '{}/sd/pod', refresh_interval: 1s}}]\n",
        sidecar.url
    ))
    .await;
    let before = eventually("the first targets", || async {
        let targets = prometheus.discovered("pods").await;
        if targets.is_empty() { Err("none".to_owned()) } else { Ok(targets) }
    })
    .await;

    let rule = simulator.fault(On::any().status(500));
    let sidecar = sidecar.restart(&plain(&api_url)).await;
    eventually("three answers of 503", || async {
        let refused = sidecar.answers_of("pod", 503).await;
        if refused >= 3 { Ok(()) } else { Err(format!("{refused}")) }
    })
    .await;
    assert_eq!(sidecar.answers_of("pod", 200).await, 0, "nothing is served before the first sync");
    assert_eq!(prometheus.discovered("pods").await, before);

    simulator.remove_fault(rule);
    eventually("an answer of 200", || async {
        if sidecar.answers_of("pod", 200).await > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    assert_eq!(prometheus.discovered("pods").await, before);
}

/// A change reaches Prometheus by the long poll: it is discovered while no held answer has yet been given unchanged,
/// as all are at the end of their interval.
#[tokio::test]
#[ignore = "needs a Prometheus; run by .ci/run prometheus"]
async fn a_change_comes_before_the_interval_is_over() {
    let simulator = world::cluster();
    let sidecar = Served::of(&simulator, Limits::SD).await;
    let prometheus = Prometheus::start(&format!(
        "scrape_configs:\n- job_name: pods\n  relabel_configs: [{{action: drop, regex: '.*'}}]\n  \
         http_sd_configs: [{{url: '{}/sd/pod', refresh_interval: 15s}}]\n",
        sidecar.url
    ))
    .await;
    let found = |expected: usize| {
        let prometheus = &prometheus;
        eventually("the targets", move || async move {
            let found = prometheus.discovered("pods").await.len();
            if found == expected { Ok(()) } else { Err(format!("{found} of {expected}")) }
        })
    };
    found(world::PODS).await;
    eventually("the second request is held", || async {
        let held = sidecar.metric("http_held_requests{}").await;
        if held == Some(1) { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
    world::put(&simulator, world::pod("new", world::NODE, "10.1.1.1"));
    found(world::PODS + 1).await;
    let ended = async |outcome: &str| {
        sidecar.metric(&format!("http_held_answers_total{{outcome=\"{outcome}\"}}")).await
    };
    assert_eq!((ended("changed").await, ended("unchanged").await), (Some(1), Some(0)));
    eventually("an answer at the end of an interval", || async {
        let unchanged = ended("unchanged").await;
        if unchanged == Some(1) { Ok(()) } else { Err(format!("{unchanged:?}")) }
    })
    .await;
    let failures = get(&format!("{}/metrics", prometheus.url)).await.unwrap();
    let failures =
        failures.lines().find(|line| line.starts_with("prometheus_sd_http_failures_total"));
    assert_eq!(failures, Some("prometheus_sd_http_failures_total 0"), "no answer comes too late");
}
