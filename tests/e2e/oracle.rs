//! A real Prometheus that discovers by itself, and the sidecars of all nodes, which must serve the same,
//! each for its node.

use super::jobs::{Job, config};
use super::random_cluster::{NODES, UNKNOWN_NODE};
use super::support::http::get;
use super::support::prometheus::{Discovered, Prometheus, node_of};
use super::support::served::Served;
use nodelocal_sd::index::{Deriving, EndpointsFrom, ForeignSlices, KubeletAddress};
use nodelocal_sd::kube::Source;
use nodelocal_sd::targets::Profile;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;

/// A Prometheus of some version, with all jobs.
pub(crate) struct Oracle {
    prometheus: Prometheus,
    pub(crate) profile: Profile,
    pub(crate) jobs: Vec<Job>,
    /// How the names of the namespaces begin that count.
    namespaces: &'static str,
}

/// Sidecars, on each node at least one.
pub(crate) struct Fleet {
    pub(crate) sidecars: Vec<At>,
    _served: Vec<Served>,
}

/// A sidecar, wherever it runs.
pub(crate) struct At {
    pub(crate) node: String,
    pub(crate) url: String,
    pub(crate) from: EndpointsFrom,
}

/// What the jobs found, on both sides, by the position of the job.
pub(crate) type Found = BTreeMap<usize, Vec<Discovered>>;

/// The nodes that targets can be on.
pub(crate) const ALL_NODES: [&str; 4] = [NODES[0], NODES[1], NODES[2], UNKNOWN_NODE];

/// Prometheus takes over what it discovers every five seconds.
const THROTTLE: Duration = Duration::from_secs(6);
/// How long nothing may become equal before the rest is taken to be different.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Where derived endpoints come from. All foreign slices are watched, so that nothing but the labels that
/// cannot be known may differ.
pub(crate) const DERIVED: EndpointsFrom = EndpointsFrom::Pods(Deriving {
    foreign_slices: ForeignSlices::All,
    kubelet_address: KubeletAddress::InternalFirst,
});

// === impl Fleet ===

impl Fleet {
    /// A sidecar on each of these nodes.
    pub(crate) async fn start(kubeconfig: &Path, nodes: &[&str], from: EndpointsFrom) -> Self {
        let source = Source::Kubeconfig { paths: vec![kubeconfig.to_owned()], context: None };
        let (mut sidecars, mut served) = (Vec::new(), Vec::new());
        for node in nodes {
            let sidecar = Served::start_from(from, &source, node).await;
            sidecars.push(At { node: (*node).to_owned(), url: sidecar.url.clone(), from });
            served.push(sidecar);
        }
        Self { sidecars, _served: served }
    }

    /// These and those.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.sidecars.extend(others.sidecars);
        self._served.extend(others._served);
        self
    }

    /// Sidecars of both modes. Of a node that does not exist only slices can tell: the controllers leave
    /// its Pods out, while a sidecar takes its own node to be there.
    pub(crate) async fn of_both_modes(kubeconfig: &Path) -> Self {
        let reads = Self::start(kubeconfig, &ALL_NODES, EndpointsFrom::Slices).await;
        reads.and(Self::start(kubeconfig, &NODES, DERIVED).await)
    }

    /// Sidecars that run elsewhere.
    pub(crate) fn at(sidecars: Vec<At>) -> Self {
        Self { sidecars, _served: Vec::new() }
    }
}

// === impl Oracle ===

impl Oracle {
    /// Starts a Prometheus with the jobs that fit its version.
    pub(crate) async fn start(
        binary: &Path,
        kubeconfig: &Path,
        jobs: impl FnOnce(Profile) -> Vec<Job>,
    ) -> Self {
        let profile = profile_of(binary);
        let jobs = jobs(profile);
        let prometheus = Prometheus::start_as(binary, &config(kubeconfig, &jobs), &[]).await;
        Self { prometheus, profile, jobs, namespaces: "" }
    }

    /// Jobs of the whole cluster see what other tests change meanwhile, which no two can see at the same
    /// moment. So only these namespaces count, and what is in none.
    pub(crate) fn of_namespaces(self, prefix: &'static str) -> Self {
        Self { namespaces: prefix, ..self }
    }

