//! What was scraped before something happened, to see afterwards for how long it was not: also of targets that were
//! never scraped again. (`span.rs` sees what came, too, and whether it has changed.)

use super::received::{self, Series};
use super::span::NO_NODE;
use super::world::{SCRAPES, World};
use std::collections::BTreeMap;

/// The targets of a world that had settled.
pub(crate) struct Watch {
    pub(crate) from: f64,
    /// Of each target the deployment and the node, or [`NO_NODE`].
    targets: BTreeMap<String, (String, String)>,
}

// === impl Watch ===

impl Watch {
    pub(crate) async fn begin(world: &World) -> Self {
        let nodes = world.nodes_of_pods().await;
        let live = received::live(SCRAPES).await.expect("the receiver answers");
        let place = |series: &Series| {
            let node = nodes.get(series.label("pod")).map_or(NO_NODE, String::as_str);
            (series.label("deployment").to_owned(), node.to_owned())
        };
        let targets = live.iter().map(|series| (World::line(series), place(series))).collect();
        Self { from: received::now(), targets }
    }

    /// For each deployment and node, the longest time within a span for which one of its targets was not scraped.
    pub(crate) async fn gaps(&self, from: f64, to: f64) -> BTreeMap<(&str, &str), f64> {
        received::all_until(SCRAPES, to).await;
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
