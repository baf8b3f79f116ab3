//! From a Pod's change at the API server to Prometheus' targets, and to the first sample at a receiver.
//!
//! A Prometheus for each way; all see the same changes. A change is a Pod that becomes ready, and counts from the
//! moment when the API server has answered. The next one comes once all have seen the last, after a pause that is
//! evenly spread over thirty seconds, so that no phase of any interval is preferred.

use crate::http::eventually;
use crate::prometheus::Prometheus;
use crate::receiver::Receiver;
use crate::sidecar::Sidecar;
use crate::summary::Delays;
use crate::way::{Job, Way};
use crate::world::{Pod, World};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const NAMESPACE: &str = "shop";
const APP: &str = "web";
const PATH: &str = "/sd/endpointslice?namespace=shop";
/// Pods that are there before: an agent that has nothing is no usual one.
const BEFORE: usize = 5;

const WAYS: [Way; 6] = [
    Way::Kubernetes,
    Way::Http { interval: 10, hold: false },
    Way::Http { interval: 30, hold: false },
    Way::Http { interval: 10, hold: true },
    Way::Http { interval: 30, hold: true },
    Way::File,
];

/// Between two changes at the least: Prometheus' discovery is slower for five seconds after one (3.12).
const QUIET: Duration = Duration::from_secs(6);
/// What is drawn on top: a multiple of each interval.
const SPREAD: Duration = Duration::from_secs(30);
/// The resolution of what is measured; more often would be work for those who are measured.
const LOOK: Duration = Duration::from_millis(50);
/// A change that does not come by then is lost.
const PATIENCE: Duration = Duration::from_secs(90);

/// One of those that are compared.
struct Agent {
    way: Way,
    prometheus: Prometheus,
    targets: Delays,
    samples: Delays,
}

pub(crate) async fn measure(changes: u32) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start([NAMESPACE.to_owned()].into_iter()).await;
    world.service(NAMESPACE, APP).await;
    for number in 0..BEFORE {
        world.api.create(pod(number).object()).await;
    }
    let receiver = Receiver::start(&folder.path().join("receiver")).await;
    let files = [("web", PATH)];
    let sidecar = Sidecar::start(&world.kubeconfig(), folder.path(), files.into_iter());
    let mut agents = Vec::new();
    for way in WAYS {
        let config = config(way, &world, &sidecar, &receiver);
        let to = folder.path().join(format!("agent-{}", agents.len()));
        let prometheus = Prometheus::start(&to, &config, &["--agent"]).await;
        eventually(&format!("{way} has the first targets"), || async {
            let targets = prometheus.targets("pod").await.len();
            if targets == BEFORE { Ok(()) } else { Err(format!("{targets}")) }
        })
        .await;
        agents.push(Agent {
            way,
            prometheus,
            targets: Delays::default(),
            samples: Delays::default(),
        });
    }
    for number in 0..changes {
        sleep(QUIET + SPREAD.mul_f64(fastrand::f64())).await;
        change(&world, &receiver, &mut agents, BEFORE + number as usize).await;
        eprintln!("{} of {changes} changes", number + 1);
    }
    println!(
        "| {changes} changes | target: mean s | p95 s | most s | first sample: mean s | p95 s | most s |\n\
         |--|--|--|--|--|--|--|"
    );
    for Agent { way, targets, samples, .. } in agents {
        println!("| {way} | {targets} | {samples} |");
    }
}

/// Makes a change, and waits until all have seen it.
async fn change(world: &World, receiver: &Receiver, agents: &mut [Agent], number: usize) {
    let pod = pod(number);
    world.api.create(pod.object()).await;
    let begun = Instant::now();
    let (mut shown, mut sampled) = (vec![false; agents.len()], vec![false; agents.len()]);
    while shown.iter().chain(&sampled).any(|seen| !seen) {
        for (agent, shown) in agents.iter_mut().zip(&mut shown).filter(|(_, shown)| !**shown) {
            *shown = agent.prometheus.targets("pod").await.contains(&pod.name);
            if *shown {
                agent.targets.add(begun.elapsed());
            }
        }
        let has = receiver.has(&pod.name).await;
        for (agent, sampled) in agents.iter_mut().zip(&mut sampled) {
            if !*sampled && has.contains(&agent.way.to_string()) {
                *sampled = true;
                agent.samples.add(begun.elapsed());
            }
        }
        assert!(begun.elapsed() < PATIENCE, "not seen: targets {shown:?}, samples {sampled:?}");
        sleep(LOOK).await;
    }
}

fn pod(number: usize) -> Pod {
    Pod {
        name: format!("web-{number}"),
        namespace: NAMESPACE.to_owned(),
        app: APP.to_owned(),
        number,
    }
}

/// Samples are sent at once: with the default of five seconds they would hide what is measured.
fn config(way: Way, world: &World, sidecar: &Sidecar, receiver: &Receiver) -> String {
    let kubeconfig = world.kubeconfig().display().to_string();
    let job = Job {
        name: "web".to_owned(),
        namespace: NAMESPACE.to_owned(),
        kubeconfig: &kubeconfig,
        sidecar: &sidecar.url,
        path: PATH.to_owned(),
        files: &sidecar.files,
        static_targets: Vec::new(),
    };
    format!(
        "global: {{scrape_interval: 1s, external_labels: {{way: '{way}'}}}}\n\
         remote_write: [{{url: '{}', queue_config: {{batch_send_deadline: 100ms}}}}]\n\
         scrape_configs:\n- job_name: web\n{}  relabel_configs:\n  \
         - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}\n  \
         - {{source_labels: [__meta_kubernetes_endpointslice_port_name], regex: metrics, action: keep}}\n",
        receiver.url(),
        way.discovery(&job)
    )
}
