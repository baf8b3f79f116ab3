//! What cannot be known here, and what it costs to ask. In virtual time.

use super::cluster::cluster;
use crate::support::asked::{Asked, client, first};
use crate::support::world::NODE;
use nodelocal_sd::explain::{Explanation, Outcome, Verdict};
use nodelocal_sd::index::{EndpointsFrom, Excluded, Nodes, Share, Snapshot};
use nodelocal_sd::kube::{ApiServer, Impersonation, Timing};
use nodelocal_sd::simulator::{On, Simulator};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(5);
/// Between two reads of Pods of other nodes.
const PAUSE: Duration = Duration::from_secs(2);
/// For how long one is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);

fn start(simulator: &Simulator, impersonation: Impersonation) -> Asked {
    let server = ApiServer { client: client(simulator), impersonation };
    Asked::asking(first(NODE, EndpointsFrom::default()), None, server, Timing::alone())
}

/// The verdict, and what the decisive step says.
fn decisive(explanation: &Explanation) -> (Verdict, String) {
    let chains = explanation.chains.iter().flat_map(|chain| &chain.steps);
    let mut steps = explanation.steps.iter().chain(chains);
    let step = steps.find(|step| step.outcome != Outcome::Passed).expect("one");
    let hint = step.hint.as_deref().unwrap_or_default();
    (explanation.verdict, format!("{}: {}: {hint}", step.what, step.why))
}

/// Requests for one Pod by its name.
fn reads(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    requests
        .iter()
        .filter(|request| request.resource == "pods" && request.target.contains("metadata.name%3D"))
        .count()
}

#[tokio::test(start_paused = true)]
async fn nobody_can_make_it_ask_often() {
    let simulator = cluster();
    let asked = start(&simulator, Impersonation::Off);
    let on_b = (Verdict::NotTarget, "the Pod is on node node-b");
    let explain = async |pod: &str| decisive(&asked.explain(pod, PATIENCE).await);
    let (verdict, why) = explain("pod=shop/elsewhere").await;
    assert!(verdict == on_b.0 && why.contains(on_b.1), "{why}");
    // The same Pod is remembered, and another one waits for its turn.
    let asked_at = Instant::now();
    for _ in 0..100 {
        assert!(explain("pod=shop/elsewhere").await.1.contains(on_b.1));
        assert!(explain("pod=shop/nope").await.1.contains("there is no such Pod"));
    }
    assert_eq!((reads(&simulator), asked_at.elapsed()), (2, PAUSE));
    sleep(REMEMBERED).await;
    assert!(explain("pod=shop/elsewhere").await.1.contains(on_b.1));
    assert_eq!(reads(&simulator), 3);

    // Of many at once, those have no answer that nobody can wait for.
    let pods: Vec<String> = (0..30).map(|number| format!("pod=shop/many-{number}")).collect();
    let all = futures_util::future::join_all(pods.iter().map(|pod| explain(pod))).await;
    let told = |what: &str| all.iter().filter(|(_, why)| why.contains(what)).count();
    assert_eq!(told("there is no such Pod"), 2);
    assert!(told("many ask") > 10 && told("did not answer in time") > 3, "{all:?}");
    assert_eq!(reads(&simulator), 5);

    // An hour of questions about ever new Pods leaves the budget to the watches.
    let before = simulator.requests().len();
    for number in 0..1800 {
        explain(&format!("pod=shop/new-{number}")).await;
        sleep(PAUSE).await;
    }
    let made = simulator.requests().len() - before;
    assert!((1000..=1400).contains(&made), "{made} requests");
}

#[tokio::test(start_paused = true)]
async fn where_it_is_may_not_be_known() {
    for (impersonation, code, expected) in [
        (
            Impersonation::Off,
            403,
            "missing RBAC rule: apiGroups: [\"\"], resources: [\"pods\"], verbs: [\"list\"]",
        ),
        (Impersonation::Off, 500, "could not be read: HTTP 500"),
        (Impersonation::Auto, 403, "may read the Pods of its own node only"),
        (Impersonation::On, 403, "may read the Pods of its own node only"),
    ] {
        let simulator = cluster();
        let asked = start(&simulator, impersonation);
        asked.ask("pod", PATIENCE).await.unwrap();
        simulator.fault(On::list("pods").impersonating(false).status(code));
        let (verdict, why) = decisive(&asked.explain("pod=shop/elsewhere", PATIENCE).await);
        assert_eq!(verdict, Verdict::NotTarget);
        assert!(why.contains("the Pod is not on this node") && why.contains(expected), "{why}");
        assert_eq!(reads(&simulator), usize::from(impersonation != Impersonation::On));
    }
}

