//! The http_sd contract, rule by rule, over a socket.

use crate::support::http::eventually;
use crate::support::raw::{Answer, Raw};
use crate::support::served::Served;
use crate::support::world::{self, PODS};
use nodelocal_sd::http::Limits;
use nodelocal_sd::simulator::{On, Simulator};
use serde_json::Value;

async fn synced() -> (Simulator, Served) {
    let simulator = world::cluster();
    let served = Served::of(&simulator, Limits::SD).await;
    get(&served, "/sd/endpointslice?attach=node").await;
    (simulator, served)
}

async fn get(served: &Served, target: &str) -> Answer {
    Raw::connect(served.address()).await.exchange("GET", target, "").await
}

/// What Prometheus checks, in its order, and what its older versions demand of label names.
#[tokio::test]
async fn an_answer_is_what_prometheus_accepts() {
    let (_simulator, served) = synced().await;
    for (target, count) in [
        ("/sd/pod", PODS),
        ("/sd/endpointslice?attach=node&attach=namespace&attach=deployment", PODS),
        ("/sd/node", 1),
        ("/sd/pod?namespace=empty", 0),
    ] {
        let answer = get(&served, target).await;
        assert_eq!(answer.status, 200, "{target}");
        assert_eq!(answer.header("content-type"), "application/json", "{target}");
        assert_eq!(answer.header("content-encoding"), "", "{target}: it would read gzip as JSON");
        let groups: Vec<serde_json::Map<String, Value>> =
            serde_json::from_str(&answer.body).expect(target);
        assert_eq!(groups.len(), count, "{target}");
        for group in groups {
            assert_eq!(group.keys().collect::<Vec<_>>(), ["labels", "targets"], "{target}");
            let targets = group["targets"].as_array().unwrap();
            assert!(targets.len() == 1 && targets[0].is_string(), "one target a group: {group:?}");
            for (name, value) in group["labels"].as_object().unwrap() {
                assert!(value.as_str().is_some_and(|value| !value.is_empty()), "{name}={value}");
                let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
                assert!(name.starts_with("__meta_kubernetes_") || name == "instance", "{name}");
                assert!(name.chars().all(legal), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn equal_state_gives_equal_bytes() {
    let (simulator, served) = synced().await;
    let query = "/sd/endpointslice?namespace=shop&attach=node";
    let first = get(&served, query).await;
    // A change elsewhere, and the same question in other words.
    world::put(&simulator, world::service("unrelated"));
    let same = "/sd/endpointslice?attach=node&compat=latest&hold=off&namespace=shop&namespace=shop";
    let second = get(&served, same).await;
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("etag"), second.header("etag"));

    world::change(&simulator);
    eventually("another tag after a change", || async {
        let third = get(&served, query).await;
        let differs = third.body != first.body && third.header("etag") != first.header("etag");
        if differs { Ok(()) } else { Err(third.header("etag").to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_and_how() {
    let (_simulator, served) = synced().await;
    let long = format!("/sd/pod?port={}", "x".repeat(40_000));
    for (target, status, reason) in [
        ("/sd/service", 404, "role service is not local to a node"),
        ("/sd/ingress", 404, "role ingress is not local to a node"),
        ("/sd/pods", 404, "unknown role \"pods\""),
        ("/sd/", 404, "unknown role"),
        ("/sd", 404, "/ lists what is"),
        ("/nothing", 404, "/ lists what is"),
        ("/sd/pod?name=x", 400, "unknown parameter \"name\""),
        ("/sd/pod?namespace=", 400, "not the name of a namespace"),
        ("/sd/pod?namespace=Shop", 400, "not the name of a namespace"),
        ("/sd/pod?service=a%3Db", 400, "parameter service means nothing for role pod"),
        ("/sd/pod?selector.service.label=a", 400, "means nothing for role pod"),
        ("/sd/pod?selector.thing.label=a", 400, "unknown parameter"),
        ("/sd/pod?selector.pod.annotation=a", 400, "unknown parameter"),
        ("/sd/endpoints?selector.endpointslice.label=a", 400, "means nothing for role endpoints"),
        ("/sd/endpoints?selector.node.label=a", 400, "means nothing for role endpoints"),
        ("/sd/endpointslice?selector.endpoints.label=a", 400, "role endpointslice"),
        ("/sd/endpoints?selector.endpoints.field=spec.nodeName%3Da", 400, "spec.nodeName"),
        ("/sd/node?namespace=shop", 400, "means nothing for role node"),
        ("/sd/node?attach=node", 400, "means nothing for role node"),
        ("/sd/node?port=http", 400, "means nothing for role node"),
        ("/sd/pod?attach=service", 400, "parameter attach has the unknown value"),
        ("/sd/pod?compat=2.0", 400, "use 2.53, 3.5, 3.11 or latest"),
        ("/sd/pod?compat=3.5&compat=3.5", 400, "given more than once"),
        ("/sd/pod?hold=on", 400, "use hold=off"),
        ("/sd/pod?port=", 400, "parameter port is empty"),
        ("/sd/pod?port=%ff", 400, "not valid UTF-8"),
        // Malformed selectors, as Prometheus refuses them in its configuration.
        ("/sd/pod?selector.pod.label=a%3D%3D%3Db", 400, "is not a valid selector"),
        ("/sd/pod?selector.pod.label=a%20in%20(b", 400, "is not a valid selector"),
        ("/sd/pod?selector.pod.field=spec.nodeName", 400, "is not a valid selector"),
        ("/sd/endpointslice?service=a%20b", 400, "is not a valid selector"),
        ("/sd/pod?selector.pod.label=a&selector.pod.label=b", 400, "given more than once"),
        // Fields that the API server does not have.
        ("/sd/endpointslice?selector.endpointslice.field=spec.nodeName%3Da", 400, "spec.nodeName"),
        ("/sd/pod?selector.pod.field=spec.priority%3D1", 400, "spec.priority"),
        (&long, 414, "32768 are the most"),
        ("/debug/targets", 400, "no role is given"),
        ("/debug/targets?role=service", 404, "not local to a node"),
        ("/debug/unassigned?nonsense=1", 400, "unknown parameter"),
    ] {
        let answer = get(&served, target).await;
        let shown = &target[..target.len().min(80)];
        assert_eq!(answer.status, status, "{shown}: {}", answer.body);
        assert!(answer.body.contains(reason), "{shown}: {}", answer.body);
        assert_eq!(answer.body.lines().count(), 1, "{shown}: {}", answer.body);
        assert!(answer.header("content-type").starts_with("text/plain"), "{shown}");
    }
    assert_eq!(get(&served, "/sd/pod").await.status, 200, "and others are served");
}

#[tokio::test]
async fn methods() {
    let (_simulator, served) = synced().await;
    let mut raw = Raw::connect(served.address()).await;
    let get = raw.exchange("GET", "/sd/pod", "").await;
    let head = raw.exchange("HEAD", "/sd/pod", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "FOO"] {
        let mut raw = Raw::connect(served.address()).await;
        let answer = raw.exchange(method, "/sd/pod", "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[tokio::test]
async fn conditional_requests() {
    let (_simulator, served) = synced().await;
    let mut raw = Raw::connect(served.address()).await;
    let tag = raw.exchange("GET", "/sd/pod", "").await.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    for (known, status) in [
        (tag.clone(), 304),
        (format!("\"other\", W/{tag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
    ] {
        let answer = raw.exchange("GET", "/sd/pod", &format!("If-None-Match: {known}\r\n")).await;
        assert_eq!((answer.status, answer.header("etag")), (status, &*tag), "{known}");
        assert_eq!(answer.body.is_empty(), status == 304, "{known}");
    }
}

#[tokio::test]
async fn the_profile_is_that_of_the_client_unless_it_is_named() {
    let (simulator, served) = synced().await;
    // A condition shows only to 3.12 and later.
    let mut node = world::node(world::NODE);
    node["status"]["conditions"] = serde_json::json!([{"type": "Ready", "status": "True"}]);
    world::put(&simulator, node);
    eventually("the condition", || async {
        let answer = get(&served, "/sd/node").await;
        if answer.body.contains("condition_ready") { Ok(()) } else { Err(answer.body) }
    })
    .await;
    for (agent, target, shows) in [
        ("Prometheus/2.53.3+ds1", "/sd/node", false),
        ("Prometheus/3.11.0", "/sd/node", false),
        ("Prometheus/3.12.0", "/sd/node", true),
        ("curl/8", "/sd/node", true),
        ("Prometheus/2.53.3", "/sd/node?compat=latest", true),
        ("curl/8", "/sd/node?compat=3.5", false),
    ] {
        let mut raw = Raw::connect(served.address()).await;
        let answer = raw.exchange("GET", target, &format!("User-Agent: {agent}\r\n")).await;
        assert_eq!(answer.body.contains("condition_ready"), shows, "{agent} {target}");
    }
}

/// Never an empty list before the first sync, and a reason for those who look.
#[tokio::test]
async fn before_the_first_sync() {
    let simulator = world::cluster();
    let rule = simulator.fault(On::any().status(500));
    let served = Served::of(&simulator, Limits::SD).await;
    let mut raw = Raw::connect(served.address()).await;
    let answer =
        raw.exchange("GET", "/sd/pod", "X-Prometheus-Refresh-Interval-Seconds: 1\r\n").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains("not synced yet: pods"), "{}", answer.body);
    assert!(answer.body.contains("HTTP 500"), "{}", answer.body);
    assert_eq!(answer.header("retry-after"), "5");

    // One that can wait gets the answer as soon as there is one.
    let waiting = tokio::spawn(async move {
        raw.exchange("GET", "/sd/pod", "X-Prometheus-Refresh-Interval-Seconds: 60\r\n").await
    });
    simulator.remove_fault(rule);
    let answer = waiting.await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.matches("\"targets\"").count(), PODS);

    // From then on a failure is no reason to wait or to refuse.
    simulator.fault(On::any().refuse());
    simulator.disconnect();
    let answer = get(&served, "/sd/pod").await;
    assert_eq!(answer.body.matches("\"targets\"").count(), PODS);
}

#[tokio::test]
async fn five_thousand_queries_are_no_reason_to_refuse_one() {
    let (_simulator, served) = synced().await;
    let mut raw = Raw::connect(served.address()).await;
    for number in 0..5_000 {
        let target = format!("/sd/endpointslice?namespace=shop&service=app%3Dquery-{number}");
        assert_eq!(raw.exchange("GET", &target, "").await.status, 200, "{target}");
    }
    assert_eq!(get(&served, "/sd/pod").await.status, 200);
}

#[tokio::test]
async fn debug_pages_say_where_targets_come_from() {
    let (simulator, served) = synced().await;
    let mut nodeless = world::slice([]);
    nodeless["metadata"]["name"] = "by-hand".into();
    nodeless["metadata"]["labels"] = serde_json::json!({"kubernetes.io/service-name": "web"});
    nodeless["endpoints"] = serde_json::json!([{"addresses": ["192.0.2.1"]},
        {"addresses": ["192.0.2.2"], "targetRef": {"kind": "Pod", "namespace": "shop", "name": "elsewhere"}}]);
    world::put(&simulator, nodeless);
    let unassigned = eventually("the endpoints of no node", || async {
        let page = json(&get(&served, "/debug/unassigned").await);
        let found = page["unassigned"].as_array().unwrap().len();
        if found == 2 { Ok(page) } else { Err(page.to_string()) }
    })
    .await;
    let counts = serde_json::json!({"no_node": 1, "pod_not_here": 1, "not_seen": 0, "excluded": 0});
    assert_eq!(unassigned["counts"], counts);
    assert_eq!(unassigned["unassigned"][0]["address"], "192.0.2.1:8080");
    assert_eq!(unassigned["unassigned"][0]["reason"], "no_node");

    let page = json(&get(&served, "/debug/targets?role=endpointslice&service=app%3Dweb").await);
    let targets = page["targets"].as_array().unwrap();
    assert_eq!((targets.len(), &page["node"]), (PODS, &Value::from(world::NODE)));
    let kinds: Vec<_> =
        targets[0]["sources"].as_array().unwrap().iter().map(|source| &source["kind"]).collect();
    assert_eq!(kinds, ["EndpointSlice", "Service", "Pod"]);

    let page = json(&get(&served, "/debug/watches").await);
    let pods = &page["watches"][0];
    assert_eq!(pods["resource"], "pods");
    assert_eq!((&pods["phase"], &pods["synced"]), (&"watching".into(), &true.into()));
    assert_eq!(pods["held"], PODS);
    assert_eq!(get(&served, "/").await.status, 200);
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}
