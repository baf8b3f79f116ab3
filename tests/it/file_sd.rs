//! The same targets as files, in virtual time; and what a real Prometheus makes of them.

use crate::admin::ask;
use crate::support::asked::{Asked, first};
use crate::support::http::eventually;
use crate::support::prometheus::{Discovered, Prometheus};
use crate::support::served::example_cluster;
use crate::support::world::{self, NODE};
use nodelocal_sd::file_sd::{FileSdState, Settings};
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::Timing;
use nodelocal_sd::sd::Compat;
use nodelocal_sd::sidecar::Kept;
use nodelocal_sd::simulator::{On, Simulator, Verb};
use nodelocal_sd::state::{Setup, StateFile};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;
use tokio::time::sleep;

const FILES: [(&str, &str); 3] = [
    ("web", "endpointslice?namespace=shop&attach=node"),
    ("pods-2.53", "pod?attach=deployment"),
    ("node", "node"),
];
/// By then what has changed is in the files.
const SOON: Duration = Duration::from_millis(1200);
/// By then all is listed and written.
const START: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

fn settings(folder: &Path, files: &[(&str, &str)]) -> Settings {
    let output = |(name, query): &(&str, &str)| {
        let typed = format!("{name}=/sd/{query}").parse::<nodelocal_sd::file_sd::FileQuery>();
        typed.unwrap().output(EndpointsFrom::Slices, Compat::Auto).unwrap()
    };
    Settings { folder: folder.to_owned(), outputs: files.iter().map(output).collect() }
}

/// A sidecar that writes files.
struct Writing {
    asked: Asked,
    state: Arc<FileSdState>,
    task: JoinHandle<()>,
}

impl Writing {
    fn start(simulator: &Simulator, folder: &Path, files: &[(&str, &str)]) -> Self {
        Self::of(Asked::start(simulator, NODE, Timing::alone()), folder, files)
    }

    fn of(asked: Asked, folder: &Path, files: &[(&str, &str)]) -> Self {
        let (state, task) = asked.write_files(settings(folder, files));
        Self { asked, state, task }
    }

    fn writes(&self) -> u64 {
        self.state.view().writes
    }

    /// Each file has the bytes that http_sd serves.
    async fn assert_same(&self, folder: &Path, files: &[(&str, &str)], what: &str) {
        for (name, query) in files {
            let answer = self.asked.ask(query, Duration::ZERO).await.expect(query);
            assert!(!answer.targets().is_empty(), "{query}");
            let file = fs::read(folder.join(format!("{name}.json"))).unwrap();
            assert!(file == answer.bytes(), "{what}: {name}");
        }
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_as_http_sd_and_no_other_files() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("made/by/us");
    let writing = Writing::start(&simulator, &within, &FILES);
    sleep(START).await;
    writing.assert_same(&within, &FILES, "at first").await;
    world::change(&simulator);
    sleep(SOON).await;
    writing.assert_same(&within, &FILES, "a change").await;
    let expected = [".new", "node.json", "pods-2.53.json", "web.json"].map(str::to_owned);
    assert_eq!(names(&within), BTreeSet::from(expected));
    assert_eq!(names(&within.join(".new")), BTreeSet::new(), "nothing unfinished is left");
    assert_eq!(writing.writes(), 3 + 2, "the Node did not change");
    assert_eq!(fs::metadata(within.join("web.json")).unwrap().mode() & 0o777, 0o644);

    let (_, metrics) = ask(&writing.asked.admin_of_files(&writing.state), "/metrics").await;
    for sample in [
        "nodelocal_sd_file_sd_writes_total{outcome=\"ok\"} 5\n",
        "nodelocal_sd_file_sd_writes_total{outcome=\"error\"} 0\n",
        "nodelocal_sd_file_sd_targets{file=\"web\"} 60.0\n",
        "nodelocal_sd_file_sd_last_success_timestamp_seconds{} 1",
    ] {
        assert!(metrics.contains(sample), "{sample}: {metrics}");
    }
}

/// An empty list would cost Prometheus its targets.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_before_what_it_needs_has_synced() {
    let simulator = world::cluster();
    let rule = simulator.fault(On::resource("services").status(403));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("web.json"), "[]").unwrap();
    let writing = Writing::start(&simulator, folder.path(), &FILES);
    sleep(MINUTE).await;
    writing.assert_same(folder.path(), &FILES[1..], "others do not wait").await;
    let web = fs::read_to_string(folder.path().join("web.json")).unwrap();
    assert!(web == "[]", "what an earlier run has written stays");
    let view = writing.state.view();
    assert_eq!((view.writes, view.failures, view.up_to_date), (2, 0, None));
    simulator.remove_fault(rule);
    sleep(MINUTE).await; // the longest delay between attempts is 30 s
    writing.assert_same(folder.path(), &FILES, "once synced").await;
    assert!(writing.state.view().up_to_date.is_some());
}

