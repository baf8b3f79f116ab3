//! The same comparison on a cluster that is there already. Nothing is written to it.

#![expect(clippy::print_stderr, reason = "what was compared")]

use super::api::Api;
use super::block_on;
use super::jobs::everywhere;
use super::oracle::{DERIVED, Fleet, Oracle};
use super::support::prometheus::{binaries, node_of};
use nodelocal_sd::index::EndpointsFrom;
use std::path::PathBuf;

/// Names the kubeconfig of such a cluster.
const VARIABLE: &str = "CLUSTER_KUBECONFIG";

/// Set to compare what is derived too; docs/testing.md names the differences that it may show.
const DERIVED_TOO: &str = "CLUSTER_DERIVED";

/// Each Node gets a sidecar, in this process: so many are enough.
const MOST_NODES: usize = 50;

pub(crate) fn kubeconfig() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// Whether the sidecars of its Nodes serve what Prometheus discovers, at some moment at least: targets
/// that come and go meanwhile make a comparison wait for the next look.
pub(crate) fn serves_the_same() {
    let kubeconfig = kubeconfig().expect("it was asked for");
    block_on(async {
        let api = Api::at(kubeconfig.clone()).await;
        let list = api.get("/api/v1/nodes").await;
        let names = list["items"].as_array().unwrap().iter().map(|node| &node["metadata"]["name"]);
        let nodes: Vec<&str> = names.map(|name| name.as_str().unwrap()).collect();
        assert!(nodes.len() <= MOST_NODES, "{} Nodes are too many for this test", nodes.len());
        let mut fleet = Fleet::start(&kubeconfig, &nodes, EndpointsFrom::Slices).await;
        if std::env::var_os(DERIVED_TOO).is_some() {
            fleet = fleet.and(Fleet::start(&kubeconfig, &nodes, DERIVED).await);
        }
        for binary in binaries() {
            let oracle = Oracle::start(&binary, &kubeconfig, everywhere).await;
            let found = oracle.agree(&fleet).await;
            let found = found.unwrap_or_else(|differences| panic!("{}", differences[0].1));
            let targets = || found.values().flatten();
            eprintln!(
                "{}: {} targets on {} Nodes are the same; {} belong to no node",
                oracle.profile,
                targets().filter(|target| node_of(target).is_some()).count(),
                nodes.len(),
                targets().filter(|target| node_of(target).is_none()).count()
            );
        }
    });
}
