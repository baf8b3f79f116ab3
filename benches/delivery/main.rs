//! How soon targets come to Prometheus, and what asking for them costs, by the way they come.
//!
//! ```text
//! cargo bench --profile quick --bench delivery -- changes 30
//!         thirty Pods, from the API server to Prometheus' targets and to a receiver's first sample
//! cargo bench --profile quick --bench delivery -- jobs 500 180
//!         five hundred jobs at rest: CPU of Prometheus and of the sidecar, over 180 s for each way
//! ```
//!
//! Each prints a table, and on standard error how far it is. The control plane is that of the end-to-end tests:
//! `ETCD_BIN`, `KUBERNETES_BIN` and `PROMETHEUS` name its binaries; `docs/benchmarks.md` has the commands. Without
//! arguments nothing is measured, so a plain `cargo bench` leaves this out. The sidecar is the binary that
//! `SIDECAR` names, or the one that cargo builds along.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the run")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the result, and how far it is")]

#[expect(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../../tests/e2e/api.rs"]
mod api;
mod changes;
#[expect(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../../tests/e2e/control_plane.rs"]
mod control_plane;
#[path = "../../tests/it/support/http.rs"]
mod http;
mod jobs;
#[path = "../../tests/e2e/network.rs"]
mod network;
#[expect(dead_code, reason = "shared with the measurements of cost, which use all of it")]
#[path = "../cost/process.rs"]
mod process;
mod prometheus;
mod receiver;
mod sidecar;
mod summary;
mod way;
mod world;

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.retain(|argument| argument != "--bench"); // cargo's own
    let Some((what, numbers)) = arguments.split_first() else {
        eprintln!("nothing is measured: name a measurement, and the binaries by variables");
        return ExitCode::SUCCESS;
    };
    let numbers: Option<Vec<u32>> = numbers.iter().map(|number| number.parse().ok()).collect();
    match (&**what, numbers.as_deref()) {
        ("changes", Some(&[changes])) => {
            network::enter();
            block_on(changes::measure(changes));
        }
        ("jobs", Some(&[jobs, seconds])) => {
            network::enter();
            block_on(jobs::measure(jobs as usize, Duration::from_secs(seconds.into())));
        }
        _ => {
            eprintln!("no such measurement: {}", arguments.join(" "));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs a measurement on the main thread: processes end with the thread that started them.
fn block_on(measurement: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(measurement);
}
