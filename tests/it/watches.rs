//! What the loops ask of the API server, and when: the exact requests, in virtual time.

use crate::support::asked::Asked;
use crate::support::world::{self, NODE};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::{On, RecordedRequest, Simulator, Verb};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

/// The requests so far as `path?query`, without what is random or a version.
fn asked_for(simulator: &Simulator) -> Vec<String> {
    let mut targets: Vec<String> = simulator.requests().iter().map(plain).collect();
    targets.sort();
    targets
}

fn plain(request: &RecordedRequest) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let query: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| match &*name {
            "timeoutSeconds" | "continue" => format!("{name}=*"),
            "resourceVersion" if value != "0" => format!("{name}=*"),
            _ => format!("{name}={value}"),
        })
        .collect();
    format!("{path}?{}", query.join("&"))
}

const PODS_LIST: &str = "/api/v1/pods?fieldSelector=spec.nodeName=node-a&resourceVersion=0&resourceVersionMatch=NotOlderThan";
const PODS_WATCH: &str = "/api/v1/pods?fieldSelector=spec.nodeName=node-a&watch=true&resourceVersion=*&allowWatchBookmarks=true&timeoutSeconds=*";
const NODES_LIST: &str = "/api/v1/nodes?fieldSelector=metadata.name=node-a&resourceVersion=0&resourceVersionMatch=NotOlderThan";
const NODES_WATCH: &str = "/api/v1/nodes?fieldSelector=metadata.name=node-a&watch=true&resourceVersion=*&allowWatchBookmarks=true&timeoutSeconds=*";
const WATCH: &str = "watch=true&resourceVersion=*&allowWatchBookmarks=true&timeoutSeconds=*";

