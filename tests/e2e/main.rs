//! The end-to-end tests: a real etcd, kube-apiserver, kube-controller-manager and Prometheus.
//!
//! They need binaries that the variables `ETCD_BIN`, `KUBERNETES_BIN` and `PROMETHEUS` name, so a
//! plain `cargo test` leaves them out; `.ci/run e2e` runs them. They run in a network of their own and
//! share one control plane, which ends with the last of them, hence a harness of their own.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod api;
mod complement;
mod control_plane;
mod differential;
mod existing_cluster;
mod features;
mod hostile;
mod jobs;
mod least_privilege;
mod moving;
mod network;
mod operator;
mod oracle;
mod outage;
mod own_node;
mod process;
#[expect(dead_code, reason = "shared with the measurements, which read its counts")]
mod proxy;
mod random_cluster;
mod restarted;
mod shrink;
mod soak;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod whole_path;
mod wire;
mod wrong_code;
mod wrong_faults;
mod wrong_rules;

use control_plane::ControlPlane;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;

/// A test, given the control plane.
type Test = fn(&ControlPlane);

/// The longest first; they run two at a time.
const TESTS: [(&str, Test); 22] = [
    ("differential::random_clusters", differential::random_clusters),
    ("outage::of_the_api_server", outage::of_the_api_server),
    ("soak::random_changes_and_faults", soak::random_changes_and_faults),
    ("moving::random_changes", moving::random_changes),
    ("complement::everything_once", complement::everything_once),
    ("operator::manifests_scrape_their_node", operator::manifests_scrape_their_node),
    ("operator::migration_leaves_no_gap", operator::migration_leaves_no_gap),
    ("operator::renders_what_nodes_can_use", operator::renders_what_nodes_can_use),
    ("wire::faults", wire::faults),
    ("wrong_faults::turn_rows_red", wrong_faults::turn_rows_red),
    ("whole_path::from_pods_to_remote_write", whole_path::from_pods_to_remote_write),
    (
        "least_privilege::each_right_is_needed_and_enough",
        least_privilege::each_right_is_needed_and_enough,
    ),
    ("own_node::is_enforced_by_the_server", own_node::is_enforced_by_the_server),
    (
        "operator::what_prometheus_refuses_is_left_out",
        operator::what_prometheus_refuses_is_left_out,
    ),
    (
        "operator::ignored_is_what_the_operator_ignores",
        operator::ignored_is_what_the_operator_ignores,
    ),
    (
        "operator::refused_is_what_the_api_server_refuses",
        operator::refused_is_what_the_api_server_refuses,
    ),
    ("operator::check_judges_what_is_applied", operator::check_judges_what_is_applied),
    ("operator::policies_refuse_and_warn", operator::policies_refuse_and_warn),
    ("hostile::clients", hostile::clients),
    ("wire::sigterm_under_load", wire::sigterm_under_load),
    ("moving::a_service_that_stops_selecting", moving::a_service_that_stops_selecting),
    (
        "differential::slices_cannot_be_selected_by_node",
        differential::slices_cannot_be_selected_by_node,
    ),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each waits a lot, for Prometheus above all; and they share an API server.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let existing = existing_cluster::kubeconfig().is_some();
    let wanted = !arguments.list && (arguments.ignored || arguments.include_ignored) && !existing;
    if wanted {
        network::enter();
    }
    let plane = wanted.then(|| Arc::new(ControlPlane::start()));
    let on_a_control_plane = TESTS.into_iter().filter(|_| !existing).map(|(name, test)| {
        let plane = plane.clone();
        let run = move || {
            test(&plane.expect("an ignored test runs only when it is wanted"));
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(true)
    });
    let on_a_cluster = existing.then(|| {
        Trial::test("existing_cluster::serves_the_same", || {
            existing_cluster::serves_the_same();
            Ok(())
        })
        .with_ignored_flag(true)
    });
    let alone = Trial::test("shrink::finds_what_matters", || {
        block_on(shrink::finds_what_matters());
        Ok(())
    });
    let trials = on_a_control_plane.chain(on_a_cluster).chain([alone]);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(plane); // before the process ends, whatever the result
    conclusion.exit_code()
}

/// Runs a test's future; one thread, as the sidecar itself has.
fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
