//! Bodies of lists and watches, from bytes to answers. Nothing panics, how a body is cut into chunks
//! has no meaning, and a list that comes again changes nothing.
//!
//! The first byte of the input says how it is played: five bits are the size of the chunks, two the
//! profile, and the highest makes all but small objects too large to be read. Then come bodies, each after a record
//! separator (0x1e): a letter for the resource, upper case for a list and lower case for a watch, and
//! the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nodelocal_sd::index::{EndpointsFrom, Index, Snapshot};
use nodelocal_sd::kube::fuzzing::Feed;
use nodelocal_sd::objects::Resource;
use nodelocal_sd_fuzz::{NODE, PROFILES, answers, assert_same_state, read_owners};

thread_local! {
    static FEEDS: [Feed; 2] = [Feed::of_node(NODE, usize::MAX), Feed::of_node(NODE, 200)];
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, bodies)) = data.split_first() else { return };
    FEEDS.with(|feeds| {
        let feed = &feeds[usize::from(how >> 7)];
        for from in [EndpointsFrom::Slices, EndpointsFrom::default()] {
            let play = |size| play(feed, bodies, size, from);
            match (play(usize::MAX), play(chunk_size(how))) {
                (Some(whole), Some(cut)) => {
                    assert_same_state(&whole, &cut);
                    let profile = PROFILES[usize::from(how >> 5 & 3)];
                    assert_eq!(answers(&whole, profile), answers(&cut, profile));
                }
                (whole, cut) => assert_eq!(whole.is_some(), cut.is_some()),
            }
        }
    });
});

fn chunk_size(how: u8) -> usize {
    usize::from(how & 0x1f) + 1
}

/// What is known in the end; `None` if nothing was told.
fn play(feed: &Feed, bodies: &[u8], size: usize, from: EndpointsFrom) -> Option<Snapshot> {
    let mut index = Index::new(NODE, from);
    let mut latest = None;
    for body in bodies.split(|byte| *byte == 0x1e) {
        let Some((&letter, body)) = body.split_first() else { continue };
        let Some(resource) = resource(letter.to_ascii_uppercase()) else { continue };
        if letter.is_ascii_lowercase() {
            for change in feed.watch(resource, body.chunks(size)) {
                index.apply(change);
            }
            latest = read_owners(&mut index).or(latest);
            continue;
        }
        let list = || feed.list(resource, body.chunks(size));
        let (Some(first), Some(again)) = (list(), list()) else { continue };
        index.apply(first);
        latest = read_owners(&mut index).or(latest);
        index.apply(again);
        // There may be a change of the version: of objects that are in the list twice.
        if let (Some(known), Some(again)) = (&latest, index.take_snapshot()) {
            assert_same_state(known, &again);
        }
    }
    latest
}

fn resource(letter: u8) -> Option<Resource> {
    Some(match letter {
        b'P' => Resource::Pods,
        b'N' => Resource::Nodes,
        b'S' => Resource::Services,
        b'E' => Resource::EndpointSlices,
        b'O' => Resource::Endpoints,
        b'M' => Resource::Namespaces,
        _ => return None,
    })
}
