//! What outlives a restart, and what must not, in virtual time.

use crate::admin::ask;
use crate::support::asked::{Answer, Asked};
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::index::{EndpointsFrom, Excluded, Nodes, Share, Snapshot};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::sidecar::Kept;
use nodelocal_sd::simulator::{On, Simulator, Verb};
use nodelocal_sd::state::{Setup, StateFile};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::time::sleep;

/// Everything that has a watch or a read of its own is asked for.
const QUERIES: [&str; 4] = [
    "pod?attach=node&attach=namespace&attach=deployment",
    "endpointslice?attach=node",
    "endpoints",
    "node",
];
const PATIENCE: Duration = Duration::from_secs(5);
/// After it the cluster's identity is known: it is asked for with a jitter.
const A_MOMENT: Duration = Duration::from_secs(3);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Runs of a sidecar, one after the other, on one machine.
struct Runs {
    simulator: Simulator,
    folder: TempDir,
    first: Snapshot,
    boot_id: &'static str,
    /// How much later than it is the next run begins.
    later: Duration,
    /// And how much earlier.
    earlier: Duration,
}

// === impl Runs ===

impl Runs {
    /// Against a cluster that has something of each kind.
    fn new(first: Snapshot) -> Self {
        let simulator = world::cluster();
        world::put(
            &simulator,
            json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {}}),
        );
        Self {
            simulator,
            folder: tempfile::tempdir().unwrap(),
            first,
            boot_id: "boot",
            later: Duration::ZERO,
            earlier: Duration::ZERO,
        }
    }

    fn of_node(from: EndpointsFrom) -> Self {
        Self::new(Snapshot::of(NODE, from, Excluded::default()))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn file(&self) -> PathBuf {
        self.path().join("objects.gz")
    }

    /// Starts one, with what the last has left.
    fn start(&self) -> Asked {
        self.start_in(&self.path())
    }

    fn start_in(&self, folder: &Path) -> Asked {
        let file = StateFile::new(folder, Setup::of(&self.first, self.boot_id));
        let now = SystemTime::now() + self.later - self.earlier;
        let restored = file.read(&self.first, now);
        let kept = Kept { file, restored };
        Asked::kept(self.first.clone(), &self.simulator, Timing::default(), kept)
    }

    /// One that has been asked everything, and has ended in order; what it answered.
    async fn run(&self) -> Vec<Answer> {
        let asked = self.start();
        let mut answers = Vec::new();
        for query in QUERIES {
            answers.push(asked.ask(query, PATIENCE).await.expect(query));
        }
        sleep(A_MOMENT).await;
        asked.keeper().save_last().await;
        assert_eq!(asked.keeper().status().writes, 1);
        answers
    }
}

/// What is answered to all queries at once, without any wait.
async fn at_once(asked: &Asked) -> Vec<Result<Answer, String>> {
    let mut answers = Vec::new();
    for query in QUERIES {
        answers.push(asked.ask(query, Duration::ZERO).await);
    }
    answers
}

/// What a sidecar that knows nothing yet answers.
async fn afresh(runs: &Runs) -> Vec<Answer> {
    let asked = Asked::after(runs.first.clone(), None, &runs.simulator, Timing::alone());
    let mut answers = Vec::new();
    for query in QUERIES {
        answers.push(asked.ask(query, PATIENCE).await.expect(query));
    }
    answers
}

fn assert_same(now: Vec<Result<Answer, String>>, expected: &[Answer], what: &str) {
    for ((now, expected), query) in now.into_iter().zip(expected).zip(QUERIES) {
        let now = now.unwrap_or_else(|reason| panic!("{what}, {query}: {reason}"));
        assert!(now == *expected, "{what}, {query}: {} targets", now.targets().len());
    }
}

fn complement() -> Snapshot {
    let nodes = Nodes { endpoints_from: EndpointsFrom::default(), may_lack_agents: false };
    Snapshot::of(Share::Complement(nodes), EndpointsFrom::Slices, Excluded::default())
}

