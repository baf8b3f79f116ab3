use super::expected::LOOKS;
use super::follow::Follower;
use super::own_targets::OwnTargets;
use super::state::{AgentState, View};
use super::{JobCounts, Settings};
use crate::config::{Options, Waits};
use crate::demand::Demand;
use crate::index::{Change, EndpointsFrom, Index, ListOutcome, Snapshots, Update};
use crate::objects::{Container, ContainerPort, Metadata, ObjectKey, Pod};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const NODE: &str = "node-a";
const HOLD: Duration = Duration::from_secs(900);
const SPREAD: Duration = Duration::from_secs(60);

/// A follower with its files, and a clock that only tests move.
struct World {
    folder: TempDir,
    snapshots: Arc<Snapshots>,
    state: Arc<AgentState>,
    settings: Settings,
    follower: Follower,
    now: SystemTime,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        let settings = Settings {
            node: NODE.to_owned(),
            config_in: folder.path().join("in.yaml"),
            jobs_from: Vec::new(),
            config_out: folder.path().join("out/prometheus.yaml"),
            reload_url: None,
            state_dir: Some(folder.path().to_owned()),
            options: Options::default(),
            compat: crate::sd::Compat::Auto,
            waits: Waits { hold: HOLD, spread: SPREAD, pause: Duration::from_secs(10) },
        };
        let snapshots = Arc::new(Snapshots::new(NODE, EndpointsFrom::default()));
        publish(&snapshots, &[]);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (follower, state) = start(&settings, &snapshots, now);
        Self { folder, snapshots, state, settings, follower, now }
    }

    /// As a new process, which knows of no Pods yet.
    fn restart(&mut self) {
        self.snapshots = Arc::new(Snapshots::new(NODE, EndpointsFrom::default()));
        (self.follower, self.state) = start(&self.settings, &self.snapshots, self.now);
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    async fn step_after(&mut self, time: Duration) {
        self.now += time;
        self.follower.step(self.now).await;
    }

    /// Writes the configuration and looks until it must have been applied, if it is not held.
    async fn give(&mut self, config: &str) -> String {
        self.write("in.yaml", config);
        self.step_after(Duration::ZERO).await;
        self.step_after(SPREAD).await;
        self.out()
    }

    /// What the agent has.
    fn out(&self) -> String {
        fs::read_to_string(&self.settings.config_out).unwrap_or_default()
    }

    fn view(&self) -> View {
        self.state.view()
    }
}

fn start(
    settings: &Settings,
    snapshots: &Arc<Snapshots>,
    now: SystemTime,
) -> (Follower, Arc<AgentState>) {
    let state = Arc::new(AgentState::default());
    let targets = OwnTargets {
        node: NODE.to_owned(),
        snapshots: Arc::clone(snapshots),
        demand: Arc::new(Demand::new()),
        compat: settings.compat,
    };
    let follower = Follower::new(settings.clone(), targets, Arc::clone(&state), now);
    (follower, state)
}

/// Publishes the own Pods of a namespace each, with one port each.
fn publish(snapshots: &Snapshots, namespaces: &[&str]) {
    let pod = |(number, namespace): (usize, &&str)| Pod {
        meta: Metadata { key: ObjectKey::new(namespace, "p"), ..Metadata::default() },
        node_name: NODE.into(),
        ip: format!("10.0.0.{number}").as_str().into(),
        phase: "Running".into(),
        containers: [Container {
            name: "c".into(),
            ports: [ContainerPort { number: 80, ..ContainerPort::default() }].into(),
            ..Container::default()
        }]
        .into(),
        ..Pod::default()
    };
    let pods = namespaces.iter().enumerate().map(pod).collect();
    let mut index = Index::after((*snapshots.load()).clone());
    index.apply(Change::Pods(Update::Replace(ListOutcome::of(pods))));
    snapshots.publish(index.take_snapshot().unwrap());
}

/// Jobs for the Pods of these namespaces, one each.
fn jobs(namespaces: &[&str]) -> String {
    let job = |namespace: &&str| {
        format!(
            "- job_name: {namespace}\n  kubernetes_sd_configs: [{{role: pod, namespaces: {{names: [{namespace}]}}}}]\n"
        )
    };
    format!("scrape_configs:\n{}", namespaces.iter().map(job).collect::<String>())
}

fn has_jobs(config: &str) -> Vec<&str> {
    config.lines().filter_map(|line| line.strip_prefix("- job_name: ")).collect()
}

