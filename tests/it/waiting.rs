//! Who waits for what, and how long, in virtual time.

use crate::support::asked::Asked;
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::{On, Simulator};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Half a second less than an interval of 10 s.
const PATIENCE: Duration = Duration::from_millis(9_500);
const SECOND: Duration = Duration::from_secs(1);

/// What came of a question, and when: the number of targets, or the reason for none.
async fn ask(asked: &Asked, query: &str, patience: Duration) -> (Result<usize, String>, Duration) {
    let began = Instant::now();
    let answer = asked.ask(query, patience).await;
    let targets = answer.map(|answer| answer.targets().len());
    (targets, began.elapsed())
}

async fn synced(simulator: &Simulator, query: &str) -> Asked {
    let asked = Asked::start(simulator, NODE, Timing::alone());
    let (targets, _) = ask(&asked, query, 60 * SECOND).await;
    assert_eq!(targets, Ok(PODS), "{query}");
    asked
}

#[tokio::test(start_paused = true)]
async fn without_a_sync_the_caller_waits_as_long_as_it_can() {
    let simulator = world::cluster();
    simulator.fault(On::list("services").hang());
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    for patience in [PATIENCE, Duration::from_millis(250), Duration::ZERO] {
        let (answer, after) = ask(&asked, "endpointslice", patience).await;
        let reason = answer.expect_err("nothing is served before the first sync");
        assert!(reason.contains("not synced yet: "), "{reason}");
        assert!(reason.contains("services"), "{reason}");
        // Timers have a resolution of a millisecond.
        assert!(
            after >= patience && after <= patience + Duration::from_millis(1),
            "{patience:?}: {after:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_is_answered_when_it_comes() {
    let simulator = world::cluster();
    simulator.fault(On::list("services").times(1).delay(3 * SECOND));
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let (answer, after) = ask(&asked, "endpointslice", PATIENCE).await;
    assert_eq!(answer, Ok(PODS));
    assert!(after >= 3 * SECOND && after < 4 * SECOND, "{after:?}");
}

/// What has synced once is served at once, however long ago the API server was last heard of.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_watch_that_has_synced() {
    let simulator = world::cluster();
    let asked = synced(&simulator, "endpointslice?attach=namespace").await;
    simulator.fault(On::any().refuse());
    simulator.disconnect();
    sleep(600 * SECOND).await;
    for query in ["endpointslice?attach=namespace", "endpointslice", "pod"] {
        let (answer, after) = ask(&asked, query, PATIENCE).await;
        assert_eq!((answer, after), (Ok(PODS), Duration::ZERO), "{query}");
    }
    // That is no reason to answer what needs a watch that has not.
    let (answer, _) = ask(&asked, "node", PATIENCE).await;
    answer.expect_err("the Node was never asked for");
}

/// A Pod whose owner is being read holds up an answer for a second, and never longer than the
/// caller can wait.
#[tokio::test(start_paused = true)]
async fn the_owner_of_a_fresh_pod_is_waited_for_shortly() {
    let simulator = world::cluster();
    let query = "pod?attach=deployment";
    let asked = synced(&simulator, query).await;
    simulator.fault(On::get("replicasets").hang());
    let mut pod = world::pod("fresh", NODE, "10.1.0.200");
    pod["metadata"]["ownerReferences"][0]["name"] = "other".into();
    pod["metadata"]["ownerReferences"][0]["uid"] = "other".into();
    world::put(&simulator, pod);
    sleep(Duration::from_millis(10)).await; // the event is on its way
    for (patience, most) in [(PATIENCE, SECOND), (SECOND / 4, SECOND / 4)] {
        let (answer, after) = ask(&asked, query, patience).await;
        assert_eq!(answer, Ok(PODS + 1));
        assert!(
            after >= most && after <= most + Duration::from_millis(1),
            "{patience:?}: {after:?}"
        );
    }
    let (answer, after) = ask(&asked, "pod", PATIENCE).await;
    assert_eq!((answer, after), (Ok(PODS + 1), Duration::ZERO));
}
