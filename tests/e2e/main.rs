//! The end-to-end tests: a real etcd, kube-apiserver, kube-controller-manager and Prometheus.
//!
//! They need binaries that the variables `ETCD_BIN`, `KUBERNETES_BIN` and `PROMETHEUS` name, so a
//! plain `cargo test` leaves them out; `.ci/run e2e` runs them. They share one control plane, which
//! is started on the main thread (see `control_plane.rs`), hence a harness of their own.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod api;
mod control_plane;
mod differential;
mod least_privilege;
mod moving;
mod outage;
mod random_cluster;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

use control_plane::ControlPlane;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;

/// A test, given the control plane.
type Test = fn(&ControlPlane);

const TESTS: [(&str, Test); 5] = [
    (
        "least_privilege::each_right_is_needed_and_enough",
        least_privilege::each_right_is_needed_and_enough,
    ),
    ("differential::random_clusters", differential::random_clusters),
    (
        "differential::slices_cannot_be_selected_by_node",
        differential::slices_cannot_be_selected_by_node,
    ),
    ("outage::of_the_api_server", outage::of_the_api_server),
    ("moving::random_changes", moving::random_changes),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1); // they share the API server, and its machine has two cores
    let wanted = !arguments.list && (arguments.ignored || arguments.include_ignored);
    let plane = wanted.then(|| Arc::new(ControlPlane::start()));
    let trials = TESTS.into_iter().map(|(name, test)| {
        let plane = plane.clone();
        let run = move || {
            test(&plane.expect("an ignored test runs only when it is wanted"));
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(true)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(plane); // before the process ends, whatever the result
    conclusion.exit_code()
}

/// Runs a test's future; one thread, as the sidecar itself has.
fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
