//! What thousands of long polls cost, and what others notice of them: `cargo bench --bench load`.
//!
//! The sidecar is the release binary, of a node with 110 Pods and as many Services. For a minute 5,000 requests are
//! held (`X-Prometheus-Refresh-Interval-Seconds: 10`), 200 other queries come each second, 20 clients read a byte a
//! second of what they asked for, and every five seconds a Pod changes. Any error, and any held request that does
//! not have the state as it is in the end, fails the run.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the run")]
#![expect(clippy::print_stdout, reason = "the result")]

#[path = "../tests/it/load/driver.rs"]
mod driver;
#[path = "../tests/it/load/node.rs"]
mod node;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use driver::{Figures, Load, run};
use nodelocal_sd::http::raise_open_file_limit;
use std::time::Duration;

const HELD: usize = 5_000;

/// The value below which that share of them is, in milliseconds.
fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

fn main() {
    raise_open_file_limit();
    println!(
        "| held requests | KiB of an idle connection, held | MiB before, peak | queries | ms median, 99 %, slowest | held answers changed | ms from the change: median, slowest | CPU |\n\
         |--|--|--|--|--|--|--|--|"
    );
    for (name, distinct) in [("one question", false), ("a question each", true)] {
        let load = Load {
            held: HELD,
            distinct,
            refresh_interval: Duration::from_secs(10),
            queries_per_second: 200,
            slow: 20,
            change_every: Duration::from_secs(5),
            lasts: Duration::from_secs(60),
        };
        let Figures { usage: [before, idle, held, after], queries, changed } = run(&load);
        println!(
            "| {HELD}, {name} | {:.1}, {:.1} | {:.1}, {:.1} | {} | {:.1}, {:.1}, {:.0} | {} | {:.0}, {:.0} | {:.0} % |",
            (idle.resident - before.resident) * 1024.0 / HELD as f64,
            (held.resident - before.resident) * 1024.0 / HELD as f64,
            before.resident,
            after.peak,
            queries.len(),
            quantile(&queries, 0.5),
            quantile(&queries, 0.99),
            quantile(&queries, 1.0),
            changed.len(),
            quantile(&changed, 0.5),
            quantile(&changed, 1.0),
            (after.cpu - held.cpu) / load.lasts.as_secs_f64() * 100.0,
        );
    }
}
