//! How long a node is not scraped while its agent's Pod is replaced, without what Kubernetes adds: pulling
//! images, and the moments between containers.

use crate::agent::{Agent, Kind};
use crate::cluster::Cluster;
use crate::job::{Job, targets};
use crate::objects::Size;
use tokio::time::Instant;

/// The default of prometheus-operator.
const INTERVAL: &str = "30s";

const JOBS: [usize; 2] = [50, 500];

pub(crate) async fn measure(size: Size) {
    println!(
        "| jobs | targets | the old Pod ends, s | the new one knows its targets, s | has scraped each, s |\n\
         |--|--|--|--|--|"
    );
    let cluster = Cluster::start(size).await;
    for jobs in JOBS.map(Job::several) {
        let targets = targets(&jobs, cluster.size);
        let mut old = Agent::whole_pod(&cluster, Kind::Pods, &jobs, INTERVAL).await;
        old.has_scraped(targets).await;
        let begun = Instant::now();
        old.end();
        let ended = begun.elapsed();
        let mut new = Agent::whole_pod(&cluster, Kind::Pods, &jobs, INTERVAL).await;
        new.has(targets).await;
        let known = begun.elapsed();
        new.has_scraped(targets).await;
        println!(
            "| {} | {targets} | {:.1} | {:.1} | {:.1} |",
            jobs.len(),
            ended.as_secs_f64(),
            known.as_secs_f64(),
            begun.elapsed().as_secs_f64(),
        );
    }
}
