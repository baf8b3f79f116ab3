//! The lines of a state, without a file: for the targets in `fuzz/`, and compiled with `--cfg fuzzing` only, as
//! [`crate::kube::fuzzing`] is and for its reasons.

use super::format::{self, State};
use super::header::{Header, Setup};
use crate::index::{Progress, Snapshot};
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use std::io::Read as _;
use std::sync::Arc;
use std::time::SystemTime;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// The first line of a state that a sidecar which begins with `first` would use.
pub fn header(first: &Snapshot) -> Vec<u8> {
    let known = (first, &Progress::default());
    let header = Header::of(&Setup::of(first, ""), "cluster", known, NOW);
    let mut line = serde_json::to_vec(&header).expect("strings and numbers serialise");
    line.push(b'\n');
    line
}

/// What is saved of that snapshot by a sidecar that began with `first`.
pub fn write(first: &Snapshot, snapshot: Snapshot) -> Vec<u8> {
    let state = State {
        snapshot: Arc::new(snapshot),
        progress: Progress::default(),
        identity: "cluster".to_owned(),
    };
    let (mut file, mut lines) = (Vec::new(), Vec::new());
    format::write(&mut file, &state, &Setup::of(first, ""), NOW).expect("memory can be written");
    GzDecoder::new(&*file).read_to_end(&mut lines).expect("it was just packed");
    lines
}

/// What a sidecar which begins with `first` knows from a file of these lines; nothing, if it refuses it.
pub fn read(first: &Snapshot, lines: &[u8]) -> Option<Snapshot> {
    let packed = GzEncoder::new(lines, Compression::none());
    let restored = format::read(packed, &Setup::of(first, ""), first, NOW);
    restored.ok()?.index.take_snapshot()
}
