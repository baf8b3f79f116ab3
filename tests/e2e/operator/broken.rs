//! A sidecar that is broken, in each way that we could think of, beside an agent that runs: it keeps its
//! targets. And beside one that starts: it does so, with what there is.

#![expect(clippy::print_stderr, reason = "what is broken at the moment")]

use super::super::support::http::{eventually, get};
use super::deployments::{ADMIN, PROMETHEUS, World, metric, targets};
use super::install::{secret, secret_text};
use super::pod::Pod;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const SIDECAR: &str = "nodelocal-sd";
const SHADOW: &str = "/etc/nodelocal-sd/shadow";
const FILE: &str = "prometheus.yaml.gz";

/// The agent has these targets throughout.
pub(crate) async fn leaves_a_running_agent_alone(world: &World, pod: &mut Pod) {
    let had = targets().await;
    assert!(had.len() > 2, "{had:?}");
    let kept = async |what: &str| {
        eprintln!("  {what}");
        assert_eq!(targets().await, had, "{what}");
    };

    let saved = pod.folder_of_flag(SIDECAR, "--state-dir").join("objects.gz");
    is_saved(&saved).await;
    pod.kill(SIDECAR).await;
    refreshes_fail().await;
    kept("it is gone").await;
    for _ in 0..3 {
        pod.start_container(SIDECAR);
        answers("/livez").await;
        pod.kill(SIDECAR).await;
    }
    refreshes_fail().await;
    kept("it ends again and again").await;
    pod.start_container(SIDECAR);
    recovers(&had).await;

    pod.signal(SIDECAR, "-STOP");
    refreshes_fail().await;
    kept("it hangs").await;
    pod.signal(SIDECAR, "-CONT");
    recovers(&had).await;

    let rights = ["clusterrolebinding", "nodelocal-sd"];
    let binding = world.plane.kubectl(&[&["get", "-o", "json"], &rights[..]].concat());
    world.plane.kubectl(&[&["delete"], &rights[..]].concat());
    pod.kill(SIDECAR).await;
    fs::remove_file(&saved).expect("its state was saved");
    pod.start_container(SIDECAR);
    refreshes_fail().await;
    kept("it may read nothing: 403, and no state was saved").await;
    restore(world, &binding).await;
    // By itself it would ask once a minute or two, as `least_privilege` has it.
    pod.kill(SIDECAR).await;
    pod.start_container(SIDECAR);
    recovers(&had).await;

    is_saved(&saved).await;
    world.plane.kill_api_server();
    pod.kill(SIDECAR).await;
    pod.start_container(SIDECAR);
    refreshes().await;
    kept("it starts while there is no API server, from its saved state").await;
    pod.kill(SIDECAR).await;
    fs::remove_file(&saved).expect("it is still there");
    pod.start_container(SIDECAR);
    refreshes_fail().await;
    kept("it starts while there is no API server, and no state was saved").await;
    world.plane.start_api_server();
    recovers(&had).await;

    let volume = pod.volume_at(SIDECAR, SHADOW);
    let rendered = fs::read(pod.volume(&volume).join(FILE)).expect("the Secret is there");
    for (what, bytes) in [
        ("its configuration is cut off", Some(&rendered[..rendered.len() / 2])),
        ("its configuration is empty", Some(&[][..])),
        ("its configuration is missing", None),
        ("its configuration is no YAML", Some(b"a: [")),
        ("its configuration is a web page", Some(b"<html>")),
    ] {
        pod.spoil(&volume, FILE, bytes);
        shows("config_failing{}", |value| value == 1).await;
        refreshes().await;
        kept(what).await;
        pod.sync_volumes(&world.api).await;
        shows("config_failing{}", |value| value == 0).await;
    }
    let other =
        secret(&world.api, "monitoring", "prom-agent-node-shadow").await.expect("it is there");
    let other =
        secret_text(&other, FILE).expect("a configuration").replace("__tmp_hash", "__tmp_place");
    pod.spoil(&volume, FILE, Some(other.as_bytes()));
    shows("config_jobs{fate=\"last_good\"}", |value| value > 0).await;
    refreshes().await;
    kept("its configuration has sharding rules of another version of the operator").await;
    pod.sync_volumes(&world.api).await;
    shows("config_jobs{fate=\"last_good\"}", |value| value == 0).await;

    let out = pod.writable_volume(SIDECAR, "out");
    let filler = pod.volume(&out).join("filler");
    let full = fs::File::create(&filler)
        .and_then(|mut file| std::io::copy(&mut std::io::repeat(b'x'), &mut file).map(drop));
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    world.edit_monitor(Some("full")).await;
    world.takes_over(pod, "replacement: full").await;
    shows("config_failing{}", |value| value == 1).await;
    refreshes().await;
    kept("its disk is full").await;
    fs::remove_file(&filler).unwrap();
    world.scrapes(&["web-1", "web-2", "batch-1"], Some("full")).await;
    assert_eq!(targets().await.len(), had.len());
}