    /// What it discovers by itself for a job.
    pub(crate) async fn discovered(&self, job: &Job) -> Vec<Discovered> {
        self.prometheus.discovered(&job.name).await
    }

    fn counts(&self, target: &Discovered) -> bool {
        let namespace = target.get("__meta_kubernetes_namespace");
        namespace.is_none_or(|namespace| namespace.starts_with(self.namespaces))
    }

    /// Waits until each job gives the same on both sides. Otherwise the jobs that do not, and how
    /// they differ.
    pub(crate) async fn agree(&self, fleet: &Fleet) -> Result<Found, Vec<(usize, String)>> {
        let (found, differences) = self.agree_within(fleet, PATIENCE).await;
        if differences.is_empty() { Ok(found) } else { Err(differences) }
    }

    /// The jobs that come to give the same on both sides, and how the others differ.
    pub(crate) async fn agree_within(
        &self,
        fleet: &Fleet,
        patience: Duration,
    ) -> (Found, Vec<(usize, String)>) {
        let mut found = Found::new();
        let mut progress = Instant::now();
        loop {
            let mut differences = Vec::new();
            let mut empty = Vec::new();
            for number in 0..self.jobs.len() {
                if found.contains_key(&number) {
                    continue;
                }
                match self.compare(number, fleet).await {
                    // Or Prometheus has not begun to discover; only time can tell.
                    Ok(targets) if targets.is_empty() => empty.push(number),
                    Ok(targets) => {
                        found.insert(number, targets);
                        progress = Instant::now();
                    }
                    Err(difference) => differences.push((number, difference)),
                }
            }
            if differences.is_empty() && (empty.is_empty() || progress.elapsed() > THROTTLE) {
                found.extend(empty.into_iter().map(|number| (number, Vec::new())));
                return (found, differences);
            }
            if progress.elapsed() > patience {
                return (found, differences);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// What both sides have for a job, or how they differ.
    async fn compare(&self, number: usize, fleet: &Fleet) -> Result<Vec<Discovered>, String> {
        let job = &self.jobs[number];
        let by_itself = self.prometheus.discovered(&job.name).await;
        match self.difference(job, &by_itself, fleet).await? {
            None => Ok(by_itself),
            Some(difference) => Err(difference),
        }
    }

    /// How what the fleet serves differs from these targets: each must come from its node and from no
    /// other. An error is no answer, which says nothing.
    pub(crate) async fn difference(
        &self,
        job: &Job,
        expected: &[Discovered],
        fleet: &Fleet,
    ) -> Result<Option<String>, String> {
        for At { node, url, from } in &fleet.sidecars {
            let mut ours = discovered(&get(&job.url(url, self.profile)).await?);
            ours.retain(|target| self.counts(target));
            let of_node =
                |target: &&Discovered| node_of(target) == Some(node) && self.counts(target);
            let mut expected: Vec<_> = expected.iter().filter(of_node).cloned().collect();
            if from.is_pods() {
                (ours, expected) = (derivable(ours), derivable(expected));
            }
            let forgiven = ours != expected
                && job.is_of_endpoints()
                && lacks_owners(&ours, &expected, &owners_of_pods(url).await?);
            if ours != expected && !forgiven {
                let mode = if from.is_pods() { "derived" } else { "read" };
                let difference = difference(&ours, &expected);
                return Ok(Some(format!("{job}: {node}, {mode}: {difference}")));
            }
        }
        let elsewhere = |target: &&Discovered| {
            node_of(target).is_some_and(|node| fleet.sidecars.iter().all(|at| at.node != node))
        };
        let nowhere = expected.iter().filter(|target| self.counts(target)).find(elsewhere);
        Ok(nowhere.map(|target| format!("{job}: no sidecar is on the node of {target:?}")))
    }
}

/// The label profile of a Prometheus binary.
pub(crate) fn profile_of(binary: &Path) -> Profile {
    Profile::of_user_agent(&format!("Prometheus/{}", version_of(binary)))
}

/// What that binary says its version is, without what a distribution adds.
pub(crate) fn version_of(binary: &Path) -> String {
    let output = Command::new(binary).arg("--version").output().expect("it can be started");
    let text = [output.stdout, output.stderr].concat(); // before 3.0 it is the latter
    let text = String::from_utf8_lossy(&text);
    let version = text.split("version ").nth(1).and_then(|rest| rest.split([' ', '+', ',']).next());
    version.expect("it says its version").to_owned()
}

/// Our answer in the form in which Prometheus shows targets.
pub(crate) fn discovered(body: &str) -> Vec<Discovered> {
    #[derive(Deserialize)]
    struct Group {
        targets: Vec<String>,
        labels: BTreeMap<String, String>,
    }
    let groups: Vec<Group> = serde_json::from_str(body).expect("an http_sd answer");
    let mut targets: Vec<Discovered> = groups
        .into_iter()
        .flat_map(|Group { targets, labels }| {
            targets.into_iter().map(move |address| {
                let mut labels = labels.clone();
                labels.insert("__address__".to_owned(), address);
                labels
            })
        })
        .collect();
    targets.sort();
    targets
}

const OWNERS: [&str; 2] =
    ["__meta_kubernetes_pod_deployment_name", "__meta_kubernetes_pod_cronjob_name"];
type Owners = [Option<String>; 2];

/// Whether Prometheus' targets are ours, but that some lack their Deployment or CronJob. In the roles
/// endpointslice and endpoints it does not wait for its ReplicaSets and Jobs before it makes the first
/// targets, nor make them again afterwards (seen in 3.16.0, `EndpointSlice.Run`). In role pod it waits;
/// there the same owners are compared, and ours must be those.
fn lacks_owners(
    ours: &[Discovered],
    its_own: &[Discovered],
    in_role_pod: &BTreeMap<String, Owners>,
) -> bool {
    let split = |targets: &[Discovered]| {
        let mut all: Vec<(Discovered, Owners)> = Vec::new();
        for target in targets {
            let mut rest = target.clone();
            let owners = OWNERS.map(|owner| rest.remove(owner));
            all.push((rest, owners));
        }
        all.sort();
        all
    };
    let right = |target: &Discovered, owners: &Owners| {
        // A Pod without an address is no target there.
        let uid = target.get("__meta_kubernetes_pod_uid");
        uid.and_then(|uid| in_role_pod.get(uid)).is_none_or(|shown| shown == owners)
    };
    let (ours, its_own) = (split(ours), split(its_own));
    ours.len() == its_own.len()
        && ours.iter().zip(&its_own).all(|((target, owners), (same, others))| {
            let lacks = others.iter().all(Option::is_none) && right(target, owners);
            target == same && (owners == others || lacks)
        })
}

/// The owners that a sidecar shows in role pod, by the Pod's uid.
async fn owners_of_pods(url: &str) -> Result<BTreeMap<String, Owners>, String> {
    let answer = get(&format!("{url}/sd/pod?attach=deployment&attach=cronjob")).await?;
    let owners = |target: Discovered| {
        let uid = target.get("__meta_kubernetes_pod_uid").cloned().unwrap_or_default();
        (uid, OWNERS.map(|owner| target.get(owner).cloned()))
    };
    Ok(discovered(&answer).into_iter().map(owners).collect())
}

/// Without what only a slice that was read can have.
pub(crate) fn derivable(mut targets: Vec<Discovered>) -> Vec<Discovered> {
    let time = "endpoints_kubernetes_io_last_change_trigger_time";
    for target in &mut targets {
        target.remove("__meta_kubernetes_endpointslice_name");
        for resource in ["endpointslice", "endpoints"] {
            for kind in ["annotation", "annotationpresent"] {
                target.remove(&format!("__meta_kubernetes_{resource}_{kind}_{time}"));
            }
        }
    }
    targets.sort();
    targets
}

/// What only one side has, briefly.
fn difference(ours: &[Discovered], expected: &[Discovered]) -> String {
    let only = |these: &[Discovered], those: &[Discovered]| {
        let such: Vec<_> =
            these.iter().filter(|target| !those.contains(target)).take(2).cloned().collect();
        format!("{such:#?}")
    };
    format!("only ours {}\nonly its own {}", only(ours, expected), only(expected, ours))
}
