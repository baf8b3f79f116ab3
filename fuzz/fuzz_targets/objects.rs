//! Changes of valid objects. Whoever followed them by watches, and whoever lists what is there in the
//! end, knows the same and gives the same bytes; so does who reads what was saved in the end.

#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use nodelocal_sd::index::{EndpointsFrom, Excluded, Index, Snapshot};
use nodelocal_sd::kube::fuzzing::Feed;
use nodelocal_sd::state::fuzzing as state;
use nodelocal_sd_fuzz::{
    Cluster, LISTED, NODE, PROFILES, answers, assert_same_state, object, read_owners,
};
use std::iter::once;

thread_local! {
    static FEED: Feed = Feed::of_node(NODE, usize::MAX);
}

/// Longer stories are the same ones again, slower.
const MOST_CHANGES: usize = 50;

fuzz_target!(|data: &[u8]| FEED.with(|feed| {
    // The input ends where it ends; what was played until then has been checked.
    let _ = play(feed, &mut Unstructured::new(data));
}));

fn play(feed: &Feed, u: &mut Unstructured<'_>) -> Result<()> {
    let profile = *u.choose(&PROFILES)?;
    let mut cluster = Cluster::default();
    let from = if u.arbitrary()? { EndpointsFrom::Slices } else { EndpointsFrom::default() };
    let mut index = Index::new(NODE, from);
    for resource in LISTED {
        let body = cluster.list(resource);
        index.apply(feed.list(resource, once(body.as_bytes())).expect("a complete list"));
    }
    let mut latest = read_owners(&mut index).expect("a first list is a change");
    for _ in 0..MOST_CHANGES {
        if u.is_empty() {
            break;
        }
        let resource = *u.choose(&LISTED)?;
        let object = object(resource, u)?;
        let line = if u.ratio(1, 8)? { cluster.delete(&object) } else { cluster.put(object) };
        for change in feed.watch(resource, once(line.as_bytes())) {
            index.apply(change);
        }
        latest = read_owners(&mut index).unwrap_or(latest);
    }
    let listed = cluster.listed(feed, from);
    assert_same_state(&latest, &listed);
    assert_eq!(answers(&latest, profile), answers(&listed, profile));
    let first = Snapshot::of(NODE, from, Excluded::default());
    let saved = state::write(&first, latest);
    let restored = state::read(&first, &saved).expect("it was just written");
    assert_same_state(&restored, &listed);
    assert_eq!(answers(&restored, profile), answers(&listed, profile));
    Ok(())
}