#[tokio::test(start_paused = true)]
async fn with_the_api_server_away_the_same_is_served_at_once() {
    let node = |from| Snapshot::of(NODE, from, Excluded::default());
    for first in [node(EndpointsFrom::default()), node(EndpointsFrom::Slices), complement()] {
        let share = first.share.to_string();
        let runs = Runs::new(first);
        let before = runs.run().await;
        let mode = fs::metadata(runs.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "annotations may hold what others must not see");
        let left = fs::read(runs.file()).unwrap();

        let rule = runs.simulator.fault(On::any().refuse());
        let asked = runs.start();
        assert_same(at_once(&asked).await, &before, &share);
        let admin = asked.admin(None);
        assert_eq!(ask(&admin, "/startupz").await.0, 200, "the agent need not wait");
        assert_eq!(ask(&admin, "/readyz").await.0, 200);
        assert!(ask(&admin, "/metrics").await.1.contains("\nnodelocal_sd_stale{} 1.0\n"));
        sleep(30 * MINUTE).await;
        assert_same(at_once(&asked).await, &before, &share);
        asked.keeper().save_last().await;
        assert!(fs::read(runs.file()).unwrap() == left, "what is not confirmed keeps its age");

        runs.simulator.remove_fault(rule);
        sleep(2 * MINUTE).await;
        let metrics = ask(&admin, "/metrics").await.1;
        assert!(
            metrics.contains("\nnodelocal_sd_stale{} 0.0\n"),
            "an event, a bookmark or a list came"
        );
        assert!(metrics.contains("\nnodelocal_sd_state_written_timestamp_seconds{} "));
        assert_same(at_once(&asked).await, &before, &share);
        asked.keeper().save_last().await;
        assert!(asked.keeper().status().writes > 0);
    }
}

/// A list costs the API server much more than a watch that goes on. One comes all the same, minutes later.
#[tokio::test(start_paused = true)]
async fn watches_resume_and_a_list_makes_sure_later() {
    for (from, kinds) in [(EndpointsFrom::Slices, 6), (EndpointsFrom::default(), 4)] {
        let runs = Runs::of_node(from);
        let before = runs.run().await;
        runs.simulator.forget_requests();
        let asked = runs.start();
        let requests = |verb, resource: &str| {
            runs.simulator.count_requests(|r| {
                r.verb == verb && (resource.is_empty() || r.resource == resource)
            })
        };
        sleep(A_MOMENT).await;
        asked.keeper().save_last().await;
        assert_eq!(asked.keeper().status().writes, 0, "what is not confirmed keeps its age");
        sleep(MINUTE - 5 * A_MOMENT).await;
        assert_eq!(requests(Verb::Watch, ""), kinds, "{from:?}");
        assert_eq!(requests(Verb::List, ""), 1, "{from:?}: which Node it is");
        let owners = requests(Verb::Get, "replicasets");
        assert_eq!(owners, 0, "whose owner an owner is does not change");
        for minute in 1..=12 {
            assert_same(at_once(&asked).await, &before, "once more");
            sleep(MINUTE).await;
            if minute <= 3 {
                assert_eq!(requests(Verb::List, "services"), 0, "not all nodes at once");
            }
        }
        assert_eq!(requests(Verb::List, "pods"), 1);
        assert_eq!(requests(Verb::List, "services"), 2, "two pages");
        assert_eq!(requests(Verb::List, "nodes"), 2, "with the one at the start");
    }
}

