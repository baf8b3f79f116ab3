//! What wires, names and signals do, between a sidecar and the real API server. All faults begin together,
//! each with a sidecar and a proxy of its own; a Pod comes and another one goes meanwhile. The table in
//! docs/reliability.md has the same faults.

#![expect(clippy::print_stderr, reason = "what was measured")]

use super::api::Api;
use super::block_on;
use super::control_plane::{ControlPlane, year_now};
use super::oracle::discovered;
use super::process::{Process, requests};
use super::proxy::{Proxy, Wire};
use super::restarted::Restarted;
use super::support::http::get;
use super::support::served::Served;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::{Source, Timing};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const NODE: &str = "wire";
const PODS: u32 = 60;
const LASTS: Duration = Duration::from_secs(20);
/// How soon the Pods must be right after it. The longest delay between two tries is 30 s; a connection
/// that is dead says nothing until its silence is too long.
const SOON: Duration = Duration::from_secs(100);
/// Bookmarks come once a minute. The default is five minutes; one missed bookmark is enough here.
const SILENCE: Duration = Duration::from_secs(75);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// The document, with a row for each fault.
const DOCUMENT: &str = include_str!("../../docs/reliability.md");

/// The faults of a wire. A handshake has some 2,000 bytes of the server's.
const WIRES: [(&str, Wire); 12] = [
    ("connections are cut", Wire::Cut),
    ("connections are half-open", Wire::Dead),
    ("ends before the first byte", Wire::Broken(0)),
    ("ends in the head of a TLS record", Wire::Broken(3)),
    ("ends in the handshake", Wire::Broken(500)),
    ("ends after the handshake", Wire::Broken(2_500)),
    ("ends in an answer", Wire::Broken(8_000)),
    ("TLS: a wrong byte at once", Wire::Garbled(0)),
    ("TLS: a wrong byte in the certificate", Wire::Garbled(500)),
    ("TLS: a wrong byte in an answer", Wire::Garbled(4_000)),
    ("TLS: the other side speaks none", Wire::Foreign),
    ("a slow line", Wire::Slow),
];
const NO_NAME: &str = "the API server's name is unknown";
const STOPPED: &str = "SIGSTOP";
const NO_MEMORY: &str = "memory runs out, and every start again fails";
/// With the offset in the notation of libfaketime.
const CLOCKS: [(&str, &str); 2] =
    [("the clock jumps ten years ahead", "+3650d"), ("the clock jumps ten years back", "-3650d")];
/// No offset.
const RIGHT_CLOCK: &str = "+0";

