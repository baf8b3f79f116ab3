//! Which nodes have an agent, as the complement sees it: from the Pods of the agents.
//!
//! A node has an agent while a Pod of it is ready there, and for a delay after it was: through a rollout, and
//! while an agent starts again, its targets stay the node's. A node that has just come, and a Pod that has,
//! get the same delay, so that a new node's targets do not move twice. After a start the ages of
//! Pods and Nodes say what was not seen: what no agent can scrape must not wait for a delay once more.

use crate::demand::Demand;
use crate::index::{Change, Changes, Needs, PodSelector, Snapshot, Snapshots};
use crate::objects::{Pod, Resource, ResourceSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

/// The Pods of the agents.
#[derive(Clone, Debug)]
pub struct AgentPods {
    /// Which they are.
    pub pods: PodSelector,
    /// For how long a node may be without a ready one.
    pub delay: Duration,
}

/// Pods and Nodes of a whole cluster change all the time; once a second is often enough to look at them.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is said that Nodes are needed: so often that their watch is never closed.
const NEED_EVERY: Duration = Duration::from_secs(60);

const WATCHED: ResourceSet = ResourceSet::EMPTY.with(Resource::Pods).with(Resource::Nodes);

/// When each node last had an agent.
#[derive(Debug)]
struct Coverage {
    agents: AgentPods,
    last_had: BTreeMap<Arc<str>, Instant>,
    /// The nodes that had a ready one at the last look.
    ready: BTreeSet<Arc<str>>,
}

/// Tells the index which nodes have an agent, whenever that changes. Runs until the index is gone.
pub async fn follow(
    agents: AgentPods,
    demand: Arc<Demand>,
    snapshots: Arc<Snapshots>,
    changes: Changes,
) {
    let mut coverage = Coverage::new(agents);
    let mut told: Option<BTreeSet<Arc<str>>> = None;
    let mut versions = snapshots.subscribe();
    loop {
        demand.need(&Needs { resources: WATCHED, services: BTreeSet::new() });
        versions.borrow_and_update();
        let snapshot = snapshots.load();
        let mut next = Instant::now() + NEED_EVERY;
        if WATCHED.minus(snapshot.synced).is_empty() {
            let (covered, changes_at) = coverage.look(&snapshot, Instant::now(), SystemTime::now());
            next = changes_at.map_or(next, |at| next.min(at));
            if told.as_ref() != Some(&covered) {
                tell(&snapshot, &covered);
                if changes.send(Change::Agents(covered.clone())).await.is_err() {
                    return;
                }
                told = Some(covered);
            }
            sleep(PAUSE).await;
        }
        tokio::select! {
            changed = versions.changed() => if changed.is_err() { return },
            () = sleep_until(next) => {}
        }
    }
}

/// Says which nodes are the complement's: it takes over in silence otherwise.
fn tell(snapshot: &Snapshot, covered: &BTreeSet<Arc<str>>) {
    const NAMED: usize = 10;
    let names = snapshot.nodes.iter().map(|node| &node.meta.key.name);
    let without: Vec<&str> =
        names.filter(|name| !covered.contains(*name)).map(|name| &**name).collect();
    let named = without[..without.len().min(NAMED)].join(", ");
    let nodes = snapshot.nodes.len();
    let agents = nodes - without.len();
    if without.is_empty() {
        info!(nodes, "each node has an agent");
    } else if agents == 0 {
        warn!(
            nodes,
            "no node has a ready agent, so the targets of all are served here: is --agents right?"
        );
    } else {
        warn!(
            nodes,
            agents,
            "served here, because no agent is ready there: {named}{}",
            if without.len() > NAMED { ", …" } else { "" }
        );
    }
}

// === impl Coverage ===

impl Coverage {
    fn new(agents: AgentPods) -> Self {
        Self { agents, last_had: BTreeMap::new(), ready: BTreeSet::new() }
    }

    /// The nodes that have an agent now, and when one of them will have none if nothing happens before.
    fn look(
        &mut self,
        snapshot: &Snapshot,
        now: Instant,
        date: SystemTime,
    ) -> (BTreeSet<Arc<str>>, Option<Instant>) {
        let delay = self.agents.delay;
        // None: before this machine's clock began, which is long ago.
        let moment = |created: Option<SystemTime>| {
            now.checked_sub(date.duration_since(created?).unwrap_or_default())
        };
        let nodes = snapshot.nodes.iter().map(|node| (&*node.meta.key.name, moment(node.created)));
        let such = &self.agents.pods;
        let pods = || snapshot.pods.in_namespace(&such.namespace).filter(|pod| such.selects(pod));
        let came = pods().map(|pod| (&*pod.node_name, moment(pod.created)));
        let ready: BTreeSet<Arc<str>> =
            pods().filter(|pod| is_ready(pod)).map(|pod| (&*pod.node_name).into()).collect();
        // One that was ready at the last look has stopped since: nobody looked at that moment.
        let was_ready = ready.iter().chain(&self.ready).map(|name| (&**name, Some(now)));
        let had = nodes.chain(came).chain(was_ready);
        let had: Vec<_> = had.filter(|(name, _)| !name.is_empty()).collect();
        for (name, moment) in had {
            let Some(moment) = moment else { continue };
            let last = self.last_had.entry(name.into()).or_insert(moment);
            *last = moment.max(*last);
        }
        self.ready = ready;
        self.last_had.retain(|_, last| now.duration_since(*last) < delay || *last == now);
        let next = self.last_had.values().map(|last| *last + delay).filter(|at| *at > now).min();
        (self.last_had.keys().cloned().collect(), next)
    }
}

fn is_ready(pod: &Pod) -> bool {
    pod.ready.as_deref() == Some("True") && !pod.deleted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{EndpointsFrom, Excluded};
    use crate::objects::{Metadata, Node, ObjectKey};
    use crate::selector::LabelSelector;

    const DELAY: Duration = Duration::from_secs(300);

    /// A cluster, and clocks that can be moved.
    struct World {
        coverage: Coverage,
        snapshot: Snapshot,
        now: Instant,
        date: SystemTime,
    }

    fn key(namespace: &str, name: &str) -> Metadata {
        Metadata { key: ObjectKey::new(namespace, name), ..Metadata::default() }
    }

    impl World {
        fn new() -> Self {
            let labels = LabelSelector::parse("app=agent").expect("a selector");
            let pods = PodSelector { namespace: "monitoring".into(), labels };
            let agents = AgentPods { pods, delay: DELAY };
            Self {
                coverage: Coverage::new(agents),
                snapshot: Snapshot::of("", EndpointsFrom::Slices, Excluded::default()),
                now: Instant::now() + DELAY * 100,
                date: SystemTime::now(),
            }
        }

        fn node(&mut self, name: &str, age: u64) -> &mut Self {
            let created = Some(self.date - Duration::from_secs(age));
            self.snapshot.nodes.insert(Node { meta: key("", name), created, ..Node::default() });
            self
        }

        fn agent(&mut self, node: &str, ready: &str, age: u64) -> &mut Self {
            let mut meta = key("monitoring", node);
            meta.labels = [("app", "agent")].into_iter().collect();
            let created = Some(self.date - Duration::from_secs(age));
            let (node_name, ready) = (node.into(), Some(ready.into()));
            self.snapshot.pods.insert(Pod { meta, node_name, ready, created, ..Pod::default() });
            self
        }

        fn pass(&mut self, seconds: u64) -> &mut Self {
            self.now += Duration::from_secs(seconds);
            self.date += Duration::from_secs(seconds);
            self
        }

        fn covered(&mut self) -> Vec<String> {
            let (covered, _) = self.coverage.look(&self.snapshot, self.now, self.date);
            covered.iter().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn what_a_start_finds() {
        let mut world = World::new();
        world.node("ready", 9999).agent("ready", "True", 9999);
        world.node("stuck", 9999).agent("stuck", "False", 9999);
        world.node("starting", 9999).agent("starting", "False", 10);
        world.node("bare", 9999);
        world.node("new", 10);
        assert_eq!(world.covered(), ["new", "ready", "starting"]);
        world.pass(299);
        assert_eq!(world.covered(), ["ready"], "the others had their time");
    }

    #[test]
    fn a_rollout_moves_nothing_unless_it_takes_too_long() {
        let mut world = World::new();
        world.node("a", 9999).agent("a", "True", 9999);
        assert_eq!(world.covered(), ["a"]);
        // Nobody has looked for longer than the delay.
        world.snapshot.pods.remove(&ObjectKey::new("monitoring", "a"));
        world.pass(400);
        assert_eq!(world.covered(), ["a"]);
        world.pass(200);
        assert_eq!(world.covered(), ["a"]);
        world.agent("a", "False", 0).pass(200);
        assert_eq!(world.covered(), ["a"], "the new Pod has its own time to start");
        world.pass(101);
        assert_eq!(world.covered(), [""; 0]);
        world.agent("a", "True", 501);
        assert_eq!(world.covered(), ["a"]);
    }

    #[test]
    fn without_a_delay_only_ready_ones_count() {
        let mut world = World::new();
        world.coverage.agents.delay = Duration::ZERO;
        world.node("a", 0).agent("a", "True", 0).node("b", 0).agent("b", "False", 1);
        assert_eq!(world.covered(), ["a", "b"], "b has come at this moment");
        world.pass(1);
        assert_eq!(world.covered(), ["a"]);
    }

    #[test]
    fn when_to_look_again() {
        let mut world = World::new();
        world.node("a", 100);
        let (_, next) = world.coverage.look(&world.snapshot, world.now, world.date);
        assert_eq!(next, Some(world.now + DELAY - Duration::from_secs(100)));
        world.pass(200);
        let (covered, next) = world.coverage.look(&world.snapshot, world.now, world.date);
        assert_eq!((covered.len(), next), (0, None));
    }

    #[test]
    fn other_pods_are_no_agents() {
        let mut world = World::new();
        world.node("a", 9999).agent("a", "True", 0);
        let pods = &mut world.coverage.agents.pods;
        pods.labels = LabelSelector::parse("app=other").expect("a selector");
        assert_eq!(world.covered(), [""; 0]);
    }
}
