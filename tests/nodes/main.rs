//! The whole system on real nodes: three kubelets with containerd, real Pods, the operator, agents and sidecars from
//! the manifests, judged by what arrives at a receiver of remote write.
//!
//! `.ci/run nodes` runs them, by hand: they need root, cgroup v1, containerd and the programs that it builds, and a plain
//! `cargo test` leaves them out. Everything happens in namespaces that end with the run, however it ends
//! (`machine.rs`); before and after, and after a run that was killed, what the machine has is compared.
//!
//! The scenarios share a cluster and go one after the other: one that breaks something puts it back.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]
#![expect(clippy::print_stdout, reason = "a harness of its own")]

#[expect(dead_code, reason = "shared with the tests without nodes, which use all of it")]
#[path = "../e2e/api.rs"]
mod api;
mod cluster;
#[expect(dead_code, reason = "shared with the tests without nodes, which use all of it")]
#[path = "../e2e/control_plane.rs"]
mod control_plane;
mod machine;
mod node;
mod patience;
#[path = "../e2e/operator/plan.rs"]
mod plan;
mod process;
mod received;
mod rules;
mod scenarios;
mod span;
mod state_metrics;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod table;
mod watch;
mod world;

use cluster::Cluster;
use libtest_mimic::{Arguments, Trial};
use machine::Run;
use scenarios::SCENARIOS;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;
use world::World;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let wanted = !arguments.list && (arguments.ignored || arguments.include_ignored);
    if !wanted {
        return run(arguments, None);
    }
    if machine::within().is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let cluster = runtime.block_on(Cluster::start());
        println!("{}", machine::UP);
        if is_argument(ONLY_NODES) {
            park();
        }
        let world = runtime.block_on(World::install(cluster));
        if is_argument(ONLY_WORLD) {
            world.cluster.print_way_in();
            park();
        }
        runtime.block_on(world.settles("all is installed"));
        let code = run(arguments, Some((runtime, world)));
        table::print();
        return code;
    }
    let lacks = machine::lacks();
    if !lacks.is_empty() {
        println!("This machine cannot have nodes of its own. It lacks:\n  {}", lacks.join("\n  "));
        return ExitCode::FAILURE;
    }
    let mut good = true;
    let mut leaves_nothing = |what: &str, run: &mut dyn FnMut() -> bool| {
        let before = machine::state();
        good &= run();
        let left = machine::difference(&before, &machine::state());
        println!(
            "{what}: {} is on the machine",
            if left.is_empty() { "nothing new" } else { &left }
        );
        good &= left.is_empty();
    };
    let given: Vec<OsString> = std::env::args_os().skip(1).collect();
    leaves_nothing("after the run", &mut || Run::start(&given).ended().success());
    if arguments.filter.is_none() {
        leaves_nothing("after a run that was killed", &mut || {
            Run::start(&["--ignored".into(), ONLY_NODES.into()]).killed_when_up();
            true
        });
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The filter by which a run is told to have nodes and nothing else.
const ONLY_NODES: &str = "only-nodes";
/// The filter for who wants to look around: all is installed, and stays until it is killed.
const ONLY_WORLD: &str = "only-world";

fn is_argument(this: &str) -> bool {
    std::env::args().any(|argument| argument == this)
}

/// Until this process is killed.
fn park() -> ! {
    loop {
        std::thread::park();
    }
}

/// Runs the scenarios, or lists them if there is no world.
fn run(mut arguments: Arguments, world: Option<(Runtime, World)>) -> ExitCode {
    arguments.test_threads = Some(1);
    let world = world.map(|world| Arc::new(Mutex::new(world)));
    let trials = SCENARIOS.iter().map(|(name, scenario)| {
        let world = world.clone();
        let run = move || {
            let world = world.expect("an ignored test runs only when it is wanted");
            let world = world.lock().unwrap_or_else(PoisonError::into_inner);
            let (runtime, world) = &*world;
            runtime.block_on(scenario(world));
            Ok(())
        };
        Trial::test(*name, run).with_ignored_flag(true)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Where the operator of this version is: `bin` and `crds`.
fn operator_folder() -> PathBuf {
    let named = std::env::var_os("PROMETHEUS_OPERATOR");
    named.expect("PROMETHEUS_OPERATOR must name the folder that .ci/build-operator prints").into()
}
