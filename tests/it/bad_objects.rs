//! One object that cannot be read, or is too large, among good ones: it is counted and named, its
//! last good state stays, and the others are not touched.

use crate::support::asked::Asked;
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::objects::Resource;
use nodelocal_sd::simulator::Simulator;
use serde_json::Value;
use std::time::Duration;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(5);

/// Something that makes a Pod unreadable, and how that is counted.
type Spoil = (&'static str, fn(&mut Value), fn(&Asked) -> u64);

const WAYS: [Spoil; 2] = [
    (
        "undecodable",
        |pod| pod["status"] = "this is no Pod".into(),
        |asked| asked.board().of(Resource::Pods).view().undecodable,
    ),
    (
        "20 MB",
        |pod| pod["spec"]["containers"][0]["command"] = "x".repeat(20 << 20).into(),
        |asked| asked.board().of(Resource::Pods).view().oversized,
    ),
];

async fn addresses(asked: &Asked) -> usize {
    sleep(Duration::from_millis(1)).await; // what has happened reaches the index
    asked.ask("pod", PATIENCE).await.expect("an answer").targets().len()
}

fn spoiled(name: &str, spoil: fn(&mut Value)) -> Value {
    let mut pod = world::pod(name, NODE, "10.1.0.99");
    spoil(&mut pod);
    pod
}

/// An update that cannot be read keeps the Pod as it was; its deletion is still seen.
#[tokio::test(start_paused = true)]
async fn in_a_watch() {
    for (what, spoil, counted) in WAYS {
        let simulator = world::cluster();
        let asked = Asked::start(&simulator, NODE, Timing::alone());
        assert_eq!(addresses(&asked).await, PODS, "{what}");

        let name = world::pod_name(7);
        world::put(&simulator, spoiled(&name, spoil));
        world::put(&simulator, world::pod("new", NODE, "10.1.0.100"));
        assert_eq!(addresses(&asked).await, PODS + 1, "{what}: the old state, and the next event");
        assert_eq!(counted(&asked), 1, "{what}");

        simulator.delete("Pod", "shop", &name);
        assert_eq!(addresses(&asked).await, PODS, "{what}: the deletion");
    }
}

/// The same in a list that comes when the version has expired.
#[tokio::test(start_paused = true)]
async fn in_a_list() {
    for (what, spoil, counted) in WAYS {
        let simulator = world::cluster();
        let asked = Asked::start(&simulator, NODE, Timing::alone());
        assert_eq!(addresses(&asked).await, PODS, "{what}");

        simulator.disconnect();
        world::put(&simulator, spoiled(&world::pod_name(7), spoil));
        world::put(&simulator, spoiled("never good", spoil));
        simulator.delete("Pod", "shop", &world::pod_name(8));
        simulator.compact();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(addresses(&asked).await, PODS - 1, "{what}: all but the deleted one");
        assert_eq!(counted(&asked), 2, "{what}");
    }
}

/// An item without a name may be any object, so nothing that is missing is known to be deleted.
#[tokio::test(start_paused = true)]
async fn without_a_name_in_a_list() {
    let simulator = world::cluster();
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    assert_eq!(addresses(&asked).await, PODS);
    nameless(&simulator);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(addresses(&asked).await, PODS, "also the deleted one");
    assert!(asked.board().of(Resource::Pods).view().undecodable > 0);
}

fn nameless(simulator: &Simulator) {
    use nodelocal_sd::simulator::{Fault, On};
    simulator.fault(On::list("pods").fault(Fault::NamelessItem));
    simulator.disconnect();
    simulator.delete("Pod", "shop", &world::pod_name(8));
    simulator.compact();
}