#[tokio::test]
async fn the_first_configuration_is_applied_at_once() {
    let mut world = World::new();
    world.write("in.yaml", jobs(&["a"]));
    world.step_after(Duration::ZERO).await;
    assert!(world.out().contains("http://127.0.0.1:9911/sd/pod?namespace=a"), "{}", world.out());
    let expected = JobCounts { rewritten: 1, ..JobCounts::default() };
    assert_eq!((world.view().jobs, world.view().writes), (expected, 1));
}

#[tokio::test]
async fn a_change_waits_for_this_nodes_moment_and_equal_content_is_not_written() {
    let mut world = World::new();
    let first = world.give(&jobs(&["a"])).await;
    assert_eq!(world.give(&format!("# edited\n{}", jobs(&["a"]))).await, first);
    assert_eq!(world.view().writes, 1);

    world.write("in.yaml", jobs(&["a", "b"]));
    world.step_after(Duration::ZERO).await;
    assert_eq!(world.out(), first, "not at once");
    world.step_after(SPREAD).await;
    assert_eq!(has_jobs(&world.out()), ["a", "b"]);
}

#[tokio::test]
async fn broken_files_change_nothing() {
    let mut world = World::new();
    let good = world.give(&jobs(&["a", "b"])).await;
    let mut gzipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzipped, jobs(&["a"]).as_bytes()).unwrap();
    let gzipped = gzipped.finish().unwrap();
    for (bytes, expected) in [
        (&b""[..], "in.yaml: it is empty"),
        (b"scrape_configs: [", "in.yaml: it is not valid YAML"),
        (&gzipped[..gzipped.len() - 5], "in.yaml: it is gzipped, and cannot be unpacked"),
        (b"\xff", "in.yaml: it is not UTF-8 text"),
        (b"a: $(SHARD)", "in.yaml: outside scrape_configs: nothing fills the variable $(SHARD)"),
    ] {
        world.write("in.yaml", bytes);
        for _ in 0..3 {
            world.step_after(HOLD).await;
            let trouble = world.view().trouble.unwrap_or_default();
            assert!(trouble.contains(expected), "{trouble}");
        }
        assert_eq!(world.out(), good);
    }
    fs::remove_file(&world.settings.config_in).unwrap();
    world.step_after(HOLD).await;
    assert!(world.view().trouble.unwrap().contains("No such file"));
    assert_eq!(world.out(), good);

    assert_eq!(has_jobs(&world.give(&jobs(&["a", "b", "c"])).await), ["a", "b", "c"]);
    assert_eq!(world.view().trouble, None);
}

#[tokio::test]
async fn a_job_that_turns_bad_keeps_its_last_good_form_also_after_a_restart() {
    let mut world = World::new();
    let good = world.give(&jobs(&["a", "b"])).await;
    let bad = jobs(&["a", "b"]).replacen("role: pod", "role: pod, new_key: 1", 1);
    let bad = format!("{bad}- job_name: c\n");
    for _ in 0..2 {
        let out = world.give(&bad).await;
        assert_eq!(has_jobs(&out), ["a", "b", "c"]);
        assert!(out.starts_with(&good), "{out}");
        assert_eq!(world.view().jobs.last_good, 1);
        world.restart();
        publish(&world.snapshots, &[]);
    }
}