/// What must not be used is as if it were not there. With the API server away nothing is answered.
#[tokio::test(start_paused = true)]
async fn what_is_of_another_time_or_place_is_not_served() {
    type Change = fn(&mut Runs);
    let cases: [(&str, Change, bool); 10] = [
        ("nothing", |_| {}, true),
        ("a moment", |runs| runs.later = HOUR, true),
        ("more than a day", |runs| runs.later = 25 * HOUR, false),
        ("a clock that was put back", |runs| runs.earlier = HOUR, false),
        ("another boot", |runs| runs.boot_id = "other", false),
        ("another node", |runs| runs.first.share = "node-b".into(), false),
        ("the complement", |runs| runs.first = complement(), false),
        ("another flag", |runs| runs.first.endpoints_from = EndpointsFrom::default(), false),
        ("a cut", |runs| cut(&runs.file()), false),
        ("another file", |runs| fs::write(runs.file(), "no state").unwrap(), false),
    ];
    for (what, change, is_served) in cases {
        let mut runs = Runs::of_node(EndpointsFrom::Slices);
        runs.run().await;
        runs.simulator.fault(On::any().refuse());
        change(&mut runs);
        let asked = runs.start();
        for (answer, query) in at_once(&asked).await.into_iter().zip(QUERIES) {
            assert_eq!(answer.is_ok(), is_served, "{what}: {query}");
        }
        sleep(10 * MINUTE).await;
        let answer = asked.ask("pod", Duration::ZERO).await;
        assert_eq!(answer.is_ok(), is_served, "{what}: later");
    }
}

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() - 9]).unwrap();
}

/// Only the API server can tell. All of it goes, and all is listed.
#[tokio::test(start_paused = true)]
async fn the_state_of_another_node_or_cluster_is_dropped() {
    let another = |simulator: &Simulator, kind, namespace, name| {
        let mut object = serde_json::Value::clone(&simulator.get(kind, namespace, name).unwrap());
        simulator.delete(kind, namespace, name);
        object["metadata"].as_object_mut().unwrap().remove("uid");
        world::put(simulator, object);
    };
    for from in [None, Some(EndpointsFrom::Slices), Some(EndpointsFrom::default())] {
        let first =
            from.map_or_else(complement, |from| Snapshot::of(NODE, from, Excluded::default()));
        let runs = Runs::new(first);
        runs.run().await;
        let simulator = &runs.simulator;
        match from {
            Some(_) => another(simulator, "Node", "", NODE),
            None => another(simulator, "Service", "default", "kubernetes"),
        }
        // A watch that resumed would not tell it: the Pod went unseen.
        simulator.delete("Pod", "shop", &world::pod_name(0));
        simulator.fault(On::watch("pods").hang_after_events(0));
        simulator.forget_requests();
        let asked = runs.start();
        sleep(Duration::from_secs(10)).await;
        let lists = |resource: &str| {
            simulator.count_requests(|r| r.verb == Verb::List && r.resource == resource)
        };
        assert!(lists("pods") == 1 && lists("services") >= 2, "{from:?}: all is listed");
        assert_same(at_once(&asked).await, &afresh(&runs).await, "the other");
    }
}

/// Nobody can tell any more whether it is the same cluster: lists do, and what is known is served meanwhile.
#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_the_node_all_is_listed() {
    let runs = Runs::of_node(EndpointsFrom::Slices);
    let before = runs.run().await;
    runs.simulator.delete("Pod", "shop", "elsewhere");
    runs.simulator.fault(On::list("nodes").status(403));
    runs.simulator.fault(On::list("pods").times(2).status(500));
    let asked = runs.start();
    for _ in 0..30 {
        assert_same(at_once(&asked).await, &before, "while it is listed");
        sleep(Duration::from_secs(1)).await;
    }
    let lists = runs.simulator.count_requests(|r| r.verb == Verb::List && r.resource == "pods");
    assert_eq!(lists, 1 + 3, "of the first run, two that failed, and one that did not");
}

