//! Health checks and metrics.

use crate::support::asked::Asked;
use crate::support::http::eventually;
use crate::support::raw::{Answer, Raw};
use crate::support::served::Served;
use crate::support::world::{self, NODE};
use http_body_util::BodyExt as _;
use nodelocal_sd::agent::Settings;
use nodelocal_sd::config::{Options, Waits};
use nodelocal_sd::http::{Admin, Limits, Routes as _};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::{On, Simulator};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

async fn get(served: &Served, target: &str) -> Answer {
    Raw::connect(served.admin_address()).await.exchange("GET", target, "").await
}

#[tokio::test]
async fn ready_once_own_pods_have_synced_and_then_for_good() {
    let simulator = world::cluster();
    let rule = simulator.fault(On::any().status(403));
    let served = Served::of(&simulator, Limits::SD).await;
    assert_eq!(get(&served, "/livez").await.status, 200, "alive is not ready");
    let reason = eventually("the reason", || async {
        let answer = get(&served, "/readyz?verbose").await;
        let known = answer.status == 503 && answer.body.contains("HTTP 403");
        if known { Ok(answer.body) } else { Err(answer.body) }
    })
    .await;
    assert!(reason.starts_with("not ready: the Pods of node node-a have not synced"), "{reason}");
    assert!(reason.contains("missing RBAC rule: apiGroups: [\"\"]"), "{reason}");
    assert!(reason.contains("\nservices: closed, not synced"), "each watch has a line: {reason}");
    drop(served);

    simulator.remove_fault(rule);
    let served = Served::of(&simulator, Limits::SD).await;
    eventually("ready", || async {
        let answer = get(&served, "/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    simulator.fault(On::any().status(500));
    simulator.disconnect();
    eventually("the failure shows", || async {
        let answer = get(&served, "/metrics").await;
        let failing = "nodelocal_sd_watch_failing{resource=\"pods\"} 1.0";
        if answer.body.contains(failing) { Ok(()) } else { Err(answer.body) }
    })
    .await;
    assert_eq!(get(&served, "/readyz").await.status, 200, "latched");
}

#[tokio::test]
async fn no_target_data() {
    let served = Served::of(&world::cluster(), Limits::SD).await;
    for (target, status) in
        [("/sd/pod", 404), ("/debug/targets?role=pod", 404), ("/", 404), ("/livez", 200)]
    {
        assert_eq!(get(&served, target).await.status, status, "{target}");
    }
    let mut raw = Raw::connect(served.admin_address()).await;
    assert_eq!(raw.exchange("POST", "/readyz", "").await.status, 405);
    raw.closed().await; // a request for each connection
}

/// The names are what dashboards and alerts are built on: one that goes must be missed here.
#[tokio::test]
async fn metrics() {
    let simulator = world::cluster();
    let served = Served::of(&simulator, Limits::SD).await;
    let asked = Raw::connect(served.address()).await.exchange("GET", "/sd/endpointslice", "").await;
    assert_eq!(asked.status, 200);
    Raw::connect(served.address()).await.exchange("GET", "/sd/nonsense", "").await;
    let answer = get(&served, "/metrics").await;
    let expected_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, expected_type));
    let families: BTreeSet<&str> = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE nodelocal_sd_")?.split(' ').next())
        .collect();
    assert_eq!(
        families,
        BTreeSet::from([
            "api_requests",
            "build_info",
            "dropped_endpoints",
            "http_connections",
            "http_held_answers",
            "http_held_requests",
            "oversized_objects",
            "queries",
            "render_duration_seconds",
            "snapshot_version",
            "stale",
            "targets",
            "unassigned_endpoints",
            "undecodable_objects",
            "watch_events",
            "watch_failing",
            "watch_impersonating",
            "watch_last_event_timestamp_seconds",
            "watch_needed",
            "watch_objects",
            "watch_phase",
            "watch_relists",
            "watch_stale",
            "watch_synced",
        ])
    );
    for sample in [
        "nodelocal_sd_targets{role=\"pod\"} 60.0",
        "nodelocal_sd_targets{role=\"endpointslice\"} 60.0",
        "nodelocal_sd_unassigned_endpoints{role=\"endpointslice\",reason=\"no_node\"} 0.0",
        "nodelocal_sd_dropped_endpoints_total{resource=\"endpointslices\"} 0",
        "nodelocal_sd_watch_objects{resource=\"pods\"} 60.0",
        "nodelocal_sd_watch_impersonating{resource=\"pods\"} 0.0",
        "nodelocal_sd_watch_synced{resource=\"services\"} 1.0",
        "nodelocal_sd_watch_synced{resource=\"namespaces\"} 0.0",
        "nodelocal_sd_api_requests_total{resource=\"services\",verb=\"list\",outcome=\"ok\"} 2",
        "nodelocal_sd_queries_total{role=\"endpointslice\",code=\"200\"} 1",
        "nodelocal_sd_queries_total{role=\"other\",code=\"404\"} 1",
        "nodelocal_sd_http_held_requests{} 0.0",
        "nodelocal_sd_http_held_answers_total{outcome=\"changed\"} 0",
        "nodelocal_sd_http_held_answers_total{outcome=\"released\"} 0",
        "nodelocal_sd_render_duration_seconds_count 1",
    ] {
        assert!(answer.body.lines().any(|line| line == sample), "{sample}\n{}", answer.body);
    }
    assert!(answer.body.ends_with("# EOF\n"), "the end of OpenMetrics");
}

/// What the kubelet or a person would get, without a socket, so that time can be virtual.
pub(crate) async fn ask(admin: &Admin, path: &str) -> (u16, String) {
    let request = http::Request::get(path).body(()).unwrap().into_parts().0;
    let answer = admin.answer(request, "127.0.0.1:9912".parse().unwrap()).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn prometheus_start_waits_for_us_but_not_for_ever() {
    let simulator = world::cluster();
    let rule = simulator.fault(On::any().status(500));
    let admin = Asked::start(&simulator, NODE, Timing::alone()).admin(None);
    for second in 0..15 {
        assert_eq!(ask(&admin, "/startupz").await.0, 503, "{second}");
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(ask(&admin, "/startupz").await.0, 200);
    assert_eq!(ask(&admin, "/readyz").await.0, 503, "that is another question");

    simulator.remove_fault(rule);
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let admin = asked.admin(None);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(ask(&admin, "/startupz").await, (200, "ready\n".to_owned()));
}

/// A sidecar that follows a configuration with a job of role endpointslice, or one that is not there.
pub(crate) fn following(
    simulator: &Simulator,
    folder: &Path,
    config: Option<&str>,
) -> (Asked, Admin) {
    let config_in = folder.join("in.yaml");
    if let Some(config) = config {
        std::fs::write(&config_in, config).unwrap();
    }
    let second = Duration::from_secs(1);
    let settings = Settings {
        node: NODE.to_owned(),
        config_in,
        jobs_from: Vec::new(),
        config_out: folder.join("out.yaml"),
        reload_url: None,
        state_dir: None,
        options: Options { endpoints_from: EndpointsFrom::Slices, ..Options::default() },
        compat: nodelocal_sd::sd::Compat::Auto,
        waits: Waits { hold: second, spread: second, pause: second },
    };
    let asked = Asked::start(simulator, NODE, Timing::alone());
    let agent = asked.follow(settings);
    let admin = asked.admin(Some(agent));
    (asked, admin)
}

pub(crate) const SLICES: &str =
    "scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: endpointslice}]}]";

/// What the agent's configuration asks at the start has synced before Prometheus asks it.
#[tokio::test(start_paused = true)]
async fn ready_when_what_the_configuration_asks_has_synced() {
    let simulator = world::cluster();
    let rule = simulator.fault(On::resource("services").status(500));
    let folder = tempfile::tempdir().unwrap();
    let (_asked, admin) = following(&simulator, folder.path(), Some(SLICES));
    sleep(Duration::from_secs(5)).await;
    let (status, reason) = ask(&admin, "/readyz").await;
    assert_eq!(status, 503);
    assert!(reason.starts_with("not ready: services have not synced: "), "{reason}");
    assert!(reason.contains("HTTP 500"), "{reason}");

    simulator.remove_fault(rule);
    sleep(Duration::from_secs(40)).await; // the longest delay between attempts is 30 s
    assert_eq!(ask(&admin, "/readyz").await, (200, "ready\n".to_owned()));
    let (_, metrics) = ask(&admin, "/metrics").await;
    for sample in [
        "nodelocal_sd_config_jobs{fate=\"rewritten\"} 1.0",
        "nodelocal_sd_config_failing{} 0.0",
        "nodelocal_sd_config_targets{scrape_job=\"a\"} 60.0",
        "nodelocal_sd_config_writes_total{} 1",
        "nodelocal_sd_config_reloads_total{outcome=\"ok\"} 0",
    ] {
        assert!(metrics.contains(sample), "{sample}: {metrics}");
    }
}

/// One forbidden resource must not stop a rollout.
#[tokio::test(start_paused = true)]
async fn ready_without_what_is_forbidden_after_a_minute() {
    let simulator = world::cluster();
    simulator.fault(On::resource("services").status(403));
    let folder = tempfile::tempdir().unwrap();
    let (_asked, admin) = following(&simulator, folder.path(), Some(SLICES));
    sleep(Duration::from_secs(59)).await;
    assert_eq!(ask(&admin, "/readyz").await.0, 503);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ask(&admin, "/readyz").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn not_ready_before_the_agent_has_a_configuration() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let (_asked, admin) = following(&simulator, folder.path(), None);
    sleep(Duration::from_secs(10)).await;
    let expected = "not ready: the agent has no configuration yet\n".to_owned();
    assert_eq!(ask(&admin, "/readyz").await, (503, expected));
    std::fs::write(folder.path().join("in.yaml"), SLICES).unwrap();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(ask(&admin, "/readyz").await.0, 200);
}