#[tokio::test]
async fn more_files_are_followed_too() {
    let mut world = World::new();
    world.settings.jobs_from = vec![world.write("more.yaml", jobs(&["b"]))];
    world.restart();
    publish(&world.snapshots, &[]);
    assert_eq!(has_jobs(&world.give(&jobs(&["a"])).await), ["a", "b"]);
    world.write("more.yaml", jobs(&["b", "c"]));
    assert_eq!(has_jobs(&world.give(&jobs(&["a"])).await), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_change_that_removes_many_targets_is_held_also_over_a_restart() {
    let mut world = World::new();
    // Ten jobs, but two of them have targets here: it is targets that count.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    publish(&world.snapshots, &["a", "b"]);
    let all = world.give(&jobs(&names)).await;
    assert_eq!(has_jobs(&world.give(&jobs(&names[..2])).await), ["a", "b"]);
    world.give(&jobs(&names)).await;

    assert_eq!(world.give(&jobs(&names[1..])).await, all, "one of two targets is gone");
    let until = world.view().held_until.expect("it says that it holds");
    let left = until.duration_since(world.now).unwrap();
    assert!((HOLD - SPREAD..=HOLD).contains(&left), "{left:?}");
    world.restart();
    world.step_after(SPREAD * 2).await;
    assert_eq!(world.out(), all, "before the first sync it cannot know better");
    publish(&world.snapshots, &["a", "b"]);
    world.step_after(left - SPREAD * 2 - Duration::from_secs(1)).await;
    assert_eq!(world.out(), all, "a restart does not shorten it");
    assert!(world.view().held_until.is_some());
    world.step_after(Duration::from_secs(2)).await;
    assert_eq!(has_jobs(&world.out()), names[1..], "nor does it make it longer");
    assert_eq!(world.view().held_until, None);
}

/// One resource that cannot be read does not hide what becomes of other jobs.
#[tokio::test]
async fn a_question_without_an_answer_counts_as_one_target() {
    let mut world = World::new();
    let slices = |names: &[&str]| jobs(names).replace("role: pod", "role: endpointslice");
    let all = world.give(&slices(&["a", "b", "c", "d"])).await;
    assert_eq!(has_jobs(&world.give(&slices(&["a", "b", "c"])).await), ["a", "b", "c"]);
    world.give(&slices(&["a", "b", "c", "d"])).await;
    assert_eq!(world.give(&slices(&["a", "b"])).await, all);
}

#[tokio::test]
async fn targets_of_two_jobs_at_one_address_are_two() {
    let mut world = World::new();
    publish(&world.snapshots, &["a"]);
    let two = "scrape_configs:
- {job_name: x, kubernetes_sd_configs: [{role: pod}]}
- {job_name: y, kubernetes_sd_configs: [{role: pod}]}
";
    let all = world.give(two).await;
    assert_eq!(world.give(two.split("- {job_name: y").next().unwrap()).await, all);
}

#[tokio::test]
async fn ready_means_that_there_is_a_configuration() {
    let mut world = World::new();
    world.step_after(Duration::ZERO).await;
    assert!(!world.view().has_config);
    world.give(&jobs(&["a"])).await;
    assert!(world.view().has_config);
    world.restart();
    assert!(world.view().has_config, "an earlier run has written it");
}

/// Before there is anything, a part is better than nothing; later, less than all is not.
#[tokio::test]
async fn a_missing_file_of_jobs_does_not_keep_the_others_back_at_first() {
    let mut world = World::new();
    world.settings.jobs_from = vec![world.folder.path().join("more.yaml")];
    world.restart();
    publish(&world.snapshots, &[]);
    assert_eq!(has_jobs(&world.give(&jobs(&["a"])).await), ["a"]);
    world.write("more.yaml", jobs(&["b"]));
    assert_eq!(has_jobs(&world.give(&jobs(&["a"])).await), ["a", "b"]);
    fs::remove_file(&world.settings.jobs_from[0]).unwrap();
    assert_eq!(has_jobs(&world.give(&jobs(&["a"])).await), ["a", "b"]);
    assert!(world.view().trouble.unwrap().contains("more.yaml"));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again() {
    let mut world = World::new();
    fs::create_dir(&world.settings.config_out).unwrap();
    world.give(&jobs(&["a"])).await;
    assert!(world.view().trouble.unwrap().contains("prometheus.yaml"));
    fs::remove_dir(&world.settings.config_out).unwrap();
    world.step_after(Duration::from_secs(2)).await;
    assert_eq!(has_jobs(&world.out()), ["a"]);
}

#[tokio::test]
async fn the_agent_is_told_once_and_again_if_it_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/-/reload", listener.local_addr().unwrap());
    let (status, asked) = (Arc::new(AtomicU16::new(500)), Arc::new(AtomicU64::new(0)));
    let (answers, counts) = (Arc::clone(&status), Arc::clone(&asked));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"POST /-/reload "));
            counts.fetch_add(1, Ordering::SeqCst);
            let status = answers.load(Ordering::SeqCst);
            let head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: 3\r\nConnection: close\r\n\r\nwhy");
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });

    let mut world = World::new();
    world.settings.reload_url = Some(url.parse().unwrap());
    world.restart();
    publish(&world.snapshots, &[]);
    let told = || asked.load(Ordering::SeqCst);
    world.write("in.yaml", jobs(&["a"]));
    world.step_after(Duration::ZERO).await;
    assert_eq!((told(), world.view().reload_failures), (1, 1));
    for _ in 0..4 {
        world.step_after(Duration::from_secs(2)).await;
    }
    assert_eq!(told(), 1, "it is not asked all the time");
    status.store(200, Ordering::SeqCst);
    world.step_after(Duration::from_secs(2)).await;
    assert_eq!((told(), world.view().reloads), (2, 1));
    world.step_after(HOLD).await;
    assert_eq!(told(), 2, "nothing has changed");
    world.give(&jobs(&["a", "b"])).await;
    assert_eq!((told(), world.view().reloads), (3, 2));
    // Perhaps it was not told of what was written last.
    world.restart();
    world.step_after(Duration::ZERO).await;
    assert_eq!((told(), world.view().reloads), (4, 1));
}