/// As an answer of http_sd does: a label that comes later would make another series.
#[tokio::test(start_paused = true)]
async fn a_fresh_pod_waits_for_its_owner() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let writing = Writing::start(&simulator, folder.path(), &FILES);
    sleep(START).await;
    let mut owner =
        serde_json::Value::clone(&simulator.get("ReplicaSet", "shop", "web-1").unwrap());
    owner["metadata"] = serde_json::json!({"name": "fresh", "namespace": "shop",
        "ownerReferences": owner["metadata"]["ownerReferences"]});
    world::put(&simulator, owner);
    simulator.fault(On::get("replicasets").delay(Duration::from_millis(600)));
    let mut pod = world::pod("fresh", NODE, "10.1.0.200");
    pod["metadata"]["ownerReferences"][0]["name"] = "fresh".into();
    pod["metadata"]["ownerReferences"][0]["uid"] = "fresh".into();
    world::put(&simulator, pod);
    let file = folder.path().join("pods-2.53.json");
    let has = |text: &str| fs::read_to_string(&file).unwrap().contains(text);
    let before = writing.writes();
    while !has("\"fresh\"") {
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(writing.writes(), before + 1);
    let groups = fs::read_to_string(&file).unwrap();
    let group = groups.split("{\"targets\"").find(|group| group.contains("\"fresh\"")).unwrap();
    assert!(group.contains("pod_deployment_name"), "{group}");
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_one_write_and_none_waits_long() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let writing = Writing::start(&simulator, folder.path(), &FILES[1..2]);
    sleep(START).await;
    assert_eq!(writing.writes(), 1);
    let put = |number: u8| {
        let name = format!("burst-{number}");
        world::put(&simulator, world::pod(&name, NODE, &format!("10.3.0.{number}")));
    };
    for number in 0..20 {
        put(number);
        sleep(Duration::from_millis(2)).await;
    }
    sleep(Duration::from_millis(150)).await;
    assert_eq!(writing.writes(), 2, "after 0.1 s, all at once");
    writing.assert_same(folder.path(), &FILES[1..2], "a burst").await;

    // As long as changes follow each other.
    sleep(START).await;
    for number in 20..120 {
        put(number);
        sleep(Duration::from_millis(100)).await;
    }
    let writes = writing.writes() - 2;
    assert!((8..=10).contains(&writes), "{writes} writes in 10 s");
    sleep(SOON).await;
    writing.assert_same(folder.path(), &FILES[1..2], "in the end").await;
}

/// What is on disk decides, not what was written last.
#[tokio::test(start_paused = true)]
async fn a_file_that_was_taken_away_comes_back() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let writing = Writing::start(&simulator, folder.path(), &FILES);
    sleep(START).await;
    fs::remove_file(folder.path().join("web.json")).unwrap();
    let node = fs::read(folder.path().join("node.json")).unwrap();
    fs::write(folder.path().join("node.json"), vec![b' '; node.len()]).unwrap();
    sleep(MINUTE + SOON).await;
    writing.assert_same(folder.path(), &FILES, "a minute later").await;
    assert_eq!(writing.writes(), 3 + 2);
}