/// While Pods cannot be watched, one that is not known may be here all the same.
#[tokio::test(start_paused = true)]
async fn what_an_outage_hides_is_not_known() {
    let simulator = cluster();
    let asked = start(&simulator, Impersonation::Off);
    asked.ask("pod", PATIENCE).await.unwrap();
    let outage = simulator.fault(On::resource("pods").status(503));
    simulator.disconnect();
    sleep(Duration::from_secs(5)).await;
    let (verdict, why) = decisive(&asked.explain("pod=shop/nope", PATIENCE).await);
    assert_eq!(verdict, Verdict::Unknown, "{why}");
    for part in [
        "Pods cannot be watched since 2",
        "watch pods for node node-a: HTTP 503",
        "whether shop/nope is on this node is not known",
        "it could not be read by its name either: HTTP 503",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    // Nor do many ask when the watches need all requests that may be made.
    sleep(Duration::from_secs(120)).await;
    for number in 0..20 {
        let (verdict, why) =
            decisive(&asked.explain(&format!("pod=shop/new-{number}"), PATIENCE).await);
        assert_eq!(verdict, Verdict::Unknown, "{why}");
        assert!(!why.contains("many ask") && why.contains("Pods cannot be watched"), "{why}");
    }
    // What is known stays known.
    assert_eq!(asked.explain("pod=shop/web-1", PATIENCE).await.verdict, Verdict::Target);
    simulator.remove_fault(outage);
    sleep(Duration::from_secs(600)).await;
    let (verdict, why) = decisive(&asked.explain("pod=shop/nope", PATIENCE).await);
    assert!(verdict == Verdict::NotTarget && why.contains("there is no such Pod"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_synced_is_not_known() {
    for (resource, asked, what, expected) in [
        (
            "pods",
            "pod=shop/web-1",
            "the Pods are known",
            "resources: [\"pods\"], verbs: [\"list\", \"watch\"]",
        ),
        (
            "services",
            "pod=shop/web-1&role=endpointslice",
            "what the query needs",
            "resources: [\"services\"], verbs: [\"list\", \"watch\"]",
        ),
        (
            "nodes",
            "pod=shop/web-1&role=pod&attach=node",
            "what the query needs",
            "resources: [\"nodes\"], verbs: [\"list\", \"watch\"]",
        ),
    ] {
        let simulator = cluster();
        let rule = simulator.fault(On::list(resource).status(403));
        let sidecar = start(&simulator, Impersonation::Off);
        let (verdict, why) = decisive(&sidecar.explain(asked, PATIENCE).await);
        assert_eq!(verdict, Verdict::Unknown, "{why}");
        for part in [what, "not synced yet", expected, "ClusterRole"] {
            assert!(why.contains(part), "{part}: {why}");
        }
        simulator.remove_fault(rule);
        sleep(Duration::from_secs(600)).await;
        let explanation = sidecar.explain(asked, PATIENCE).await;
        assert_eq!(explanation.verdict, Verdict::Target, "{explanation:?}");
    }
    let simulator = cluster();
    simulator.fault(On::list("services").hang());
    let sidecar = start(&simulator, Impersonation::Off);
    let asked = "pod=shop/web-1&role=endpoints";
    let (verdict, why) = decisive(&sidecar.explain(asked, PATIENCE).await);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(why.contains("services: the first list is still under way"), "{why}");
    // What does not depend on them is known.
    let elsewhere = sidecar.explain("pod=shop/web-1&role=endpoints&namespace=x", PATIENCE).await;
    assert_eq!(elsewhere.verdict, Verdict::NotTarget, "{elsewhere:?}");
}

/// The complement knows all Pods, and says who has them.
#[tokio::test(start_paused = true)]
async fn the_complement_has_what_the_nodes_leave() {
    let simulator = cluster();
    let nodes = Nodes { endpoints_from: EndpointsFrom::default(), may_lack_agents: false };
    let first = Snapshot::of(Share::Complement(nodes), EndpointsFrom::Slices, Excluded::default());
    let asked = Asked::after(first, None, &simulator, Timing::alone());
    for (pod, verdict, expected) in [
        ("pod=shop/web-1&role=pod", Verdict::NotTarget, "node node-a has an agent"),
        ("pod=shop/nope", Verdict::NotTarget, "there is no such Pod"),
    ] {
        let explanation = asked.explain(pod, PATIENCE).await;
        let (said, why) = decisive(&explanation);
        assert!(said == verdict && why.contains(expected), "{pod}: {why}");
    }
    simulator.fault(On::resource("pods").status(503));
    simulator.disconnect();
    sleep(Duration::from_secs(5)).await;
    let (verdict, why) = decisive(&asked.explain("pod=shop/nope", PATIENCE).await);
    assert_eq!(verdict, Verdict::Unknown, "{why}");
    assert!(why.contains("whether shop/nope exists is not known"), "{why}");
    assert_eq!(reads(&simulator), 0, "it knows all Pods");
}
