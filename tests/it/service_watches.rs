//! Where Services are watched: as far as the questions reach. In virtual time.

use crate::support::asked::Asked;
use crate::support::world::{self, NODE};
use nodelocal_sd::demand::UNUSED_AFTER;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::objects::{Reach, Resource};
use nodelocal_sd::simulator::{On, Simulator};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(5);
const MOMENT: Duration = Duration::from_millis(1);
const NAMESPACES: [&str; 4] = ["a", "b", "c", "d"];

/// A cluster with one Service in each namespace, and one Pod of it on the node.
fn cluster() -> Simulator {
    let simulator = world::cluster();
    for (number, namespace) in NAMESPACES.into_iter().enumerate() {
        for object in [service(namespace), pod(namespace, number)] {
            world::put(&simulator, object);
        }
    }
    simulator
}

fn service(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": namespace},
        "spec": {"selector": {"app": "s"}, "ports": [{"port": 80}]}})
}

fn pod(namespace: &str, number: usize) -> Value {
    let ip = format!("192.0.2.{number}");
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": namespace, "labels": {"app": "s"}},
        "spec": {"nodeName": NODE, "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}

fn start(simulator: &Simulator, timing: Timing) -> Asked {
    Asked::start_from(EndpointsFrom::default(), simulator, NODE, timing)
}

/// How many targets those namespaces have.
async fn targets(asked: &Asked, namespaces: &[&str]) -> usize {
    let names: Vec<_> = namespaces.iter().map(|name| format!("namespace={name}")).collect();
    let question = format!("endpointslice?{}", names.join("&"));
    asked.ask(&question, PATIENCE).await.expect("an answer").targets().len()
}

/// Where Services are watched now.
fn watched(asked: &Asked) -> Vec<String> {
    let entries = asked.board().entries().into_iter();
    let open: BTreeSet<Reach> = entries
        .filter(|(resource, ..)| *resource == Resource::Services)
        .filter(|(.., entry)| !entry.view().resource_version.is_empty())
        .map(|(_, reach, _)| reach)
        .collect();
    open.iter().map(|reach| reach.namespace().unwrap_or("*").to_owned()).collect()
}

/// How often Services were listed, and where.
fn listed(simulator: &Simulator) -> Vec<String> {
    let lists = simulator
        .requests()
        .into_iter()
        .filter(|request| request.resource == "services" && !request.target.contains("watch=true"));
    let first_pages = lists.filter(|request| !request.target.contains("continue="));
    first_pages.map(|r| r.target.split('?').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn up_to_three_namespaces_are_watched_one_by_one() {
    let simulator = cluster();
    let asked = start(&simulator, Timing::alone());
    for (count, expected) in [(1, vec!["a"]), (2, vec!["a", "b"]), (3, vec!["a", "b", "c"])] {
        assert_eq!(targets(&asked, &NAMESPACES[count - 1..count]).await, 1, "{count}");
        sleep(MOMENT).await;
        assert_eq!(watched(&asked), expected);
    }
    assert_eq!(listed(&simulator).len(), 3);

    assert_eq!(targets(&asked, &["d"]).await, 1);
    sleep(MOMENT).await;
    assert_eq!(watched(&asked), ["*"], "a fourth one is too many");
    assert_eq!(targets(&asked, &NAMESPACES).await, 4);
    assert_eq!(targets(&asked, &["a"]).await, 1);
    assert_eq!(watched(&asked), ["*"], "and stays so");
    assert_eq!(listed(&simulator).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn to_look_on_widens_nothing() {
    let simulator = cluster();
    let asked = start(&simulator, Timing::alone());
    assert_eq!(targets(&asked, &["a"]).await, 1);
    let (_, metrics) = crate::admin::ask(&asked.admin(None), "/metrics").await;
    let sample = "nodelocal_sd_targets{role=\"endpointslice\"} 1.0";
    assert!(metrics.lines().any(|line| line == sample), "{metrics}");
    assert_eq!(watched(&asked), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_answered_while_the_cluster_is_listed() {
    let simulator = cluster();
    let asked = start(&simulator, Timing::alone());
    assert_eq!(targets(&asked, &["a", "b", "c"]).await, 3);
    let down = simulator.fault(On::list("services").status(503));
    let unanswered = asked.ask("endpointslice?namespace=d", PATIENCE).await;
    assert!(unanswered.is_err(), "its Services are not known");
    assert_eq!(targets(&asked, &["a", "b", "c"]).await, 3);
    simulator.remove_fault(down);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(targets(&asked, &["d"]).await, 1);
}

#[tokio::test(start_paused = true)]
async fn questions_that_come_together_cost_one_list() {
    let simulator = cluster();
    let asked =
        start(&simulator, Timing { questions: Duration::from_millis(500), ..Timing::alone() });
    let each = NAMESPACES.map(|name| [name]);
    let [a, b, c, d] = each.each_ref().map(|name| targets(&asked, name));
    assert_eq!(tokio::join!(a, b, c, d), (1, 1, 1, 1));
    assert_eq!(listed(&simulator), ["/api/v1/services"]);
}

/// Or an agent that asks for its jobs one after the other would lose the targets of the later ones.
#[tokio::test(start_paused = true)]
async fn the_first_answer_about_a_namespace_has_its_hand_made_slices() {
    let simulator = cluster();
    let mut by_hand = service("b");
    by_hand["metadata"]["name"] = "by-hand".into();
    by_hand["spec"]["selector"] = Value::Null;
    world::put(&simulator, by_hand);
    world::put(
        &simulator,
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "by-hand", "namespace": "b",
                "labels": {"kubernetes.io/service-name": "by-hand"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["192.0.2.99"], "nodeName": NODE}]}),
    );
    simulator.fault(On::list("endpointslices").delay(Duration::from_secs(1)));
    let asked = start(&simulator, Timing { open_jitter: PATIENCE * 10, ..Timing::alone() });
    assert_eq!(targets(&asked, &["a"]).await, 1);
    assert_eq!(targets(&asked, &["b"]).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_pause_makes_the_next_watches_as_few_as_the_next_questions() {
    let simulator = cluster();
    let asked = start(&simulator, Timing::alone());
    assert_eq!(targets(&asked, &NAMESPACES).await, 4);
    sleep(UNUSED_AFTER + Duration::from_secs(60)).await;
    assert_eq!(watched(&asked), [""; 0]);
    assert_eq!(targets(&asked, &["b"]).await, 1);
    sleep(MOMENT).await;
    assert_eq!(watched(&asked), ["b"]);
}
