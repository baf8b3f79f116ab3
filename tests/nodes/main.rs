//! The whole system on real nodes: three kubelets with containerd, real Pods, the operator, agents and sidecars from
//! the manifests, judged by what arrives at a receiver of remote write.
//!
//! `.ci/run nodes` runs them: they need root, cgroup v1, containerd and the programs that it builds, and a plain
//! `cargo test` leaves them out. Everything happens in namespaces that end with the run, however it ends
//! (`machine.rs`); before and after, and after a run that was killed, what the machine has is compared.
//!
//! The scenarios share a cluster: one that breaks something puts it back, and none goes on beside it that
//! would mind.

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
use scenarios::{Part, SCENARIOS, Scenario};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, RwLock};
use tokio::time::Instant;
use world::World;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let wanted = !arguments.list && (arguments.ignored || arguments.include_ignored);
    if !wanted {
        return run(arguments, None);
    }
    if machine::within().is_some() {
        let began = Instant::now();
        // A scenario blocks the thread that it has. The others' connections need one, too.
        let threads = &mut tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build().unwrap();
        let cluster = runtime.block_on(Cluster::start());
        if is_argument(ONLY_NODES) {
            runtime.block_on(cluster.run_a_pod());
            println!("{}", machine::UP);
            park();
        }
        let world = runtime.block_on(World::install(cluster));
        if is_argument(ONLY_WORLD) {
            world.cluster.print_way_in();
            park();
        }
        runtime.block_on(world.settles("all is installed"));
        table::add("in all", "nodes and installation", format!("{} s", began.elapsed().as_secs()));
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

/// The filter by which a run is told to have nodes with a Pod and nothing else.
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
    arguments.test_threads = arguments.test_threads.or(Some(SIDE_BY_SIDE));
    let stage = world.map(|(runtime, world)| {
        Arc::new(Stage { runtime, world: RwLock::new(world), deployments: Mutex::default() })
    });
    let trials = SCENARIOS.iter().map(|scenario| {
        let stage = stage.clone();
        let run = move || {
            stage.expect("an ignored test runs only when it is wanted").play(scenario);
            Ok(())
        };
        Trial::test(scenario.name, run).with_ignored_flag(true)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// As many as do not slow each other down on two cores.
const SIDE_BY_SIDE: usize = 3;

/// Where scenarios are played, each when the part of the world is free that it needs. Those that wait come in the order in
/// which they began to.
struct Stage {
    runtime: Runtime,
    world: RwLock<World>,
    deployments: Mutex<()>,
}

// === impl Stage ===

impl Stage {
    fn play(&self, scenario: &Scenario) {
        self.runtime.block_on(async {
            if scenario.part == Part::All {
                return Self::play_in(&*self.world.write().await, scenario).await;
            }
            let world = self.world.read().await;
            let _deployments = match scenario.part {
                Part::Deployments => Some(self.deployments.lock().await),
                _ => None,
            };
            Self::play_in(&world, scenario).await;
        });
    }

    async fn play_in(world: &World, scenario: &Scenario) {
        let began = Instant::now();
        (scenario.run)(world).await;
        table::add("in all", scenario.name, format!("{} s", began.elapsed().as_secs()));
    }
}

/// Where the operator of this version is: `bin` and `crds`.
fn operator_folder() -> PathBuf {
    let named = std::env::var_os("PROMETHEUS_OPERATOR");
    named.expect("PROMETHEUS_OPERATOR must name the folder that .ci/build-operator prints").into()
}