/// Somebody edits all the time: the agent must not spend its time on reloading.
#[tokio::test]
async fn a_hundred_edits_a_second_are_few_writes() {
    let mut world = World::new();
    for edit in 0..6_000 {
        world.write("in.yaml", format!("global: {{edit: {edit}}}\n{}", jobs(&["a"])));
        if edit % 200 == 0 {
            world.step_after(Duration::from_secs(2)).await; // so often it looks
        }
    }
    assert!((1..=7).contains(&world.view().writes), "{} in a minute", world.view().writes);
}

#[tokio::test]
async fn an_agent_that_has_nothing_gets_something_to_start_with() {
    let mut world = World::new();
    let settings = "global: {external_labels: {a: $(UNKNOWN)}}\nremote_write: []\n";
    let broken = format!("{settings}{}", jobs(&["a"]));
    world.write("in.yaml", &broken);
    world.step_after(Duration::ZERO).await;
    assert_eq!(world.out(), "");
    world.step_after(Duration::from_secs(12)).await;
    let stopgap = world.out();
    assert!(stopgap.ends_with("remote_write: []\nscrape_configs: []\n"), "{stopgap}");
    assert!(!stopgap.contains("UNKNOWN"), "{stopgap}");
    assert!(!world.view().has_config, "readiness goes on waiting");

    // Also for the next run it is no configuration: the first good one is applied at once.
    world.restart();
    world.step_after(Duration::from_secs(60)).await;
    assert_eq!(world.out(), stopgap);
    world.write("in.yaml", jobs(&["a"]));
    world.step_after(Duration::from_secs(2)).await;
    assert_eq!(has_jobs(&world.out()), ["a"]);
    assert!(world.view().has_config);
}

#[tokio::test]
async fn an_agent_that_has_something_keeps_it() {
    let mut world = World::new();
    let applied = world.give(&jobs(&["a"])).await;
    fs::remove_file(&world.settings.config_in).unwrap();
    world.restart();
    world.step_after(Duration::from_secs(3600)).await;
    assert_eq!(world.out(), applied);
}

#[tokio::test]
async fn an_agent_with_jobs_of_its_own_starts_with_these() {
    let mut world = World::new();
    world.settings.jobs_from = vec![world.write("more.yaml", "a: [")];
    world.settings.options.has_more_files = true;
    world.settings.options.certs_dir = Some("/elsewhere".to_owned());
    world.restart();
    publish(&world.snapshots, &[]);
    let tls = "  tls_config: {ca_file: /etc/prometheus/certs/ca}\n";
    world.write("in.yaml", format!("{}{tls}", jobs(&["a"])));
    world.step_after(Duration::ZERO).await;
    assert_eq!(world.out(), "");
    world.step_after(Duration::from_secs(12)).await;
    assert_eq!(has_jobs(&world.out()), ["a"]);
    assert!(world.out().contains("/etc/prometheus/certs/ca"), "its certificates lie where it says");
    // It counts: what is good of it is kept when it turns bad.
    world.write("more.yaml", jobs(&["b"]));
    assert_eq!(has_jobs(&world.give(&jobs(&["a"]).replace("role", "rule")).await), ["a", "b"]);
}

#[tokio::test]
async fn a_stopgap_that_cannot_be_written_is_tried_again() {
    let mut world = World::new();
    let out = world.folder.path().join("out");
    fs::remove_dir(&out).unwrap();
    fs::write(&out, "no folder").unwrap();
    world.restart();
    world.step_after(Duration::from_secs(12)).await;
    fs::remove_file(&out).unwrap();
    world.step_after(Duration::from_secs(2)).await;
    assert!(world.out().ends_with("scrape_configs: []\n"), "{}", world.out());
}

