//! What many jobs cost at rest, each with a question of its own: CPU of Prometheus and of the sidecar beside it.
//!
//! As many applications in twenty namespaces as there are jobs; a fifth of the jobs find a Pod on this node.
//! Nothing changes and nothing is scraped.

use crate::prometheus::Prometheus;
use crate::sidecar::Sidecar;
use crate::way::{Job, Way};
use crate::world::{Pod, World};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const NAMESPACES: usize = 20;
/// One job of so many finds a Pod.
const FINDS: usize = 5;

const WAYS: [Way; 8] = [
    Way::Static,
    Way::Http { interval: 10, hold: false },
    Way::Http { interval: 30, hold: false },
    Way::Http { interval: 60, hold: false },
    Way::Http { interval: 10, hold: true },
    Way::Http { interval: 30, hold: true },
    Way::Http { interval: 60, hold: true },
    Way::File,
];

/// Until those who have their targets are taken to be at rest: an interval, and a little.
const SETTLES: Duration = Duration::from_secs(70);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// How long the targets may take to be there.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) async fn measure(jobs: usize, rest: Duration) {
    let world = World::start((0..NAMESPACES).map(namespace)).await;
    let apps: Vec<Pod> = (0..jobs).map(pod).collect();
    let found = apps.iter().filter(is_found);
    for pod in found.clone() {
        world.service(&pod.namespace, &pod.app).await;
        world.api.create(pod.object()).await;
    }
    let targets = found.count();
    println!(
        "| {jobs} jobs, {targets} targets, {} s at rest | CPU of Prometheus, ms/s | of the sidecar, ms/s \
         | MiB of Prometheus | of the sidecar |\n|--|--|--|--|--|",
        rest.as_secs()
    );
    for way in WAYS {
        if let Err(why) = row(&world, way, &apps, targets, rest).await {
            println!("| {way} | not measured: {why} | | | |");
        }
    }
}

async fn row(
    world: &World,
    way: Way,
    apps: &[Pod],
    targets: usize,
    rest: Duration,
) -> Result<(), String> {
    if way == Way::File {
        enough_instances(apps.len())?;
    }
    let folder = tempfile::tempdir().unwrap();
    let questions: Vec<(String, String)> =
        apps.iter().map(|pod| (format!("job-{}", pod.number), question(pod))).collect();
    let files = questions.iter().map(|(name, path)| (&**name, &**path));
    let files = files.filter(|_| way == Way::File);
    let mut sidecar = Sidecar::start(&world.kubeconfig(), folder.path(), files);
    let config = config(way, apps, &sidecar);
    let to = folder.path().join("prometheus");
    let mut prometheus = Prometheus::start(&to, &config, &["--agent"]).await;
    let begun = Instant::now();
    loop {
        let now = prometheus.targets("job").await.len();
        if now == targets {
            break;
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{now} of {targets} targets; {}", complaint(&to)));
        }
        sleep(BETWEEN_LOOKS).await;
    }
    sleep(SETTLES).await;
    let before = [prometheus.process.usage(), sidecar.process.usage()];
    let begun = Instant::now();
    sleep(rest).await;
    let after = [prometheus.process.usage(), sidecar.process.usage()];
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = [0, 1].map(|one| (after[one].cpu - before[one].cpu) * 1000.0 / seconds);
    println!(
        "| {way} | {:.1} | {:.1} | {:.0} | {:.1} |",
        cpu[0], cpu[1], after[0].resident, after[1].resident
    );
    Ok(())
}

/// Each job that reads files takes one of these; one that gets none finds nothing, ever.
fn enough_instances(jobs: usize) -> Result<(), String> {
    const FILE: &str = "/proc/sys/fs/inotify/max_user_instances";
    let most: usize = std::fs::read_to_string(FILE).unwrap().trim().parse().unwrap();
    if most > jobs {
        return Ok(());
    }
    Err(format!(
        "fs.inotify.max_user_instances is {most}: sysctl -w fs.inotify.max_user_instances=1024"
    ))
}

/// The last error of its log.
fn complaint(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("prometheus.log")).unwrap_or_default();
    log.lines()
        .rfind(|line| line.contains("level=ERROR"))
        .unwrap_or("no error in its log")
        .to_owned()
}

fn namespace(number: usize) -> String {
    format!("team-{number}")
}

fn pod(number: usize) -> Pod {
    Pod {
        name: format!("app-{number}-0"),
        namespace: namespace(number % NAMESPACES),
        app: format!("app-{number}"),
        number,
    }
}

fn is_found(pod: &&Pod) -> bool {
    pod.number.is_multiple_of(FINDS)
}

fn question(pod: &Pod) -> String {
    format!("/sd/endpointslice?namespace={}&service=app%3D{}", pod.namespace, pod.app)
}

fn config(way: Way, apps: &[Pod], sidecar: &Sidecar) -> String {
    let mut text = "global: {scrape_interval: 1h}\nscrape_configs:\n".to_owned();
    for pod in apps {
        let job = Job {
            name: format!("job-{}", pod.number),
            path: question(pod),
            sidecar: &sidecar.url,
            files: &sidecar.files,
            static_targets: [pod].into_iter().filter(is_found).map(Pod::target).collect(),
            ..Job::default()
        };
        write!(text, "- job_name: {}\n{}", job.name, way.discovery(&job)).unwrap();
    }
    text
}