/// However the API server tells what happened while nobody looked.
#[tokio::test(start_paused = true)]
async fn what_happened_meanwhile_is_seen() {
    type Meanwhile = fn(&Simulator);
    let cases: [(&str, Meanwhile, Duration); 3] = [
        ("told by the watches", |_| {}, Duration::from_secs(5)),
        ("versions have expired: listed", Simulator::compact, 4 * MINUTE),
        (
            "watches that tell nothing: listed some minutes later",
            |simulator| {
                let _ = simulator.fault(On::any().verb(Verb::Watch).hang_after_events(0));
            },
            11 * MINUTE,
        ),
    ];
    for from in [EndpointsFrom::Slices, EndpointsFrom::default()] {
        for (how, meanwhile, within) in cases {
            let runs = Runs::of_node(from);
            runs.run().await;
            world::change(&runs.simulator);
            meanwhile(&runs.simulator);
            let asked = runs.start();
            let old = asked.ask("pod", Duration::ZERO).await.expect("what is known");
            assert!(old.targets().iter().any(|t| t.contains(&world::pod_name(PODS - 1))));
            sleep(within).await;
            runs.simulator.clear_faults();
            assert_same(at_once(&asked).await, &afresh(&runs).await, how);
        }
    }
}

/// A crash does not ask: what changed is on disk some seconds later, and versions some minutes later.
#[tokio::test(start_paused = true)]
async fn changes_are_saved_as_they_come() {
    let runs = Runs::of_node(EndpointsFrom::Slices);
    let asked = runs.start();
    for query in QUERIES {
        asked.ask(query, PATIENCE).await.expect(query);
    }
    let writes = || asked.keeper().status().writes;
    sleep(Duration::from_secs(15)).await;
    assert_eq!(writes(), 1);
    for number in 0..100 {
        world::put(&runs.simulator, world::pod("new", NODE, &format!("10.3.0.{number}")));
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_secs(15)).await;
    assert!((2..=3).contains(&writes()), "{} for a hundred changes", writes());
    let before = writes();
    for _ in 0..60 {
        sleep(MINUTE).await; // a bookmark
        runs.simulator.advance_to(runs.simulator.resource_version() + 100);
    }
    let quiet = writes() - before;
    assert!((10..=14).contains(&quiet), "{quiet} in a quiet hour");
    let last = asked.ask("pod", PATIENCE).await.expect("an answer");
    drop(asked); // without a word
    runs.simulator.fault(On::any().refuse());
    let again = runs.start().ask("pod", Duration::ZERO).await.expect("what is known");
    assert!(again == last);
}

/// A disk that cannot be written costs a warning, and nothing else.
#[tokio::test(start_paused = true)]
async fn without_a_place_everything_is_as_without_it() {
    let runs = Runs::of_node(EndpointsFrom::Slices);
    let file = runs.folder.path().join("a-file");
    fs::write(&file, "no folder").unwrap();
    let taken = runs.folder.path().join("taken");
    fs::create_dir_all(taken.join("objects.gz/inside")).unwrap();
    let read_only = Path::new("/proc/nodelocal-sd").to_owned();
    for folder in [file, taken.clone(), read_only] {
        let asked = runs.start_in(&folder);
        for query in QUERIES {
            asked.ask(query, PATIENCE).await.expect(query);
        }
        sleep(A_MOMENT).await;
        asked.keeper().save_last().await;
        let status = asked.keeper().status();
        assert_eq!((status.writes, status.failures), (0, 1), "{}", folder.display());
        sleep(10 * MINUTE).await;
        assert!(asked.keeper().status().failures > 1, "it is tried again");
        asked.ask("pod", Duration::ZERO).await.expect("an answer");
    }
    assert_eq!(
        fs::read_dir(&taken).unwrap().count(),
        1,
        "nothing is left of what could not be written"
    );
}

