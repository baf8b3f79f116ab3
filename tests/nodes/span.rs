//! What was scraped of the shop in a span of time: who was without samples for how long, and who has changed.

use super::received::{self, INTERVAL, Series};
use super::world::{DEPLOYMENTS, Deployment, SCRAPES, World};
use std::collections::BTreeMap;
use std::fmt;

/// Instead of the node's name, of what is on none.
pub(crate) const NO_NODE: &str = "no node";

/// One target of one deployment.
#[derive(Debug)]
struct Target {
    deployment: &'static str,
    /// The node that it is on, or [`NO_NODE`].
    node: String,
    name: String,
    /// One after the other, if its labels have changed.
    series: Vec<Series>,
}

/// The longest time without samples of any target of each node, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Gaps(BTreeMap<String, f64>);

pub(crate) struct Span {
    from: f64,
    to: f64,
    targets: Vec<Target>,
}

// === impl Span ===

impl Span {
    /// From then to then, which may be to come. What was scraped in it takes some seconds to arrive.
    pub(crate) async fn of(world: &World, from: f64, to: f64) -> Self {
        received::all_until(SCRAPES, to).await;
        let nodes = world.nodes_of_pods().await;
        let mut targets: BTreeMap<(&str, String), Target> = BTreeMap::new();
        for series in received::since(SCRAPES, from).await.expect("the receiver answers") {
            let of = |deployment: &&Deployment| deployment.name == series.label("deployment");
            let deployment = DEPLOYMENTS.iter().find(of).expect("one of ours").name;
            let name = World::line(&series);
            let new = || Target {
                deployment,
                node: nodes.get(series.label("pod")).map_or(NO_NODE, String::as_str).to_owned(),
                name: name.clone(),
                series: Vec::new(),
            };
            let target = targets.entry((deployment, name.clone())).or_insert_with(new);
            target.series.push(series);
        }
        Self { from, to, targets: targets.into_values().collect() }
    }

    /// What a deployment was without.
    pub(crate) fn gaps(&self, deployment: Deployment) -> Gaps {
        let mut gaps = Gaps::default();
        for target in self.targets.iter().filter(|target| target.deployment == deployment.name) {
            let series: Vec<&Series> = target.series.iter().collect();
            let gap = received::gap(&series, self.from, self.to);
            let most = gaps.0.entry(target.node.clone()).or_default();
            *most = most.max(gap);
        }
        gaps
    }

    /// No series is new, and no target is scraped by two at once: that would be twice as many samples.
    pub(crate) fn nothing_changed(&self) {
        for Target { name, series, .. } in &self.targets {
            assert_eq!(series.len(), 1, "{name} has other labels: {series:#?}");
        }
        self.nothing_twice();
    }

    /// No target is scraped by two at once; but a complement that is replaced goes on until the new one is ready.
    pub(crate) fn nothing_twice(&self) {
        const SPARE: f64 = 4.0; // who takes over, or begins anew, does so at a moment of its own
        let once = (self.to - self.from) / INTERVAL;
        for Target { name, node, series, .. } in &self.targets {
            let most = if node == NO_NODE { 1.5 * once } else { once } + SPARE;
            let times = series.iter().flat_map(|series| &series.times);
            let samples = times.filter(|at| (self.from..self.to).contains(*at)).map(|_| 1.0);
            let samples: f64 = samples.sum();
            assert!(samples <= most, "{name}: {samples} samples, and {most} would be much");
        }
    }
}

// === impl Gaps ===

impl Gaps {
    /// Of one node.
    pub(crate) fn of(&self, node: &str) -> f64 {
        *self.0.get(node).unwrap_or_else(|| panic!("{node} has no targets: {self}"))
    }

    /// No target was lost for longer than that.
    pub(crate) fn below(&self, seconds: f64, what: &str) {
        let most = self.0.values().copied().fold(0.0, f64::max);
        assert!(most < seconds, "{what}: {self}");
    }
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> =
            self.0.iter().map(|(node, seconds)| format!("{node} {seconds:.1} s")).collect();
        f.write_str(&nodes.join(", "))
    }
}
