//! What discovery costs on a real API server, for the node and for the server.
//!
//! ```text
//! cargo test --bench cost -- node 100 300     one agent, alone, in clusters of so many nodes
//! cargo test --bench cost -- pod 300          the agent's whole Pod, by its number of jobs
//! cargo bench --profile quick --bench cost -- fleet 300 1000
//!                                             a thousand sidecars on one server, 300 nodes
//! cargo test --bench cost -- rollout 300      an agent's Pod that is replaced
//! ```
//!
//! Each prints a table. `cargo test` will do where this program only looks on; the clients of a fleet
//! are in it, and not optimised they time out by themselves. The control plane is that of the
//! end-to-end tests: `ETCD_BIN`, `KUBERNETES_BIN` and `PROMETHEUS` name its binaries;
//! `docs/benchmarks.md` has the commands. Without arguments nothing is measured, so a plain `cargo bench`
//! leaves this out. The sidecar is the binary that `SIDECAR` names, or the one that cargo builds along.
//! `--slim` before the sizes makes small Pods.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the run")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the result, and how far it is")]

mod agent;
#[expect(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../../tests/e2e/api.rs"]
mod api;
mod changes;
mod clients;
mod cluster;
#[expect(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../../tests/e2e/control_plane.rs"]
mod control_plane;
mod etcd;
mod fleet;
#[path = "../../tests/it/support/http.rs"]
mod http;
mod job;
mod metrics;
#[path = "../../tests/e2e/network.rs"]
mod network;
mod objects;
mod one_node;
mod process;
#[expect(dead_code, reason = "shared with the end-to-end tests, which cut it")]
#[path = "../../tests/e2e/proxy.rs"]
mod proxy;
mod rollout;
mod server;
mod whole_pod;

use objects::{Pods, Size};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.retain(|argument| argument != "--bench"); // cargo's own
    let pods = match arguments.iter().position(|argument| argument == "--slim") {
        Some(at) => {
            arguments.remove(at);
            Pods::Slim
        }
        None => Pods::Usual,
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((what, numbers)) = words.split_first() else {
        eprintln!("nothing is measured: name a measurement, and the binaries by variables");
        return ExitCode::SUCCESS;
    };
    if let (&clients::COMMAND, [start, end, nodes, kubeconfig]) = (what, numbers) {
        let number = |word: &str| word.parse::<usize>().unwrap();
        let numbers = number(start)..number(end);
        block_on(clients::run(numbers, number(nodes), kubeconfig.into()));
    }
    let numbers: Option<Vec<usize>> = numbers.iter().map(|number| number.parse().ok()).collect();
    let sizes = |nodes: &[usize]| nodes.iter().map(|nodes| Size { nodes: *nodes, pods }).collect();
    let run: Box<dyn FnOnce()> = match (*what, numbers.as_deref()) {
        ("node", Some(nodes @ [_, ..])) => {
            let sizes: Vec<Size> = sizes(nodes);
            Box::new(move || block_on(one_node::measure(&sizes)))
        }
        ("fleet", Some(&[nodes, clients])) => {
            Box::new(move || block_on(fleet::measure(Size { nodes, pods }, clients)))
        }
        ("rollout", Some(&[nodes])) => {
            Box::new(move || block_on(rollout::measure(Size { nodes, pods })))
        }
        ("pod", Some(&[nodes])) => {
            Box::new(move || block_on(whole_pod::measure(Size { nodes, pods })))
        }
        _ => {
            eprintln!("no such measurement: {}", arguments.join(" "));
            return ExitCode::FAILURE;
        }
    };
    network::enter();
    run();
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
