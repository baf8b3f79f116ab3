//! Held requests by the hundred, ordinary queries, clients that hardly read, and changes, all at once: no request
//! fails, who is held has the right answer in the end, and memory is bounded. How fast that is, `cargo bench --bench load`
//! measures.

pub(crate) mod driver;
mod node;

use driver::{Figures, Load, run};
use std::time::Duration;

/// What a held request may cost, in KiB, with its connection. docs/benchmarks.md has what it does cost.
const EACH: f64 = 40.0;
/// What all else may cost: the cache of answers, and what a slow client does not read.
const ALL: f64 = 64.0 * 1024.0;

#[test]
fn held_requests_and_queries_and_slow_readers() {
    for distinct in [false, true] {
        let load = Load {
            held: 100,
            distinct,
            refresh_interval: Duration::from_secs(2),
            queries_per_second: 40,
            slow: 5,
            change_every: Duration::from_millis(500),
            lasts: Duration::from_secs(3),
        };
        let Figures { usage: [before, _, _, after], queries, changed } = run(&load);
        assert!(queries.len() >= 80, "{distinct}: {} queries", queries.len());
        assert!(!changed.is_empty(), "{distinct}: no change came");
        let cost = (after.peak - before.resident) * 1024.0;
        let bound = load.held as f64 * EACH + ALL;
        assert!(cost < bound, "{distinct}: {cost} KiB, and {bound} at most");
    }
}
