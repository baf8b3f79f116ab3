//! The agent's whole Pod: `prometheus --agent` with the sidecar beside it, against one that discovers by
//! itself at best, by the number of jobs.

use crate::agent::{Agent, Kind, NO_SCRAPES};
use crate::changes;
use crate::cluster::Cluster;
use crate::job::{Job, targets};
use crate::objects::Size;
use crate::server::Server;
use std::time::Duration;

/// Until a Pod that has its targets is taken to be at rest.
const SETTLES: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(60);
/// Until what a change brings has come.
const ARRIVES: Duration = Duration::from_secs(8);

const JOBS: [usize; 3] = [1, 50, 500];

pub(crate) async fn measure(size: Size) {
    println!(
        "| jobs | targets | agent | watches | connections | CPU at start, s | peak MiB | settled MiB \
         | CPU in an idle minute, s | CPU per 1,000 changes, s |\n|--|--|--|--|--|--|--|--|--|--|"
    );
    let cluster = Cluster::start(size).await;
    let server = Server::of(&cluster).await;
    let watches = server.watches().await;
    for jobs in JOBS.map(Job::several) {
        for (kind, ready) in [(Kind::Pods, false), (Kind::OwnPods, true)] {
            server.has_watches(watches).await; // those of the one before have ended
            row(&cluster, &server, kind, &jobs, ready).await;
        }
    }
}

async fn row(cluster: &Cluster, server: &Server, kind: Kind, jobs: &[Job], ready: bool) {
    let others = server.watches().await;
    let mut agent = Agent::whole_pod(cluster, kind, jobs, NO_SCRAPES).await;
    let targets = targets(jobs, cluster.size);
    agent.has(targets).await;
    tokio::time::sleep(SETTLES).await;
    let start = agent.usage();
    let watches = server.watches().await - others;
    tokio::time::sleep(IDLE).await;
    let idle = agent.usage();
    changes::make(cluster, ready).await;
    tokio::time::sleep(ARRIVES).await;
    let end = agent.usage();
    println!(
        "| {} | {targets} | {kind} | {watches} | {} | {:.2} | {:.0} | {:.0} | {:.2} | {:.2} |",
        jobs.len(),
        agent.proxy.connections(),
        start.cpu,
        end.peak,
        idle.resident,
        idle.cpu - start.cpu,
        end.cpu - idle.cpu,
    );
}
