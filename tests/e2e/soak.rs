//! Random changes and random faults together, for as long as `SOAK_SECONDS` says. Whenever it is quiet, the
//! sidecars must serve what a Prometheus that starts then discovers; at the end they must have no more
//! memory than after the first minute, over the same objects.

#![expect(clippy::print_stderr, reason = "the seed, and what was compared and measured")]

use super::api::Api;
use super::block_on;
use super::control_plane::ControlPlane;
use super::differential::{create_all, create_nodes, how_many, quiesce, seed};
use super::jobs::whole;
use super::moving::{anchors, change, sync_services};
use super::oracle::{ALL_NODES, DERIVED, Fleet, Oracle};
use super::process::Process;
use super::proxy::{Proxy, Wire};
use super::random_cluster::{NODES, cluster};
use super::support::prometheus::binaries;
use fastrand::Rng;
use nodelocal_sd::index::EndpointsFrom;
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SECONDS: usize = 300;
const NAMESPACES: [&str; 2] = ["soak-0", "soak-1"];
/// In each namespace, under each fault.
const CHANGES: usize = 15;
/// Faults from one quiet point to the next.
const FAULTS: usize = 3;
/// What is first needed has been needed by then.
const WARM: Duration = Duration::from_secs(60);
/// What may be added to the memory after that, in KiB.
const GROWTH: u64 = 1024;
/// What glibc is told, so that what was freed is given back and does not look as if it were kept.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "16384"), ("MALLOC_TRIM_THRESHOLD_", "0")];
/// The longest delay between two tries is 30 s.
const PATIENCE: Duration = Duration::from_secs(75);

pub(crate) fn random_changes_and_faults(_: &ControlPlane) {
    let seed = seed();
    // Of its own: what other tests create would count as memory that grows.
    let plane = &ControlPlane::start();
    block_on(async {
        let mut rng = Rng::with_seed(seed);
        let api = Api::of(plane).await;
        create_nodes(&api).await;
        let clusters = NAMESPACES.map(|namespace| {
            let mut objects: Vec<Value> = cluster(namespace, namespace, &mut rng);
            objects.extend(anchors(namespace));
            objects
        });
        create_all(&api, &clusters).await;

        let proxy = Proxy::before(&plane.url).await;
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        plane.write_kubeconfig(&kubeconfig, &proxy.url);
        let read = ALL_NODES.map(|node| (node, EndpointsFrom::Slices));
        let places: Vec<_> = read.into_iter().chain(NODES.map(|node| (node, DERIVED))).collect();
        let processes: Vec<Process> = places
            .iter()
            .map(|(node, from)| Process::start_with(&ALLOCATOR, &kubeconfig, node, *from))
            .collect();
        let at =
            processes.iter().zip(&places).map(|(process, (node, from))| process.at(node, *from));
        let fleet = Fleet::at(at.collect());
        for process in &processes {
            // With all that is asked for later: a first read amid faults may wait for its turn for minutes.
            for question in [EVERYTHING, "endpointslice", "endpoints", "node"] {
                process.serves(question).await;
            }
        }

        let lasts = Duration::from_secs(how_many("SOAK_SECONDS", SECONDS) as u64);
        let (began, mut points, mut compared) = (Instant::now(), 0, 0);
        let mut memory: Vec<Vec<u64>> = Vec::new();
        while began.elapsed() < lasts {
            for _ in 0..FAULTS {
                suffer(&proxy, &processes, &api, &mut rng).await;
            }
            points += 1;
            compared += agree(plane, &api, &fleet, seed, points).await;
            let ends = began.elapsed() >= lasts;
            if memory.is_empty() && began.elapsed() >= WARM || ends {
                put_back(&api, &clusters).await;
                compared += agree(plane, &api, &fleet, seed, points).await;
                memory.push(processes.iter().map(Process::memory).collect());
            }
        }
        let [first, .., last] = &memory[..] else { panic!("it must last longer than a minute") };
        eprintln!(
            "SEED={seed}: {points} quiet points, {} faults, {} changes, {compared} targets compared; \
             memory in KiB after a minute {first:?}, at the end {last:?}",
            points * FAULTS,
            points * FAULTS * CHANGES * NAMESPACES.len()
        );
        let grown = first.iter().zip(last).any(|(first, last)| *last > first + GROWTH);
        assert!(!grown, "SEED={seed}: memory grows: {first:?} to {last:?} KiB");
    });
}

/// What reads all kinds of owners, and Namespaces.
const EVERYTHING: &str = "pod?attach=namespace&attach=deployment&attach=cronjob";

/// Changes while something fails.
async fn suffer(proxy: &Proxy, processes: &[Process], api: &Api, rng: &mut Rng) {
    let wires = [
        Wire::Good,
        Wire::Cut,
        Wire::Broken(rng.usize(0..20_000)),
        Wire::Garbled(rng.usize(0..20_000)),
        Wire::Slow,
        Wire::Foreign,
    ];
    proxy.becomes(wires[rng.usize(0..wires.len())]);
    let stopped = rng.bool().then(|| &processes[rng.usize(0..processes.len())]);
    if let Some(process) = stopped {
        process.signal(Signal::STOP);
    }
    let began = Instant::now();
    let lasts = Duration::from_millis(rng.u64(500..4_000));
    for namespace in NAMESPACES {
        for _ in 0..CHANGES {
            change(api, namespace, rng).await;
        }
    }
    sleep(lasts.saturating_sub(began.elapsed())).await;
    if let Some(process) = stopped {
        process.signal(Signal::CONT);
    }
    proxy.mend();
}

/// Makes the namespaces what they were at the start: memory is compared over the same objects.
async fn put_back(api: &Api, clusters: &[Vec<Value>]) {
    for namespace in NAMESPACES {
        for kind in ["api/v1/{}/services", "api/v1/{}/pods", "api/v1/{}/endpoints", SLICES] {
            let path = kind.replace("{}", &format!("namespaces/{namespace}"));
            api.delete_all(&format!("/{path}")).await;
        }
    }
    let was_deleted = |object: &Value| {
        let kind = object["kind"].as_str().expect("a kind");
        ["Service", "Pod", "Endpoints", "EndpointSlice"].contains(&kind)
    };
    let deleted: Vec<Vec<Value>> = clusters
        .iter()
        .map(|objects| objects.iter().filter(|object| was_deleted(object)).cloned().collect())
        .collect();
    create_all(api, &deleted).await;
}

const SLICES: &str = "apis/discovery.k8s.io/v1/{}/endpointslices";

/// Lets the controllers come to rest, and compares; how many targets were compared.
async fn agree(plane: &ControlPlane, api: &Api, fleet: &Fleet, seed: u64, point: usize) -> usize {
    for namespace in NAMESPACES {
        sync_services(api, namespace, &point.to_string()).await;
    }
    quiesce(api, |namespace| NAMESPACES.contains(&namespace)).await;
    let newest = binaries().pop().expect("one is named");
    let namespaces = NAMESPACES.map(str::to_owned);
    let jobs = |profile| whole(&namespaces, profile);
    let oracle = Oracle::start(&newest, &plane.kubeconfig(), jobs).await;
    let (found, differences) = oracle.agree_within(fleet, PATIENCE).await;
    if let Some((_, difference)) = differences.first() {
        panic!("SEED={seed}, quiet point {point}: {difference}");
    }
    found.values().map(Vec::len).sum()
}