/// Nobody else asks, and what is asked for stays watched.
#[tokio::test(start_paused = true)]
async fn files_are_kept_up_to_date_for_good() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let writing = Writing::start(&simulator, folder.path(), &FILES);
    sleep(START).await;
    simulator.forget_requests();
    sleep(60 * MINUTE).await;
    let lists = simulator.count_requests(|request| request.verb == Verb::List);
    assert_eq!(lists, 0, "a watch that was closed begins with a list");
    world::change(&simulator);
    sleep(SOON).await;
    writing.assert_same(folder.path(), &FILES, "an hour later").await;
}

/// A restart with what was there, with and without a saved state.
#[tokio::test(start_paused = true)]
async fn equal_files_are_not_written_again_and_none_is_removed() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let snapshot = first(NODE, EndpointsFrom::Slices);
    let kept = || {
        let file = StateFile::new(&folder.path().join("state"), Setup::of(&snapshot, "boot"));
        let restored = file.read(&snapshot, SystemTime::now());
        Asked::kept(snapshot.clone(), &simulator, Timing::alone(), Kept { file, restored })
    };
    let files = folder.path().join("sd");
    let inode = |name: &str| fs::metadata(files.join(name)).unwrap().ino();
    let writing = Writing::of(kept(), &files, &FILES);
    sleep(START).await;
    writing.asked.keeper().save_last().await;
    assert_eq!(writing.asked.keeper().status().writes, 1);
    let before = ["web.json", "pods-2.53.json", "node.json"].map(inode);
    writing.task.abort();
    drop(writing);
    sleep(MINUTE).await;
    assert_eq!(["web.json", "pods-2.53.json", "node.json"].map(inode), before, "after the end");

    // Without an API server there is only what was saved; and one file is of no flag any more.
    let rule = simulator.fault(On::any().refuse());
    let writing = Writing::of(kept(), &files, &FILES[..2]);
    sleep(MINUTE).await;
    assert_eq!(writing.writes(), 0);
    writing.assert_same(&files, &FILES[..2], "the saved state").await;
    simulator.remove_fault(rule);
    sleep(2 * MINUTE).await;
    assert_eq!(writing.writes(), 0);
    drop(writing);

    let writing = Writing::start(&simulator, &files, &FILES[..2]);
    sleep(START).await;
    assert_eq!(writing.writes(), 0);
    assert_eq!(["web.json", "pods-2.53.json", "node.json"].map(inode), before);
    world::change(&simulator);
    sleep(SOON).await;
    assert_eq!(writing.writes(), 2);
    assert_eq!(inode("node.json"), before[2]);
}

/// A full disk, or one that is read-only, looks like this: the temporary file cannot be made.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_stays_and_is_tried_again() {
    let simulator = world::cluster();
    let folder = tempfile::tempdir().unwrap();
    let writing = Writing::start(&simulator, folder.path(), &FILES);
    sleep(START).await;
    let file = folder.path().join("web.json");
    let before = fs::read(&file).unwrap();
    let in_the_way = folder.path().join(".new/web.json.new");
    fs::create_dir_all(in_the_way.join("x")).unwrap();
    world::change(&simulator);
    let up_to_date = writing.state.view().up_to_date;
    sleep(10 * MINUTE).await;
    assert!(fs::read(&file).unwrap() == before, "the old one stays");
    let view = writing.state.view();
    assert!((10..=18).contains(&view.failures), "{} attempts in ten minutes", view.failures);
    assert_eq!(view.up_to_date, up_to_date);
    writing.assert_same(folder.path(), &FILES[1..2], "others are written").await;

    fs::remove_dir_all(&in_the_way).unwrap();
    sleep(MINUTE + SOON).await;
    writing.assert_same(folder.path(), &FILES, "again").await;
    assert_eq!(writing.state.view().failures, view.failures);
    assert!(writing.state.view().up_to_date > up_to_date);
}