/// Nor does one take the place of a good configuration that only waits for its disk.
#[tokio::test]
async fn a_good_configuration_that_cannot_be_written_waits() {
    let mut world = World::new();
    world.settings.jobs_from = vec![world.write("more.yaml", jobs(&["b"]))];
    world.settings.options.has_more_files = true;
    let out = world.folder.path().join("out");
    fs::remove_dir(&out).unwrap();
    fs::write(&out, "no folder").unwrap();
    world.restart();
    publish(&world.snapshots, &[]);
    world.write("in.yaml", jobs(&["a"]));
    world.step_after(Duration::from_secs(2)).await;
    world.step_after(Duration::from_secs(20)).await;
    fs::remove_file(&out).unwrap();
    world.step_after(Duration::from_secs(2)).await;
    assert_eq!(has_jobs(&world.out()), ["a", "b"]);
}

/// A form that was good under other settings may stop the whole file.
#[tokio::test]
async fn a_last_good_form_must_fit_the_settings_of_now() {
    let mut world = World::new();
    let job = jobs(&["a"]).replace("- job_name: a\n", "- job_name: a\n  scrape_timeout: 20s\n");
    let all = |interval: &str| format!("global: {{scrape_interval: {interval}}}\n{job}");
    assert_eq!(has_jobs(&world.give(&all("30s")).await), ["a"]);
    world.give(&all("10s")).await;
    world.step_after(HOLD).await;
    assert_eq!(has_jobs(&world.out()), Vec::<&str>::new());
}

#[tokio::test]
async fn a_file_that_is_taken_away_comes_back() {
    let mut world = World::new();
    let applied = world.give(&jobs(&["a"])).await;
    fs::remove_file(&world.settings.config_out).unwrap();
    world.step_after(Duration::from_secs(2)).await;
    assert_eq!(world.out(), applied);
}

#[tokio::test]
async fn rules_that_drop_targets_remove_them() {
    let mut world = World::new();
    publish(&world.snapshots, &["a", "b"]);
    let with = |rule: &str| format!("{}  relabel_configs: [{rule}]\n", jobs(&["b", "a"]));
    world.give(&with("{target_label: x, replacement: y}")).await;
    let before = world.out();
    let now_labelled = world.give(&with("{target_label: x, replacement: z}")).await;
    assert_ne!(now_labelled, before, "other labels make no other target");
    let drops = with("{source_labels: [__meta_kubernetes_namespace], regex: a, action: drop}");
    assert_eq!(world.give(&drops).await, now_labelled, "it would remove one of two");
    assert!(world.view().held_until.is_some());
}

#[tokio::test]
async fn what_the_agent_should_scrape_is_counted_as_prometheus_tells_targets_apart() {
    let mut world = World::new();
    publish(&world.snapshots, &["a", "b", "c"]);
    let with = |job: &str, rule: &str| {
        format!(
            "- {{job_name: {job}, kubernetes_sd_configs: [{{role: pod}}], relabel_configs: [{rule}]}}\n"
        )
    };
    let same = "{target_label: __address__, replacement: same:80}";
    let jobs = [
        with("all", ""),
        with("same", same),
        with(
            "named",
            &format!("{same}, {{source_labels: [__meta_kubernetes_namespace], target_label: n}}"),
        ),
        with("kept", "{source_labels: [__meta_kubernetes_namespace], regex: a|b, action: keep}"),
        with("none", "{source_labels: [__meta_kubernetes_namespace], regex: x, action: keep}"),
        with("nowhere", "{regex: __address__, action: labeldrop}"),
    ];
    world.give(&format!("scrape_configs:\n{}", jobs.concat())).await;
    let counted = |world: &World| {
        world.view().targets.into_iter().map(|(job, n)| format!("{job} {n}")).collect::<Vec<_>>()
    };
    assert_eq!(counted(&world), ["all 3", "kept 2", "named 3", "same 1"]);

    publish(&world.snapshots, &["a"]);
    for _ in 1..LOOKS {
        assert_eq!(counted(&world)[0], "all 3", "not at each look");
        world.step_after(Duration::ZERO).await;
    }
    world.step_after(Duration::ZERO).await;
    assert_eq!(counted(&world), ["all 1", "kept 1", "named 1", "same 1"]);
}
