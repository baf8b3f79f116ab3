//! As whom Pods and the own Node are read, and what happens when the API server changes its mind. In virtual time.

use crate::support::asked::{Asked, client, first};
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::index::{EndpointsFrom, Excluded, Nodes, Share, Snapshot};
use nodelocal_sd::kube::{ApiServer, Impersonation, Timing};
use nodelocal_sd::objects::Resource;
use nodelocal_sd::simulator::{On, Simulator, Verb};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const QUERY: &str = "pod?attach=node&attach=namespace&attach=deployment";
const PATIENCE: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

fn start(impersonation: Impersonation, simulator: &Simulator) -> Asked {
    let server = ApiServer { client: client(simulator), impersonation };
    Asked::asking(first(NODE, EndpointsFrom::default()), None, server, Timing::alone())
}

/// As whom each resource was read since that request: those with the header, and those without.
fn read_as(simulator: &Simulator, first: usize) -> [BTreeSet<&'static str>; 2] {
    let requests = simulator.requests();
    let of = |node: bool| {
        let user = |of: &http::HeaderMap| of.get("impersonate-user").cloned();
        let requests = requests[first..].iter();
        let such = requests.filter(|request| user(&request.headers).is_some() == node);
        such.inspect(|request| {
            let user = user(&request.headers);
            assert!(user.is_none_or(|user| user == format!("system:node:{NODE}")));
            let others =
                request.headers.keys().filter(|name| name.as_str().starts_with("impersonate-"));
            assert_eq!(others.count(), usize::from(node), "no other header of impersonation");
        })
        .map(|request| request.resource)
        .filter(|resource| !resource.is_empty())
        .collect()
    };
    [of(true), of(false)]
}

#[tokio::test(start_paused = true)]
async fn only_pods_and_the_own_node_are_read_as_the_node() {
    let own = BTreeSet::from(["nodes", "pods"]);
    let others = BTreeSet::from(["namespaces", "replicasets"]);
    let all: BTreeSet<&str> = own.union(&others).copied().collect();
    for (impersonation, expected) in [
        (Impersonation::Auto, [own.clone(), others.clone()]),
        (Impersonation::On, [own, others]),
        (Impersonation::Off, [BTreeSet::new(), all]),
    ] {
        let simulator = world::cluster();
        let asked = start(impersonation, &simulator);
        let targets = asked.ask(QUERY, PATIENCE).await.unwrap().targets();
        assert_eq!(targets.len(), PODS);
        sleep(PATIENCE).await; // the watches
        assert_eq!(read_as(&simulator, 0), expected, "{impersonation:?}");
        let view = asked.board().of(Resource::Pods).view();
        let expected = Some(impersonation != Impersonation::Off);
        assert_eq!(view.impersonating, expected, "{impersonation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_complement_is_no_node() {
    let simulator = world::cluster();
    let nodes = Nodes { endpoints_from: EndpointsFrom::default(), may_lack_agents: false };
    let first = Snapshot::of(Share::Complement(nodes), EndpointsFrom::Slices, Excluded::default());
    let server = ApiServer { client: client(&simulator), impersonation: Impersonation::On };
    let asked = Asked::asking(first, None, server, Timing::alone());
    asked.ask("pod?attach=node", PATIENCE).await.unwrap();
    let [as_node, _] = read_as(&simulator, 0);
    assert_eq!(as_node, BTreeSet::new());
}

/// `auto` goes over to what is allowed, in either direction, and loses nothing on the way.
#[tokio::test(start_paused = true)]
async fn auto_follows_the_rights() {
    let simulator = world::cluster();
    let mut rule = simulator.fault(On::any().impersonating(true).status(403));
    let asked = start(Impersonation::Auto, &simulator);
    let first = asked.ask(QUERY, PATIENCE).await.unwrap().targets();
    assert_eq!(first.len(), PODS, "at once, though each is refused first");
    for is_node_refused in [true, false, true] {
        simulator.remove_fault(rule);
        let refused = On::any().impersonating(is_node_refused);
        rule = simulator.fault(if is_node_refused {
            refused.status(403)
        } else {
            // The account has kept its rights on everything else.
            refused.verb(Verb::Watch).status(403)
        });
        simulator.disconnect();
        sleep(3 * MINUTE).await; // until a bookmark has said that all is well
        for resource in [Resource::Pods, Resource::Nodes] {
            let view = asked.board().of(resource).view();
            assert_eq!(view.impersonating, Some(!is_node_refused), "{resource}");
            assert_eq!(view.trouble, None, "{resource}");
        }
        assert_eq!(asked.ask(QUERY, PATIENCE).await.unwrap().targets(), first);
    }
}

/// The first refusal says how to ask, and costs nothing of what a start may need.
#[tokio::test(start_paused = true)]
async fn falling_back_is_no_failure() {
    let simulator = world::cluster();
    for number in 0..PODS {
        let mut pod = world::pod(&world::pod_name(number), NODE, &format!("10.1.0.{number}"));
        pod["metadata"]["ownerReferences"][0]["name"] = format!("own-{number}").into();
        world::put(&simulator, pod);
    }
    simulator.fault(On::any().impersonating(true).status(403));
    let asked = start(Impersonation::Auto, &simulator);
    asked.ask(QUERY, PATIENCE).await.expect("60 owners are read at once");
}

/// Neither way: the requests stay bounded, and what was known is served.
#[tokio::test(start_paused = true)]
async fn both_refused() {
    for impersonation in [Impersonation::Auto, Impersonation::On] {
        let simulator = world::cluster();
        let asked = start(impersonation, &simulator);
        let before = asked.ask(QUERY, PATIENCE).await.unwrap().targets();
        let first = simulator.requests().len();
        let rules = ["pods", "nodes"].map(|of| simulator.fault(On::resource(of).status(403)));
        simulator.compact();
        simulator.disconnect();
        let began = Instant::now();
        sleep(10 * MINUTE).await;
        let asked_for = simulator.requests().len() - first;
        assert!(asked_for < 100, "{impersonation:?}: {asked_for} requests");
        assert_eq!(asked.ask(QUERY, PATIENCE).await.unwrap().targets(), before);
        let trouble = asked.board().of(Resource::Pods).view().trouble.expect("it is in trouble");
        let [as_node, as_account] = read_as(&simulator, first);
        let says = match impersonation {
            Impersonation::On => {
                assert!(!as_account.contains("pods"), "`on` never falls back");
                ["impersonate:associated-node", "impersonate-on:associated-node:list"]
            }
            _ => {
                assert!(as_account.contains("pods") && as_node.contains("pods"));
                ["resources: [\"pods\"], verbs: [\"list\", \"watch\"]", "as the own node: HTTP 403"]
            }
        };
        for part in says {
            assert!(trouble.message.contains(part), "{impersonation:?}: {}", trouble.message);
        }
        rules.into_iter().for_each(|rule| simulator.remove_fault(rule));
        sleep(3 * MINUTE).await; // a wait after a refusal, and a bookmark
        let view = asked.board().of(Resource::Pods).view();
        assert_eq!(view.trouble, None, "{impersonation:?}, {:?} later", began.elapsed());
        assert_eq!(view.impersonating, Some(true), "a refusal of both changes nothing");
    }
}