pub(crate) fn faults(plane: &ControlPlane) {
    block_on(async {
        let api = Api::of(plane).await;
        api.create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})).await;
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NODE}});
        api.create(namespace).await;
        for number in 0..PODS {
            api.create(pod(number)).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut subjects = Vec::new();
        for (number, (name, wire)) in WIRES.into_iter().enumerate() {
            let proxy = Proxy::before(&plane.url).await;
            let kubeconfig = folder.path().join(number.to_string());
            plane.write_kubeconfig(&kubeconfig, &proxy.url);
            let source = Source::Kubeconfig { paths: vec![kubeconfig], context: None };
            let timing = Timing { watch_silence: SILENCE, ..Timing::alone() };
            let sidecar = Served::start_with(EndpointsFrom::default(), timing, &source, NODE).await;
            subjects.push(Subject::new(name, sidecar.url.clone(), By::Wire(wire, proxy, sidecar)));
        }
        let hosts = folder.path().join("hosts");
        let named = folder.path().join("named");
        let proxy = Proxy::before(&plane.url).await;
        plane.write_kubeconfig(&named, &proxy.url.replace("127.0.0.1", "api.test"));
        std::fs::write(&hosts, HOSTS).unwrap();
        let process = Process::start_with_hosts(&named, NODE, &hosts);
        subjects.push(Subject::new(NO_NAME, process.url.clone(), By::Name(hosts, proxy, process)));
        let process = Process::start(&plane.kubeconfig(), NODE, EndpointsFrom::default());
        subjects.push(Subject::new(STOPPED, process.url.clone(), By::Signal(process)));
        for (number, (name, offset)) in CLOCKS.into_iter().enumerate() {
            let proxy = Proxy::before(&plane.url).await;
            let kubeconfig = folder.path().join(format!("clock-{number}"));
            plane.write_kubeconfig(&kubeconfig, &proxy.url);
            let clock = folder.path().join(format!("offset-{number}"));
            std::fs::write(&clock, RIGHT_CLOCK).unwrap();
            let process = Process::start_with_clock(&kubeconfig, NODE, &clock);
            let url = process.url.clone();
            subjects.push(Subject::new(name, url, By::Clock(offset, clock, proxy, process)));
        }
        let restarted = Restarted::start(plane.kubeconfig(), NODE);
        subjects.push(Subject::new(NO_MEMORY, restarted.url(), By::Memory(restarted)));

        let before: BTreeSet<String> = (0..PODS).map(name_of).collect();
        become_right(&mut subjects, &BTreeSet::new(), &before, Duration::from_secs(60)).await;
        for subject in &subjects {
            if let By::Memory(restarted) = &subject.by {
                restarted.has_saved().await;
            }
        }
        subjects.iter_mut().for_each(|subject| subject.by.begin());
        api.delete(&format!("/api/v1/namespaces/{NODE}/pods/{}", name_of(0))).await;
        api.create(pod(PODS)).await;
        let stay: BTreeSet<String> = (1..PODS).map(name_of).collect();
        let after: BTreeSet<String> = (1..=PODS).map(name_of).collect();
        let began = Instant::now();
        while began.elapsed() < LASTS {
            for subject in &mut subjects {
                subject.lost_none_of(&stay).await;
            }
            sleep(BETWEEN_LOOKS).await;
        }
        for Subject { name, by, .. } in &subjects {
            // Back it works the same way; but the Date of hyper's answers never goes back.
            if let By::Clock("+3650d", .., process) = by {
                let apart = process.year().await.abs_diff(year_now());
                assert!(apart > 8, "{name}: the clock is {apart} years off");
            }
        }
        subjects.iter_mut().for_each(|subject| subject.by.end());
        become_right(&mut subjects, &stay, &after, SOON).await;
        for Subject { name, right_after, by, .. } in &subjects {
            let requests = by.requests().await;
            let right_after = right_after.expect("it became right").as_secs_f64();
            eprintln!("{name}: right {right_after:.1} s after the fault, {requests} requests");
            assert!(requests <= 60, "{name}: {requests} requests");
        }
        for Subject { name, .. } in &subjects {
            assert!(DOCUMENT.contains(&format!("| {name} | 0 |")), "not in the document: {name}");
        }
    });
}

/// A sidecar that is told to stop while many ask: each gets a whole answer or none; and the process ends
/// well.
pub(crate) fn sigterm_under_load(plane: &ControlPlane) {
    const CLIENTS: usize = 50;
    block_on(async {
        let mut process =
            Process::start(&plane.kubeconfig(), "terminated", EndpointsFrom::default());
        process.serves("pod").await;
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..CLIENTS {
            let url = format!("{}/sd/pod", process.url);
            clients.spawn(async move {
                let mut answers = 0;
                loop {
                    match get(&url).await {
                        Ok(_) => answers += 1,
                        Err(error) => return (answers, error),
                    }
                }
            });
        }
        sleep(Duration::from_secs(1)).await;
        process.signal(Signal::TERM);
        let status = timeout(Duration::from_secs(10), process.ended()).await.expect("it ends");
        assert!(status.success(), "{status}");
        let mut answers = 0;
        while let Some(client) = clients.join_next().await {
            let (count, error) = client.unwrap();
            answers += count;
            // No answer at all, of a connection that nothing had been read from; but never half a one.
            assert!(error.contains("503") || error.contains("legacy::Error"), "{error}");
        }
        assert!(answers > CLIENTS, "{answers} answers are no load");
    });
}

/// A name that the certificate has.
const HOSTS: &str = "127.0.0.1 api.test\n";

/// A sidecar that suffers a fault.
struct Subject {
    name: &'static str,
    url: String,
    right_after: Option<Duration>,
    by: By,
}

