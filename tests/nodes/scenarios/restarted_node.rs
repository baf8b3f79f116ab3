//! A node starts again: its Pods have other addresses, and what its sidecar has saved is of before. While that can reach
//! no API server, an old address is given to another Pod; it must never be scraped under the name of the old one.

use super::super::patience::eventually;
use super::super::received;
use super::super::support::http::get;
use super::super::table;
use super::super::world::{DEPLOYMENTS, E, SCRAPES, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// As an option of `ip`: what Pods send to the API server is refused; what their kubelet sends is not.
const PODS_TO_API_SERVER: &str = "iif cni0 to 10.96.0.1 prohibit";

pub(crate) async fn serves_nothing_of_before(world: &World) {
    let cluster = &world.cluster;
    world.settles("before the node starts again").await;
    let began = received::now();
    let before = addresses(world).await;
    let old = before.iter().find(|(name, _)| name.starts_with("shop/batch-")).expect("one on each");
    let folder = cluster.node("node-c", |node| node.folder().join("lib/cni/networks/pods"));

    cluster.kill("node-c");
    hand_out_anew(&folder, before.values().flatten());
    cluster.add("node-c");
    let added = received::now();
    cluster.node("node-c", |node| node.ip(&format!("rule add {PODS_TO_API_SERVER}")));
    for (pod, old) in &before {
        eventually(&format!("{pod} has new addresses"), || async {
            match addresses(world).await.get(pod) {
                Some(new) if !new.is_empty() && new != old => Ok(()),
                now => Err(format!("{now:?}, and had {old:?}")),
            }
        })
        .await;
    }
    let now = addresses(world).await;
    let mut agents = Vec::new();
    for deployment in DEPLOYMENTS {
        let set = format!("{}/{}-", deployment.namespace, deployment.set);
        let of_set = |name: &&String| name.starts_with(&set) && !name.contains("complement");
        let pod = now.keys().find(of_set).expect("one on each node");
        agents.push((deployment, pod.clone(), now[pod][0].clone()));
    }
    another_gets(world, &folder, old.1).await;
    for (_, _, address) in &agents {
        let questions = asked(address, 1.0).await;
        asked(address, questions + 20.0).await; // for each job, since the other Pod is there
    }
    received::labels_are_true(SCRAPES, began).await;
    for (deployment, pod, address) in &agents {
        let active =
            get(&format!("http://{address}:9090/api/v1/targets?state=active")).await.unwrap();
        let active: Value = serde_json::from_str(&active).unwrap();
        assert_eq!(active["data"]["activeTargets"], json!([]), "{pod}: of what boot?");
        let (namespace, name) = pod.split_once('/').expect("a key of ours");
        let log = cluster.kubectl(&["-n", namespace, "logs", name, "-c", "nodelocal-sd"]);
        // What A2 saves lies in memory, and is gone with the machine.
        let refused =
            log.contains("not used, because it was written before the machine was started");
        assert_eq!(refused, *deployment == E, "{pod}: {log}");
    }

    cluster.node("node-c", |node| node.ip(&format!("rule del {PODS_TO_API_SERVER}")));
    let reached = received::now();
    cluster.api.delete("/api/v1/namespaces/shop/pods/another").await;
    world.settles("after the node has started again").await;
    table::add(
        "node restarted: API server reached, until all of its targets are scraped",
        "both",
        format!("{:.1} s", received::now() - reached),
    );
    table::add("node restarted: in all", "both", format!("{:.1} s", received::now() - added));
    received::labels_are_true(SCRAPES, began).await;
}

/// Of the Pods of node-c with a network of their own: their addresses, by NAMESPACE/NAME.
async fn addresses(world: &World) -> BTreeMap<String, Vec<String>> {
    let path = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-c";
    let list = world.cluster.api.get(path).await;
    let pods = list["items"].as_array().expect("a list").iter();
    let own = pods.filter(|pod| pod["spec"]["hostNetwork"] != true);
    own.map(|pod| {
        let text = |at: &str| pod["metadata"][at].as_str().expect("a Pod has both").to_owned();
        let ips = pod["status"]["podIPs"].as_array().into_iter().flatten();
        let ips = ips.filter_map(|ip| ip["ip"].as_str()).map(str::to_owned).collect();
        (format!("{}/{}", text("namespace"), text("name")), ips)
    })
    .collect()
}

/// Has the dead node forget which addresses it has given to whom, but for those of before, which it keeps.
fn hand_out_anew<'a>(folder: &Path, kept: impl Iterator<Item = &'a String>) {
    std::fs::remove_dir_all(folder).expect("the node is dead");
    std::fs::create_dir(folder).expect("a folder of ours");
    for address in kept {
        std::fs::write(folder.join(address), "kept").expect("a folder of ours");
    }
}

/// Makes a Pod that nobody is to scrape, and that is given these addresses.
async fn another_gets(world: &World, folder: &Path, addresses: &[String]) {
    for (family, address) in addresses.iter().enumerate() {
        std::fs::remove_file(folder.join(address)).expect("it is kept");
        let last = folder.join(format!("last_reserved_ip.{family}"));
        std::fs::write(last, the_one_before(address)).expect("a folder of ours");
    }
    world
        .cluster
        .api
        .create(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "another", "namespace": "shop"},
            "spec": {"nodeName": "node-c", "terminationGracePeriodSeconds": 1, "containers": [
                {"name": "exporter", "image": "test.local/exporter:1", "args": ["9100"]}]}}))
        .await;
    eventually("another Pod has the address", || async {
        let now = self::addresses(world).await;
        let its = &now["shop/another"];
        if its == addresses { Ok(()) } else { Err(format!("{its:?}, not {addresses:?}")) }
    })
    .await;
}

/// The address after which an address is handed out.
fn the_one_before(address: &str) -> String {
    match address.parse().expect("an address") {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() - 1).to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() - 1).to_string(),
    }
}

/// Waits until that agent has asked its sidecar so many times, whatever it answers; how many times it has.
async fn asked(agent: &str, enough: f64) -> f64 {
    eventually("the agent asks its sidecar", || async {
        let metrics = get(&format!("http://{agent}:9090/metrics")).await?;
        let of_http = |line: &&str| {
            line.starts_with("prometheus_sd_refresh_duration_seconds_count{")
                && line.contains(r#"mechanism="http""#)
        };
        let values = metrics.lines().filter(of_http).filter_map(|line| line.rsplit_once(' '));
        let questions: f64 = values.filter_map(|(_, value)| value.parse::<f64>().ok()).sum();
        if questions >= enough { Ok(questions) } else { Err(format!("{questions} questions")) }
    })
    .await
}