#[tokio::test(start_paused = true)]
async fn ready_when_what_the_files_need_has_synced() {
    let simulator = world::cluster();
    let rule = simulator.fault(On::resource("services").status(403));
    let folder = tempfile::tempdir().unwrap();
    let writing = Writing::start(&simulator, folder.path(), &FILES);
    let admin = writing.asked.admin_of_files(&writing.state);
    sleep(START).await;
    let (status, reason) = ask(&admin, "/readyz").await;
    assert_eq!(status, 503);
    assert!(reason.starts_with("not ready: services have not synced: "), "{reason}");
    sleep(MINUTE).await;
    assert_eq!(ask(&admin, "/readyz").await.0, 200, "one forbidden resource stops no rollout");

    simulator.remove_fault(rule);
    let writing = Writing::start(&simulator, folder.path(), &FILES);
    let admin = writing.asked.admin_of_files(&writing.state);
    sleep(START).await;
    assert_eq!(ask(&admin, "/readyz").await.0, 200);
}

/// Appears, changes, and survives the end of the sidecar.
#[tokio::test]
#[ignore = "needs a Prometheus; run by .ci/run prometheus"]
async fn prometheus_follows_the_files_and_keeps_them() {
    let (_, simulator) = example_cluster().await;
    let folder = tempfile::tempdir().unwrap();
    let files = [("pods", "pod"), ("slices", "endpointslice?attach=node")];
    let job = |name: &str| {
        format!(
            "- job_name: {name}\n  relabel_configs: [{{action: drop, regex: '.*'}}]\n  \
             file_sd_configs: [{{files: ['{}']}}]\n",
            folder.path().join(format!("{name}*.json")).display()
        )
    };
    let config = format!("scrape_configs:\n{}{}", job("pods"), job("slices"));
    let prometheus = Prometheus::start(&config).await;
    let writing = Writing::start(&simulator, folder.path(), &files);
    let follows = async |pod: Option<&str>| {
        for (name, query) in files {
            eventually(name, || async {
                let answer = writing.asked.ask(query, START).await?;
                let expected = discovered(answer.bytes());
                let found = prometheus.discovered(name).await;
                let has =
                    |pod| found.iter().any(|target| target.values().any(|value| value == pod));
                let has_pod = name != "pods" || pod.is_none_or(has);
                let same = found == expected && !found.is_empty() && has_pod;
                if same { Ok(()) } else { Err(format!("{found:#?}\nexpected {expected:#?}")) }
            })
            .await;
        }
    };
    follows(None).await;
    world::put(&simulator, world::pod("fresh", NODE, "10.1.0.200"));
    follows(Some("fresh")).await;
    let last = prometheus.discovered("pods").await;

    writing.task.abort();
    drop(writing);
    simulator.delete("Pod", "shop", "fresh"); // nobody is there to see it
    let late = Prometheus::start(&config).await;
    eventually("after the end, a Prometheus that starts", || async {
        let found = late.discovered("pods").await;
        if found == last { Ok(()) } else { Err(format!("{found:#?}")) }
    })
    .await;
    assert_eq!(prometheus.discovered("pods").await, last);
}

/// What these groups are, as Prometheus shows it.
fn discovered(groups: &[u8]) -> Vec<Discovered> {
    let groups: Vec<serde_json::Value> = serde_json::from_slice(groups).unwrap();
    let mut targets: Vec<Discovered> = groups
        .into_iter()
        .map(|group| {
            let mut labels: Discovered = serde_json::from_value(group["labels"].clone()).unwrap();
            labels.insert("__address__".to_owned(), group["targets"][0].as_str().unwrap().into());
            labels.retain(|_, value| !value.is_empty());
            labels
        })
        .collect();
    targets.sort();
    targets
}
