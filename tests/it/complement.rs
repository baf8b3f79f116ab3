//! What the complement serves, and what it waits for. In virtual time.

use crate::support::asked::Asked;
use crate::support::http::{eventually, get};
use crate::support::served::{Served, plain};
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::coverage::AgentPods;
use nodelocal_sd::index::{EndpointsFrom, Excluded, Nodes, PodSelector, Share, Snapshot};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::selector::LabelSelector;
use nodelocal_sd::simulator::{self, On, Simulator};
use serde_json::{Value, json};
use std::future::pending;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(5);
const DELAY: Duration = Duration::from_secs(300);

fn pods(labels: &str) -> PodSelector {
    PodSelector { namespace: "shop".into(), labels: LabelSelector::parse(labels).unwrap() }
}

pub(crate) fn agents() -> AgentPods {
    AgentPods { pods: pods("app=agent"), delay: DELAY }
}

/// The complement, told where agents are if there may be nodes without one.
fn first(may_lack_agents: bool, excluded: Excluded) -> Snapshot {
    let nodes = Nodes { endpoints_from: EndpointsFrom::default(), may_lack_agents };
    Snapshot::of(Share::Complement(nodes), EndpointsFrom::Slices, excluded)
}

pub(crate) fn start(simulator: &Simulator, agents: Option<AgentPods>, excluded: Excluded) -> Asked {
    Asked::after(first(agents.is_some(), excluded), agents, simulator, Timing::alone())
}

fn agent(node: &str, ready: &str) -> Value {
    let mut pod = world::pod(&format!("agent-{node}"), node, "");
    pod["metadata"]["labels"] = json!({"app": "agent"});
    pod["status"]["conditions"][0]["status"] = ready.into();
    pod
}

/// A cluster whose nodes have been there for long: new ones are given time.
fn cluster() -> Simulator {
    let simulator = world::cluster();
    for name in [NODE, "node-b"] {
        let mut node = world::node(name);
        node["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z".into();
        world::put(&simulator, node);
    }
    simulator
}

async fn count(asked: &Asked, question: &str) -> usize {
    asked.ask(question, PATIENCE).await.expect("an answer").targets().len()
}

#[tokio::test(start_paused = true)]
async fn without_agents_to_look_for_it_has_what_belongs_to_no_node() {
    let simulator = world::cluster();
    let asked = start(&simulator, None, Excluded::default());
    for (role, expected) in [("pod", 0), ("endpointslice", 0), ("endpoints", 0), ("node", 0)] {
        assert_eq!(count(&asked, role).await, expected, "{role}");
    }
    let mut by_hand = world::slice([]);
    by_hand["metadata"]["name"] = "by-hand".into();
    by_hand["metadata"]["labels"] = json!({"kubernetes.io/service-name": "web"});
    by_hand["endpoints"] = json!([
        {"addresses": ["192.0.2.1"]},
        {"addresses": ["192.0.2.2"], "nodeName": NODE}, // nodes do not look beside a Service with a selector
    ]);
    world::put(&simulator, by_hand);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(count(&asked, "endpointslice").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_an_agent_is_its_own() {
    let simulator = cluster();
    world::put(&simulator, agent(NODE, "True"));
    let asked = start(&simulator, Some(agents()), Excluded::default());
    // On the other node there is one Pod, and no agent.
    let expected = [("pod", 1), ("node", 1)];
    for (role, expected) in expected {
        assert_eq!(count(&asked, role).await, expected, "{role}");
    }

    simulator.delete("Pod", "shop", &format!("agent-{NODE}"));
    sleep(DELAY - Duration::from_secs(10)).await;
    assert_eq!(count(&asked, "pod").await, 1, "it may come back");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(count(&asked, "pod").await, 1 + PODS);
    assert_eq!(count(&asked, "endpointslice").await, PODS);
    assert_eq!(count(&asked, "endpoints").await, PODS);
    let (_, metrics) = crate::admin::ask(&asked.admin(None), "/metrics").await;
    assert!(metrics.contains("\nnodelocal_sd_nodes_without_agent{} 2.0\n"), "{metrics}");

    world::put(&simulator, agent(NODE, "True"));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(count(&asked, "pod").await, 1);
}

/// Its targets must not be here for a moment and then there.
#[tokio::test(start_paused = true)]
async fn a_new_node_is_given_time_from_its_first_moment() {
    let simulator = cluster();
    world::put(&simulator, agent(NODE, "True"));
    let asked = start(&simulator, Some(agents()), Excluded::default());
    assert_eq!(count(&asked, "node").await, 1, "that of the other node");
    let mut new = world::node("node-new");
    new["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z".into();
    world::put(&simulator, new);
    world::put(&simulator, world::pod("on-the-new", "node-new", "10.3.0.1"));
    // It has not been looked at: looks are a second apart.
    sleep(Duration::from_millis(10)).await;
    assert_eq!(count(&asked, "node").await, 1);
    assert_eq!(count(&asked, "pod").await, 1);
}

/// Or each start would take all targets of all nodes for a moment.
#[tokio::test(start_paused = true)]
async fn nothing_is_served_before_it_is_known_where_agents_are() {
    let simulator = cluster();
    let broken = simulator.fault(On::list("nodes").status(503));
    let asked = start(&simulator, Some(agents()), Excluded::default());
    assert!(asked.ask("pod", PATIENCE).await.is_err());
    simulator.remove_fault(broken);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(count(&asked, "pod").await, PODS + 1);
}

#[tokio::test(start_paused = true)]
async fn what_nodes_leave_to_it() {
    let simulator = world::cluster();
    let excluded = || Excluded::from_iter([pods("app=web")]);
    let asked = start(&simulator, None, excluded());
    let first = Snapshot::of(NODE, EndpointsFrom::default(), excluded());
    let node = Asked::after(first, None, &simulator, Timing::alone());
    // The other Pod is on another node, and excluded, too.
    for (role, there, here) in [("pod", PODS + 1, 0), ("endpointslice", PODS, 0)] {
        assert_eq!(count(&asked, role).await, there, "{role}");
        assert_eq!(count(&node, role).await, here, "{role}");
    }
}

#[tokio::test(start_paused = true)]
async fn owners_are_read_for_its_own_pods_only() {
    let simulator = cluster();
    world::put(&simulator, agent(NODE, "True"));
    world::put(&simulator, agent("node-b", "True"));
    let asked = start(&simulator, Some(agents()), Excluded::default());
    assert_eq!(count(&asked, "pod?attach=deployment").await, 0);
    assert_eq!(simulator.count_requests(|request| request.resource == "replicasets"), 0);
}

#[tokio::test]
async fn debug_pages_name_no_node() {
    let simulator = world::cluster();
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", api.local_addr().unwrap());
    let _serving = tokio::spawn(simulator::serve(simulator.clone(), api, pending()));
    let served = Served::after(first(false, Excluded::default()), None, &plain(&url)).await;
    let page = eventually("an answer", async || {
        get(&format!("{}/debug/targets?role=pod", served.url)).await
    })
    .await;
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((&page["node"], &page["targets"]), (&Value::Null, &json!([])));
}
