//! Files of a saved state. Nothing panics; and what is taken is a state like any other: its answers are good, and
//! saved again it is the same.
//!
//! The first byte of the input says whether a first line that is taken comes before the rest, and what the sidecar
//! reads; the rest is lines.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nodelocal_sd::index::{EndpointsFrom, Excluded, Snapshot};
use nodelocal_sd::state::fuzzing as state;
use nodelocal_sd_fuzz::{NODE, PROFILES, answers, assert_same_state};

fuzz_target!(|data: &[u8]| {
    let Some((&how, lines)) = data.split_first() else { return };
    let from = if how & 1 == 0 { EndpointsFrom::default() } else { EndpointsFrom::Slices };
    let first = Snapshot::of(NODE, from, Excluded::default());
    let mut file = if how & 2 == 0 { state::header(&first) } else { Vec::new() };
    file.extend_from_slice(lines);
    let Some(taken) = state::read(&first, &file) else { return };
    for profile in PROFILES {
        answers(&taken, profile);
    }
    let saved = state::write(&first, taken.clone());
    let again = state::read(&first, &saved).expect("it was just written");
    assert_same_state(&again, &taken);
});
