//! What was scraped before something happened, to see afterwards for how long it was not.

use super::received::{self, Series};
use super::world::{SCRAPES, World};
use std::collections::BTreeMap;

/// The targets of a world that had settled.
pub(crate) struct Watch {
    pub(crate) from: f64,
    /// Of each target the deployment and the node, which is "no node" for one that belongs to none.
    targets: BTreeMap<String, (String, String)>,
}

// === impl Watch ===

impl Watch {
    pub(crate) async fn begin(world: &World) -> Self {
        let mut nodes = BTreeMap::new();
        for pod in world.cluster.pods("shop", "app").await {
            let text = |at: &str| pod.pointer(at).and_then(|text| text.as_str()).map(str::to_owned);
            nodes.extend(text("/metadata/name").zip(text("/spec/nodeName")));
        }
        let live = received::live(SCRAPES).await.expect("the receiver answers");
        let place = |series: &Series| {
            let node = nodes.get(series.label("pod")).map_or("no node", String::as_str);
            (series.label("deployment").to_owned(), node.to_owned())
        };
        let targets = live.iter().map(|series| (World::line(series), place(series))).collect();
        Self { from: received::now(), targets }
    }

    /// For each deployment and node, the longest time within a span for which one of its targets was not scraped.
    pub(crate) async fn gaps(&self, from: f64, to: f64) -> BTreeMap<(&str, &str), f64> {
        let seen = received::since(SCRAPES, from).await.expect("the receiver answers");
        let mut gaps = BTreeMap::new();
        for (target, (deployment, node)) in &self.targets {
            let of_target = seen.iter().filter(|series| World::line(series) == *target);
            let gap = received::gap(&of_target.collect::<Vec<_>>(), from, to);
            let longest: &mut f64 = gaps.entry((&**deployment, &**node)).or_default();
            *longest = longest.max(gap);
        }
        gaps
    }
}
