//! Role node: `discovery/kubernetes/node.go`.

use super::draft::{Draft, join_host_port, target_of};
use super::locality::Place;
use super::output::Output;
use super::view::View;
use crate::objects::Node;

/// Which address is scraped: the first of the first type that exists.
const ADDRESS_TYPES: [&str; 6] =
    ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];

/// Adds the targets of all Nodes: on a node there is one, the own.
pub(super) fn build(view: &View<'_>, output: &mut Output<'_>) {
    for node in view.nodes() {
        let place = Place::Node(&node.meta.key.name);
        if output.wants(place)
            && let Some(address) = ADDRESS_TYPES.iter().find_map(|kind| first(node, kind))
        {
            let address = join_host_port(address, node.kubelet_port);
            let target = target_of(&[&labels(view, node)], address);
            output.add(place, target);
        }
    }
}

fn labels(view: &View<'_>, node: &Node) -> Draft {
    let mut draft = Draft::default();
    draft.set_metadata("node", &node.meta);
    draft.set("node_provider_id", &node.provider_id);
    draft.set_plain("instance", &node.meta.key.name);
    if view.profile.shows_node_conditions() {
        for condition in &node.conditions {
            let kind = condition.kind.to_lowercase();
            draft.set_keyed("node_condition", &kind, &condition.status.to_lowercase());
        }
    }
    for address in node.addresses.iter().rev() {
        // From the back, so that the first of each type stays.
        draft.set_keyed("node_address", &address.kind, &address.address);
    }
    draft.made_from("Node", &node.meta.key);
    draft
}

fn first<'a>(node: &'a Node, kind: &str) -> Option<&'a str> {
    let mut addresses = node.addresses.iter();
    Some(&addresses.find(|address| *address.kind == *kind)?.address)
}
