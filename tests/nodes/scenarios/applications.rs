//! A new version of an application: Pods come and go on all nodes.

use super::super::received::{self, INTERVAL};
use super::super::table;
use super::super::world::{DEPLOYMENTS, SCRAPES, World};
use std::collections::BTreeMap;

/// More than this is no machine that is busy.
const PATIENCE: f64 = 10.0 * INTERVAL;

/// While the Deployment `api` is replaced, each of its new Pods comes to be scraped, what stays goes on being scraped, and
/// nothing is under the labels of another.
pub(crate) async fn roll_out(world: &World) {
    let from = received::now();
    world.cluster.kubectl(&["-n", "shop", "rollout", "restart", "deployment/api"]);
    world.cluster.rolled_out("shop", "deployment/api");
    let done = received::now();
    world.settles("the new Pods are scraped, and the old ones are not").await;
    let to = received::now();
    received::all_until(SCRAPES, to).await;

    let series = received::since(SCRAPES, from).await.expect("the receiver answers");
    for deployment in DEPLOYMENTS {
        let of = |app: &str| {
            let of = series.iter().filter(|series| series.label("deployment") == deployment.name);
            let of = of.filter(|series| series.label("job") == app);
            let mut by_pod: BTreeMap<&str, Vec<_>> = BTreeMap::new();
            of.for_each(|series| by_pod.entry(series.label("pod")).or_default().push(series));
            by_pod
        };
        let mut longest: f64 = 0.0;
        for (pod, series) in of("host").into_iter().chain(of("web")) {
            assert_eq!(series.len(), 1, "{pod} has changed: {series:#?}");
            let gap = received::gap(&series, from, to);
            assert!(gap < PATIENCE, "{pod}, which stays, has no samples for {gap} s");
            longest = longest.max(gap);
        }
        let new = world.cluster.pods("shop", "app=api").await;
        let scraped = of("api");
        let first = |pod: &&str| scraped.get(*pod).map(|series| series[0].times[0]);
        let names = new.iter().map(|pod| pod["metadata"]["name"].as_str().expect("a name"));
        let firsts: Vec<f64> = names.filter_map(|name| first(&name)).collect();
        assert_eq!(firsts.len(), new.len(), "{deployment:?} has scraped {:?}", scraped.keys());
        let last = firsts.iter().fold(from, |last: f64, first| last.max(*first));
        table::add(
            "rollout of an application: from its end to the last new Pod's first sample",
            deployment.name,
            format!(
                "{:.1} s; of those that stay, {longest:.1} s without samples",
                (last - done).max(0.0)
            ),
        );
    }
    received::labels_are_true(SCRAPES, from).await;
}
