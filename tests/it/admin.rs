//! Health checks and metrics.

use crate::support::http::eventually;
use crate::support::raw::{Answer, Raw};
use crate::support::served::Served;
use crate::support::world;
use nodelocal_sd::http::Limits;
use nodelocal_sd::simulator::On;
use std::collections::BTreeSet;

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
            "oversized_objects",
            "queries",
            "render_duration_seconds",
            "snapshot_version",
            "targets",
            "unassigned_endpoints",
            "undecodable_objects",
            "watch_events",
            "watch_failing",
            "watch_last_event_timestamp_seconds",
            "watch_needed",
            "watch_objects",
            "watch_phase",
            "watch_relists",
            "watch_synced",
        ])
    );
    for sample in [
        "nodelocal_sd_targets{role=\"pod\"} 60.0",
        "nodelocal_sd_targets{role=\"endpointslice\"} 60.0",
        "nodelocal_sd_unassigned_endpoints{role=\"endpointslice\",reason=\"no_node\"} 0.0",
        "nodelocal_sd_dropped_endpoints_total{resource=\"endpointslices\"} 0",
        "nodelocal_sd_watch_objects{resource=\"pods\"} 60.0",
        "nodelocal_sd_watch_synced{resource=\"services\"} 1.0",
        "nodelocal_sd_watch_synced{resource=\"namespaces\"} 0.0",
        "nodelocal_sd_api_requests_total{resource=\"services\",verb=\"list\",outcome=\"ok\"} 2",
        "nodelocal_sd_queries_total{role=\"endpointslice\",code=\"200\"} 1",
        "nodelocal_sd_queries_total{role=\"other\",code=\"404\"} 1",
        "nodelocal_sd_render_duration_seconds_count 1",
    ] {
        assert!(answer.body.lines().any(|line| line == sample), "{sample}\n{}", answer.body);
    }
    assert!(answer.body.ends_with("# EOF\n"), "the end of OpenMetrics");
}
