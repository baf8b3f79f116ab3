//! Bodies of lists of Services as protobuf. Nothing panics, how a body is cut into chunks has no meaning, and a
//! list that comes again changes nothing.
//!
//! The first byte of the input is the size of the chunks, and whether all but small objects are too large to
//! be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nodelocal_sd::index::{EndpointsFrom, Index, Snapshot};
use nodelocal_sd::kube::fuzzing::Feed;
use nodelocal_sd_fuzz::{NODE, assert_same_state};

thread_local! {
    static FEEDS: [Feed; 2] = [Feed::of_node(NODE, usize::MAX), Feed::of_node(NODE, 200)];
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, body)) = data.split_first() else { return };
    FEEDS.with(|feeds| {
        let feed = &feeds[usize::from(how >> 7)];
        match (play(feed, body, usize::MAX), play(feed, body, usize::from(how & 0x7f) + 1)) {
            (Some(whole), Some(cut)) => assert_same_state(&whole, &cut),
            (whole, cut) => assert_eq!(whole.is_some(), cut.is_some()),
        }
    });
});

/// What is known in the end; nothing, if the body is no complete list.
fn play(feed: &Feed, body: &[u8], size: usize) -> Option<Snapshot> {
    let list = || feed.messages(body.chunks(size));
    let mut index = Index::new(NODE, EndpointsFrom::default());
    index.apply(list()?);
    let snapshot = index.take_snapshot()?;
    index.apply(list()?);
    if let Some(again) = index.take_snapshot() {
        assert_same_state(&snapshot, &again);
    }
    Some(snapshot)
}