/// Each query asks for what it needs and nothing else; own Pods are always watched.
#[tokio::test(start_paused = true)]
async fn watches_follow_the_questions() {
    let services = ["/api/v1/services?limit=500", "/api/v1/services?limit=500&continue=*"];
    let slices = "/apis/discovery.k8s.io/v1/endpointslices";
    let cases: [(&str, Vec<String>); 7] = [
        ("pod", vec![]),
        ("pod?selector.pod.label=app%3Dweb&namespace=shop", vec![]),
        ("node", vec![NODES_LIST.to_owned(), NODES_WATCH.to_owned()]),
        (
            "endpointslice",
            vec![
                services[0].to_owned(),
                services[1].to_owned(),
                format!("/api/v1/services?{WATCH}"),
                format!("{slices}?limit=500"),
                format!("{slices}?{WATCH}"),
            ],
        ),
        (
            "endpoints",
            vec![
                services[0].to_owned(),
                services[1].to_owned(),
                format!("/api/v1/services?{WATCH}"),
                "/api/v1/endpoints?limit=500".to_owned(),
                format!("/api/v1/endpoints?{WATCH}"),
            ],
        ),
        (
            "pod?attach=namespace",
            vec!["/api/v1/namespaces?limit=500".to_owned(), format!("/api/v1/namespaces?{WATCH}")],
        ),
        // One read for 60 Pods of one ReplicaSet, and no watch.
        (
            "pod?attach=deployment",
            vec!["/apis/apps/v1/namespaces/shop/replicasets/web-1?".to_owned()],
        ),
    ];
    for (query, mut expected) in cases {
        let simulator = world::cluster();
        let asked = Asked::start(&simulator, NODE, Timing::alone());
        asked.ask(query, PATIENCE).await.expect(query);
        sleep(Duration::from_millis(1)).await; // the watch that follows the last list
        expected.extend([PODS_LIST.to_owned(), PODS_WATCH.to_owned()]);
        expected.sort();
        assert_eq!(asked_for(&simulator), expected, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn headers_of_requests() {
    let simulator = world::cluster();
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    asked.ask("pod?attach=namespace&attach=deployment", PATIENCE).await.expect("an answer");
    sleep(Duration::from_millis(1)).await;
    for request in simulator.requests() {
        let form = match (request.resource, request.verb) {
            ("namespaces", Verb::List) => ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            ("namespaces" | "replicasets", _) => ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            _ => "",
        };
        assert_eq!(request.header("accept"), format!("application/json{form}"), "{request:?}");
        let encoding = if request.verb == Verb::Watch { "identity" } else { "gzip" };
        assert_eq!(request.header("accept-encoding"), encoding, "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_nobody_needs_is_closed_and_opened_again() {
    let simulator = world::cluster();
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    asked.ask("node", PATIENCE).await.expect("an answer");
    sleep(14 * MINUTE).await;
    assert_eq!(simulator.open_watches(), 2, "own Pods and the own Node");
    sleep(2 * MINUTE).await;
    assert_eq!(simulator.open_watches(), 1, "own Pods");

    // What was known is forgotten, not served old.
    world::put(&simulator, {
        let mut node = world::node(NODE);
        node["metadata"]["labels"]["zone"] = "z2".into();
        node
    });
    let answer = asked.ask("node", PATIENCE).await.expect("an answer");
    assert!(answer.targets().iter().all(|target| target.contains("\"z2\"")));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(simulator.open_watches(), 2);
}

/// Thirty to sixty minutes each, and a resume without a list.
#[tokio::test(start_paused = true)]
async fn a_quiet_day_costs_a_few_dozen_requests() {
    let simulator = world::cluster();
    let asked = Asked::start(&simulator, NODE, Timing::default());
    let _day = async {
        for _ in 0..24 * 12 {
            asked.ask("endpointslice?attach=node", PATIENCE).await.expect("an answer");
            sleep(5 * MINUTE).await;
        }
    }
    .await;
    let lists = simulator.count_requests(|request| request.verb == Verb::List);
    assert_eq!(lists, 5, "one for each kind, and a second page of Services");
    let watches = simulator.count_requests(|request| request.verb == Verb::Watch);
    assert!((4 * 24..=4 * 48 + 4).contains(&watches), "{watches} for four kinds in 24 hours");
}

/// While the API server is away for a short time nothing is known to have expired, so nothing is listed. All nodes
/// lose it at once, and it would come back to the lists of all.
#[tokio::test(start_paused = true)]
async fn an_outage_causes_no_list() {
    for outage in [5, 20, 60, 200] {
        let simulator = world::cluster();
        let asked = Asked::start(&simulator, NODE, Timing::default());
        asked.ask("endpointslice", PATIENCE).await.expect("an answer");
        let lists = || simulator.count_requests(|request| request.verb == Verb::List);
        let before = lists();
        let rule = simulator.fault(On::watch("pods").refuse());
        let other = simulator.fault(On::any().status(503));
        simulator.disconnect();
        sleep(Duration::from_secs(outage)).await;
        simulator.remove_fault(rule);
        simulator.remove_fault(other);
        world::put(&simulator, world::pod("new", NODE, "10.1.0.100"));
        sleep(2 * MINUTE).await;
        assert_eq!(lists(), before, "{outage} s");
        let answer = asked.ask("pod", PATIENCE).await.expect("an answer");
        assert!(answer.targets().iter().any(|target| target.contains("\"new\"")), "{outage} s");
    }
}

/// Whoever can create a Pod chooses the name of its owner: it must not become part of a request, nor
/// hold up the others.
#[tokio::test(start_paused = true)]
async fn a_name_that_no_object_can_have_is_not_asked_for() {
    for name in ["a b", "x?watch=true", "a#b", "../../../../../../api/v1/nodes"] {
        let simulator = world::cluster();
        let mut pod = world::pod("aaa", NODE, "10.1.0.200");
        pod["metadata"]["ownerReferences"][0]["name"] = name.into();
        world::put(&simulator, pod);
        let asked = Asked::start(&simulator, NODE, Timing::alone());
        asked.ask("pod?attach=deployment", PATIENCE).await.expect(name);
        let reads = simulator.count_requests(|request| request.verb == Verb::Get);
        assert_eq!(reads, 1, "{name}");
    }
}

/// What is known is all that there is while the API server cannot be asked again.
#[tokio::test(start_paused = true)]
async fn an_unused_watch_is_not_closed_during_an_outage() {
    let simulator = world::cluster();
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let before = asked.ask("endpointslice", PATIENCE).await.expect("an answer");
    simulator.fault(On::any().refuse());
    simulator.disconnect();
    sleep(60 * MINUTE).await;
    let after = asked.ask("endpointslice", PATIENCE).await.expect("an answer");
    assert!(after == before);
}

/// A load balancer that cuts what is quiet for half a minute never lets a bookmark through. Each list
/// in place of a resume would cost the server a whole type.
#[tokio::test(start_paused = true)]
async fn a_cut_of_quiet_watches_causes_no_list() {
    let simulator = world::cluster();
    let asked = Asked::start(&simulator, NODE, Timing::default());
    asked.ask("endpointslice", PATIENCE).await.expect("an answer");
    let lists = || simulator.count_requests(|request| request.verb == Verb::List);
    let before = lists();
    for _ in 0..60 {
        sleep(Duration::from_secs(30)).await;
        simulator.disconnect();
        asked.ask("endpointslice", PATIENCE).await.expect("an answer");
    }
    assert_eq!(lists(), before);
}

#[tokio::test(start_paused = true)]
async fn an_absent_owner_costs_a_label_and_is_tried_again() {
    let simulator = world::cluster();
    simulator.delete("ReplicaSet", "shop", "web-1");
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let query = "pod?attach=deployment";
    let answer = asked.ask(query, PATIENCE).await.expect("an answer without the label");
    assert!(answer.targets().iter().all(|target| !target.contains("pod_deployment_name")));
    world::put(
        &simulator,
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "web-1", "namespace": "shop", "ownerReferences": [
                {"kind": "Deployment", "name": "web", "uid": "d", "controller": true}]}}),
    );
    sleep(MINUTE).await;
    let answer = asked.ask(query, PATIENCE).await.expect("an answer");
    assert!(answer.targets().iter().all(|target| target.contains("pod_deployment_name")));
    let reads = simulator.count_requests(|request| request.verb == Verb::Get);
    assert_eq!(reads, 2);
}

/// Ready with labels or not at all, at first; later without, rather than not at all.
#[tokio::test(start_paused = true)]
async fn owners_that_cannot_be_read_hold_up_the_first_answer_only() {
    let simulator = world::cluster();
    let rule = simulator.fault(On::get("replicasets").status(403));
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let query = "pod?attach=deployment";
    let reason = asked.ask(query, PATIENCE).await.map(drop).expect_err("not synced");
    assert!(reason.contains("resources: [\"replicasets\"], verbs: [\"get\"]"), "{reason}");
    asked.ask("pod", PATIENCE).await.expect("others are not held up");
    simulator.remove_fault(rule);
    sleep(2 * MINUTE).await;
    asked.ask(query, PATIENCE).await.expect("read by now");

    simulator.fault(On::get("replicasets").status(403));
    let mut pod = world::pod("fresh", NODE, "10.1.0.200");
    pod["metadata"]["ownerReferences"][0]["name"] = "unreadable".into();
    pod["metadata"]["ownerReferences"][0]["uid"] = "unreadable".into();
    world::put(&simulator, pod);
    sleep(Duration::from_millis(1)).await;
    let answer = asked.ask(query, PATIENCE).await.expect("an answer all the same");
    let fresh: Vec<_> =
        answer.targets().into_iter().filter(|target| target.contains("\"fresh\"")).collect();
    assert_eq!(fresh.len(), 1);
    assert!(!fresh[0].contains("pod_deployment_name"), "{fresh:?}");
}

/// Rights may differ from namespace to namespace: one owner that cannot be read is the only one.
#[tokio::test(start_paused = true)]
async fn one_owner_that_cannot_be_read_does_not_hold_up_the_others() {
    let simulator = world::cluster();
    let mut pod = world::pod("aaa", NODE, "10.1.0.200");
    pod["metadata"]["ownerReferences"][0]["name"] = "aaa-forbidden".into(); // the first in order
    world::put(&simulator, pod);
    simulator.fault(On::get("replicasets").times(1).status(403));
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let _ = asked.ask("pod?attach=deployment", PATIENCE).await;
    let requests = simulator.requests();
    let reads: Vec<_> = requests.iter().filter(|request| request.verb == Verb::Get).collect();
    assert!(reads[0].target.ends_with("/aaa-forbidden"), "{}", reads[0].target);
    assert!(!reads[1].target.ends_with("/aaa-forbidden"), "the other comes before it again");
    assert!(reads[1].at - reads[0].at < Duration::from_millis(100), "and at once");
}

/// A normal start is not slowed down by the budget that bounds faults.
#[tokio::test(start_paused = true)]
async fn a_start_reads_many_owners_at_once() {
    let simulator = world::cluster();
    for number in 0..110 {
        let name = format!("solo-{number}");
        let mut pod = world::pod(&name, NODE, &format!("10.2.0.{number}"));
        pod["metadata"]["ownerReferences"][0]["name"] = name.clone().into();
        pod["metadata"]["ownerReferences"][0]["uid"] = name.clone().into();
        world::put(&simulator, pod);
        world::put(
            &simulator,
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": name, "namespace": "shop"}}),
        );
    }
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    asked.ask("pod?attach=deployment", PATIENCE).await.expect("within the caller's patience");
    assert_eq!(simulator.count_requests(|request| request.verb == Verb::Get), 111);
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_named_as_the_rule_to_add() {
    for (resource, query, rule) in [
        ("pods", "pod", "apiGroups: [\"\"], resources: [\"pods\"], verbs: [\"list\", \"watch\"]"),
        (
            "endpointslices",
            "endpointslice",
            "apiGroups: [\"discovery.k8s.io\"], resources: [\"endpointslices\"], verbs: [\"list\", \"watch\"]",
        ),
    ] {
        let simulator = world::cluster();
        simulator.fault(On::resource(resource).status(403));
        let asked = Asked::start(&simulator, NODE, Timing::alone());
        let reason = asked.ask(query, PATIENCE).await.map(drop).expect_err("forbidden");
        assert!(reason.contains(rule), "{reason}");
    }
}

/// Of a token that has expired nothing is lost, and the reason is told.
#[tokio::test(start_paused = true)]
async fn an_expired_token_is_told() {
    let simulator = world::cluster();
    simulator.fault(On::any().status(401));
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let reason = asked.ask("pod", PATIENCE).await.map(drop).expect_err("unauthorized");
    assert!(reason.contains("HTTP 401") && reason.contains("is it expired"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let simulator = world::cluster();
    simulator.fault(On::list("pods").status_retry_after(429, 100));
    let _asked = Asked::start(&simulator, NODE, Timing::alone());
    sleep(100 * MINUTE).await;
    let times: Vec<_> = simulator.requests().iter().map(|request| request.at).collect();
    assert!(times.len() > 10, "{} tries", times.len());
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(100), "{:?}", pair[1] - pair[0]);
    }
}