/// Two Pods that start: one without an API server, and one whose configuration is cut off. `at_once` is what the
/// second one scrapes until that is mended.
pub(crate) async fn does_not_stop_an_agent_that_starts(
    world: &World,
    set: &Value,
    at_once: &[&str],
) {
    let mut pod = world.pod(set, "agent-3").await;
    world.plane.kill_api_server();
    pod.start().await;
    eprintln!("  a Pod starts while there is no API server");
    ready().await;
    world.plane.start_api_server();
    world.scrapes(&["web-1", "web-2", "batch-1"], Some("full")).await;
    pod.stop().await;
    world.delete_pod(&pod);

    let mut pod = world.pod(set, "agent-4").await;
    let volume = pod.volume_at(SIDECAR, SHADOW);
    let rendered = fs::read(pod.volume(&volume).join(FILE)).expect("the Secret is there");
    pod.spoil(&volume, FILE, Some(&rendered[..rendered.len() / 2]));
    pod.start().await;
    eprintln!("  a Pod starts with a configuration that is cut off");
    ready().await;
    world.scrapes(at_once, None).await;
    pod.sync_volumes(&world.api).await;
    world.scrapes(&["web-1", "web-2", "batch-1"], Some("full")).await;
    pod.stop().await;
    world.delete_pod(&pod);
}

/// Creates it again, as it was.
async fn restore(world: &World, object: &str) {
    let mut object: Value = serde_json::from_str(object).expect("JSON");
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    metadata.retain(|key, _| key == "name");
    world.api.create(object).await;
}

async fn ready() {
    let url = format!("{PROMETHEUS}/-/ready");
    eventually("Prometheus is ready", || async { get(&url).await }).await;
}

/// Waits until what the sidecar knows is on disk.
async fn is_saved(state: &Path) {
    let look = async || if state.exists() { Ok(()) } else { Err("not yet".to_owned()) };
    eventually("its state is saved", look).await;
}

/// Waits until the sidecar answers there.
async fn answers(path: &str) {
    let url = format!("{ADMIN}{path}");
    eventually("the sidecar answers", || async { get(&url).await }).await;
}

/// Waits until the sidecar serves again, and the agent still has what it had.
async fn recovers(had: &BTreeSet<String>) {
    answers("/readyz").await;
    refreshes().await;
    eventually("all is as it was", || async {
        let has = targets().await;
        if has == *had { Ok(()) } else { Err(format!("{has:?}")) }
    })
    .await;
}

async fn shows(name: &str, good: impl Fn(u64) -> bool) {
    let name = format!("nodelocal_sd_{name}");
    eventually(&name, || async {
        let value = metric(ADMIN, &name).await;
        if good(value) { Ok(()) } else { Err(format!("{value}")) }
    })
    .await;
}

/// Waits until Prometheus has asked every job's sidecar twice more, in vain.
async fn refreshes_fail() {
    rises("prometheus_sd_refresh_failures_total{").await;
}

/// Waits until it has asked twice more.
async fn refreshes() {
    rises("prometheus_sd_refresh_duration_seconds_count{").await;
}

/// Waits until each series of a counter of http_sd has risen by two.
async fn rises(counter: &str) {
    let now = async || -> Vec<u64> {
        let url = format!("{PROMETHEUS}/metrics");
        let metrics = eventually("metrics", || async { get(&url).await }).await;
        let of_http = metrics
            .lines()
            .filter(|line| line.starts_with(counter) && line.contains("mechanism=\"http\""));
        of_http
            .map(|line| line.rsplit(' ').next().expect("a value").parse().expect("a number"))
            .collect()
    };
    let before = now().await;
    eventually(counter, || async {
        let now = now().await;
        let enough = now.len() == before.len()
            && now.iter().zip(&before).all(|(now, before)| *now >= before + 2);
        if enough && !now.is_empty() { Ok(()) } else { Err(format!("{before:?} {now:?}")) }
    })
    .await;
}