/// What it suffers by.
enum By {
    Wire(Wire, Proxy, Served),
    /// The file with its names. Who is connected needs no name, so connections break too.
    Name(PathBuf, Proxy, Process),
    Signal(Process),
    /// What the file with the offset says, whom certificates are not valid for then. Connections break too: who
    /// is connected checks none.
    Clock(&'static str, PathBuf, Proxy, Process),
    Memory(Restarted),
}

// === impl Subject ===

impl Subject {
    fn new(name: &'static str, url: String, by: By) -> Self {
        Self { name, url, right_after: None, by }
    }

    /// The Pods that are targets. A client that gets no answer keeps what it has.
    async fn pods(&self) -> Result<BTreeSet<String>, String> {
        let url = format!("{}/sd/pod?namespace={NODE}", self.url);
        let answer = timeout(Duration::from_secs(1), get(&url)).await;
        let answer = answer.map_err(|_| "no answer within a second".to_owned())??;
        let name = "__meta_kubernetes_pod_name";
        Ok(discovered(&answer).into_iter().filter_map(|mut target| target.remove(name)).collect())
    }

    async fn lost_none_of(&mut self, stay: &BTreeSet<String>) {
        self.by.look();
        if let Ok(pods) = self.pods().await {
            assert!(stay.is_subset(&pods), "{}: lost {:?}", self.name, stay - &pods);
        }
    }
}

// === impl By ===

impl By {
    fn begin(&mut self) {
        match self {
            Self::Wire(wire, proxy, _) => proxy.becomes(*wire),
            Self::Name(hosts, proxy, _) => {
                std::fs::write(hosts, "").unwrap();
                proxy.cut();
                proxy.mend();
            }
            Self::Signal(process) => process.signal(Signal::STOP),
            Self::Clock(offset, clock, proxy, _) => {
                std::fs::write(clock, offset).unwrap();
                proxy.cut();
                proxy.mend();
            }
            Self::Memory(restarted) => restarted.runs_out_of_memory(),
        }
    }

    /// What happens by itself, but for the test.
    fn look(&mut self) {
        if let Self::Memory(restarted) = self {
            restarted.look();
        }
    }

    fn end(&mut self) {
        match self {
            Self::Wire(_, proxy, _) => proxy.mend(),
            Self::Name(hosts, ..) => std::fs::write(hosts, HOSTS).unwrap(),
            Self::Signal(process) => process.signal(Signal::CONT),
            Self::Clock(_, clock, ..) => std::fs::write(clock, RIGHT_CLOCK).unwrap(),
            Self::Memory(restarted) => {
                assert!(restarted.restarts > 10, "{} starts again failed", restarted.restarts);
                restarted.has_memory();
            }
        }
    }

    async fn requests(&self) -> u64 {
        match self {
            Self::Wire(_, _, sidecar) => {
                requests(&format!("http://{}", sidecar.admin_address())).await
            }
            Self::Name(.., process) | Self::Signal(process) | Self::Clock(.., process) => {
                process.requests().await
            }
            Self::Memory(restarted) => requests(&restarted.admin()).await,
        }
    }
}

/// Waits until all have these Pods, and sees that none loses one that stays.
async fn become_right(
    subjects: &mut [Subject],
    stay: &BTreeSet<String>,
    expected: &BTreeSet<String>,
    soon: Duration,
) {
    let began = Instant::now();
    subjects.iter_mut().for_each(|subject| subject.right_after = None);
    loop {
        let mut wrong = Vec::new();
        for subject in &mut *subjects {
            subject.by.look();
            match subject.pods().await {
                Ok(pods) if pods == *expected => {
                    subject.right_after.get_or_insert_with(|| began.elapsed());
                }
                Ok(pods) => {
                    let lost = stay - &pods;
                    assert!(lost.is_empty(), "{}: lost {lost:?}", subject.name);
                    wrong.push(subject.name.to_owned());
                }
                Err(error) => wrong.push(format!("{}: {error}", subject.name)),
            }
        }
        if wrong.is_empty() {
            return;
        }
        assert!(began.elapsed() < soon, "not right after {soon:?}: {wrong:?}");
        sleep(BETWEEN_LOOKS).await;
    }
}

fn name_of(number: u32) -> String {
    format!("web-{number}")
}

fn pod(number: u32) -> Value {
    let ip = format!("10.230.0.{number}");
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name_of(number), "namespace": NODE},
        "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}})
}
