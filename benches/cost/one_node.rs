//! The agent of one node, in clusters of several sizes.

use crate::agent::{Agent, Kind};
use crate::changes;
use crate::cluster::Cluster;
use crate::job::{Job, targets};
use crate::objects::Size;
use crate::server::Server;
use std::time::Duration;

/// Until an agent that has its targets is taken to be at rest; a Go process gives memory back slowly.
const SETTLES: Duration = Duration::from_secs(20);
/// Until what a change brings has come.
const ARRIVES: Duration = Duration::from_secs(8);

const KINDS: [Kind; 6] = [
    Kind::Pods,
    Kind::Slices,
    Kind::Kubernetes,
    Kind::OwnPods,
    Kind::KubernetesPlain,
    Kind::OwnPodsPlain,
];

pub(crate) async fn measure(sizes: &[Size]) {
    println!(
        "| nodes | agent | received at start, MB | requests | watches | connections | CPU at start, s \
         | peak MiB | settled MiB | received per 1,000 changes, MB | CPU per 1,000 changes, s |\n\
         |--|--|--|--|--|--|--|--|--|--|--|"
    );
    for size in sizes {
        let cluster = Cluster::start(*size).await;
        let server = Server::of(&cluster).await;
        let watches = server.watches().await;
        for (number, kind) in KINDS.into_iter().enumerate() {
            server.has_watches(watches).await; // those of the one before have ended
            // An even number of rounds leaves all Pods ready again.
            row(&cluster, &server, kind, number % 2 == 1).await;
        }
    }
}

async fn row(cluster: &Cluster, server: &Server, kind: Kind, ready: bool) {
    let watches = server.watches().await;
    let mut agent = Agent::discovery(cluster, kind).await;
    agent.has(targets(&[Job::Everything], cluster.size)).await;
    tokio::time::sleep(SETTLES).await;
    let (start, received) = (agent.usage(), agent.proxy.received());
    let watches = server.watches().await - watches;
    let (connections, requests) = (agent.proxy.connections(), agent.requests().await);

    let before = agent.usage().cpu; // to show its metrics has cost it something
    changes::make(cluster, ready).await;
    tokio::time::sleep(ARRIVES).await;
    let end = agent.usage();
    println!(
        "| {} | {kind} | {:.3} | {requests} | {watches} | {connections} | {:.2} | {:.1} | {:.1} | {:.4} | {:.2} |",
        cluster.size.nodes,
        megabytes(received),
        start.cpu,
        end.peak,
        start.resident,
        megabytes(agent.proxy.received() - received),
        end.cpu - before,
    );
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