/// Whatever the disk makes of it: the state is the one that was written, or none.
#[tokio::test(start_paused = true)]
async fn no_damage_to_the_file_does_harm() {
    let runs = Runs::of_node(EndpointsFrom::Slices);
    runs.run().await;
    let good = fs::read(runs.file()).unwrap();
    let file = StateFile::new(&runs.path(), Setup::of(&runs.first, runs.boot_id));
    let now = SystemTime::now();
    let read = |bytes: &[u8]| {
        fs::write(runs.file(), bytes).unwrap();
        let snapshot = file.read(&runs.first, now)?.index.take_snapshot()?;
        Some(format!("{snapshot:?}"))
    };
    let whole = read(&good).expect("it is good");
    let mut random = fastrand::Rng::with_seed(8);
    let (mut refused, rounds) = (0, 100);
    for _ in 0..rounds {
        let mut bytes = good.clone();
        match random.u8(0..3) {
            0 => bytes.truncate(random.usize(0..bytes.len())),
            1 => {
                let at = random.usize(0..bytes.len());
                bytes[at] ^= 1 << random.u8(0..8);
            }
            _ => {
                let from = random.usize(0..bytes.len() - 1);
                let to = random.usize(from + 1..bytes.len());
                random.fill(&mut bytes[from..to]);
            }
        }
        match read(&bytes) {
            Some(other) => assert!(other == whole, "a state that nobody wrote"),
            None => refused += 1,
        }
    }
    assert!(refused > rounds * 9 / 10, "{refused} of {rounds}");
}

/// What was saved for a question that nobody asks any more is forgotten, and not served old later.
#[tokio::test(start_paused = true)]
async fn an_outage_that_outlasts_the_questions() {
    let runs = Runs::of_node(EndpointsFrom::Slices);
    runs.run().await;
    let rule = runs.simulator.fault(On::any().refuse());
    let asked = runs.start();
    sleep(30 * MINUTE).await;
    world::change(&runs.simulator);
    runs.simulator.clear_faults();
    runs.simulator.remove_fault(rule);
    sleep(2 * MINUTE).await;
    assert!(!asked.board().is_stale());
    asked.ask("pod", Duration::ZERO).await.expect("own Pods are always watched");
    asked.ask("endpoints", Duration::ZERO).await.map(drop).expect_err("not watched any more");
    for (query, expected) in QUERIES.into_iter().zip(afresh(&runs).await) {
        let now = asked.ask(query, PATIENCE).await.expect(query);
        assert!(now == expected, "{query}");
    }
}

/// The watches of parts of the cluster resume, too.
#[tokio::test(start_paused = true)]
async fn watches_of_namespaces_resume() {
    const QUERY: &str = "endpointslice?namespace=shop";
    let runs = Runs::of_node(EndpointsFrom::default());
    // A Service without a selector, which has a slice that somebody else writes.
    world::put(
        &runs.simulator,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "by-hand", "namespace": "shop"},
            "spec": {"ports": [{"name": "http", "port": 80}]}}),
    );
    world::put(
        &runs.simulator,
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "by-hand", "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "by-hand"}},
            "ports": [{"name": "http", "port": 80}],
            "endpoints": [{"addresses": ["10.9.0.1"], "nodeName": NODE}]}),
    );
    let asked = runs.start();
    let before = asked.ask(QUERY, PATIENCE).await.expect("an answer");
    assert_eq!(before.targets().len(), PODS + 1);
    sleep(A_MOMENT).await;
    asked.keeper().save_last().await;
    drop(asked);
    runs.simulator.forget_requests();
    let asked = runs.start();
    let at_once = asked.ask(QUERY, Duration::ZERO).await.expect("what is known");
    assert!(at_once == before);
    sleep(MINUTE - Duration::from_secs(5)).await;
    let requests = runs.simulator.requests();
    let lists = requests.iter().filter(|r| r.verb == Verb::List).count();
    assert_eq!(lists, 1, "which Node it is");
    let parts = requests.iter().filter(|r| r.target.contains("/namespaces/shop/"));
    assert_eq!(parts.filter(|r| r.verb == Verb::Watch).count(), 2, "Services and slices");
    sleep(2 * MINUTE).await;
    assert!(!asked.board().is_stale());
}
