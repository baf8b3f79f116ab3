//! Many sidecars on one API server, measured at the server: at rest, through a rollout, and through a
//! restart of the server.

use crate::changes::at_a_rate;
use crate::clients;
use crate::cluster::Cluster;
use crate::objects::{Pod, Size};
use crate::process::Process;
use crate::server::{Server, Watched};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The clients are spread over so many processes.
const PROCESSES: usize = 4;

/// How many Pods a rollout replaces, and how long after each other.
const REPLACED: usize = 1_000;
const EVERY: Duration = Duration::from_millis(50);

const REST: Duration = Duration::from_secs(60);
/// How long a fleet may take to come, or to come back.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Between two looks whether the fleet is there.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

pub(crate) async fn measure(size: Size, clients: usize) {
    let cluster = Cluster::start(size).await;
    let server = Server::of(&cluster).await;
    println!(
        "{clients} sidecars, {} nodes\n\n| phase | seconds | CPU of the API server, s | its memory, MiB \
         | connections | watches | lists | watches ended | answers 429 | most seats taken |\n\
         |--|--|--|--|--|--|--|--|--|--|",
        size.nodes
    );
    phase(&cluster, &server, "without them", sleep(REST)).await;

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = cluster.kubeconfig(folder.path(), &cluster.plane.url);
    let parts =
        (0..PROCESSES).map(|part| clients * part / PROCESSES..clients * (part + 1) / PROCESSES);
    let mut started: Vec<(Process, PathBuf)> =
        parts.map(|part| clients::start(&kubeconfig, part, size, folder.path())).collect();
    let synced = || -> usize { started.iter().map(|(_, log)| clients::synced(log)).sum() };
    phase(&cluster, &server, "start", until(|| async { synced() == clients })).await;
    let had = synced();
    phase(&cluster, &server, "at rest", sleep(REST)).await;
    let resident: f64 = started.iter_mut().map(|(process, _)| process.usage().resident).sum();
    phase(&cluster, &server, "rollout", roll_out(&cluster)).await;

    let open = server.watches().await;
    phase(&cluster, &server, "restart, until all watch again", async {
        cluster.plane.kill_api_server();
        cluster.plane.start_api_server();
        until(|| async { server.metrics().await.is_some_and(|now| now.watches() >= open) }).await;
    })
    .await;
    phase(&cluster, &server, "afterwards", sleep(REST)).await;
    println!(
        "\n{had} clients had their targets when the start was over. A client has {:.1} MiB.",
        resident / clients as f64
    );
}

/// Waits until it is so, but not for ever: a fleet that does not come in time is a result too.
async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let wait = async {
        while !is_so().await {
            sleep(BETWEEN_LOOKS).await;
        }
    };
    let _ = timeout(PATIENCE, wait).await;
}

/// Prints what the API server does while something goes on.
async fn phase(cluster: &Cluster, server: &Server, name: &str, work: impl Future<Output = ()>) {
    let Watched { seconds, cpu, resident, connections, watches, lists, ended, refused, seats } =
        server.watch(cluster, work).await;
    println!(
        "| {name} | {seconds:.0} | {cpu:.1} | {resident:.0} | {connections} | {watches} | {lists} \
         | {ended} | {refused} | {seats} |"
    );
}

/// Pods are replaced one by one, each by another one in the same place.
async fn roll_out(cluster: &Cluster) {
    let pods = cluster
        .size
        .services()
        .flat_map(|service| service.nodes().map(move |node| service.pod(node)));
    let mut pods: Vec<Pod> = pods.collect();
    fastrand::Rng::with_seed(2).shuffle(&mut pods);
    at_a_rate(EVERY, pods.into_iter().take(REPLACED), async |mut pod: Pod| {
        cluster.api.delete(&pod.path()).await;
        pod.name.push_str("-new");
        cluster.api.create(pod.object(cluster.size.pods)).await;
    })
    .await;
}
