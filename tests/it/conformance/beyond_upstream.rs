//! Cases that Prometheus' own tests do not have, on the recorded object sets.

use super::data::{LabelMap, Set};
use super::goldens::{difference, known};
use crate::support::objects::{
    EndpointBuilder, ServiceBuilder, SliceBuilder, endpoint, service, slice,
};
use crate::support::show::{line, lines};
use crate::support::sidecar::Sidecar;
use nodelocal_sd::selector::{FieldSelector, LabelSelector};
use nodelocal_sd::targets::{Profile, Query, Role, Selector};
use std::collections::BTreeMap;

fn discovered(set: &'static str, role: Role, profile: Profile) -> Vec<LabelMap> {
    Set::load(set).discovered(&Query::all(role), profile)
}

fn shown(targets: &[LabelMap], prefixes: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> =
        targets.iter().map(|labels| line(&labels["__address__"], labels, prefixes)).collect();
    lines.sort();
    lines
}

/// What one slice gives under the profile of 3.5, on whatever node.
#[track_caller]
fn slice_gives(set: &'static str, slice: &str, prefixes: &[&str], expected: &[&str]) {
    let mut targets = discovered(set, Role::EndpointSlice, Profile::V3_5);
    targets.retain(|labels| labels["__meta_kubernetes_endpointslice_name"] == slice);
    assert_eq!(shown(&targets, prefixes), expected);
}

#[test]
fn x1_null_conditions() {
    let (terminating, set) = (
        "endpointslice_endpoint_conditions_ready=false \
         endpointslice_endpoint_conditions_serving=true \
         endpointslice_endpoint_conditions_terminating=true",
        "endpointslice_endpoint_conditions_ready=true \
         endpointslice_endpoint_conditions_serving=true \
         endpointslice_endpoint_conditions_terminating=false",
    );
    slice_gives(
        "main",
        "web-abc",
        &["endpointslice_endpoint_conditions"],
        &[
            "10.1.0.1:15090", // extra targets have none either
            &format!("10.1.0.1:8080 {set}"),
            "10.1.0.1:9090",
            "10.1.0.2:8080",
            &format!("10.1.0.9:8080 {terminating}"),
        ],
    );
}

#[test]
fn x2_null_port() {
    let prefixes = ["endpointslice_port", "pod_container_name"];
    slice_gives(
        "main",
        "nilport",
        &prefixes,
        &[
            "10.1.0.4 endpointslice_port_name=any endpointslice_port_protocol=TCP",
            "10.1.0.4:7000 pod_container_name=c1",
            "10.1.0.4:7000 pod_container_name=c2",
            "10.1.0.4:7000 pod_container_name=c2",
        ],
    );
    slice_gives(
        "main",
        "nilport6",
        &prefixes,
        &[
            "[fd00::1]:8080 pod_container_name=app",
            "fd00::1 endpointslice_port_name=any endpointslice_port_protocol=TCP",
        ],
    );
}

#[test]
fn x3_no_ports_or_no_endpoints() {
    slice_gives("main", "noportslist", &[], &[]);
    slice_gives("main", "empty", &[], &[]);
}

#[test]
fn x4_fqdn() {
    slice_gives(
        "main",
        "fqdn",
        &["endpointslice_address_type"],
        &["a.example.com:443 endpointslice_address_type=FQDN"],
    );
}

#[test]
fn x5_which_service() {
    let prefixes = ["service_", "endpointslice_label_"];
    slice_gives("main", "nosvc", &prefixes, &["10.2.0.1:1"]);
    slice_gives(
        "main",
        "missingsvc",
        &prefixes,
        &["10.2.0.2:2 endpointslice_label_kubernetes_io_service_name=nope"],
    );
    slice_gives(
        "extra",
        "two-endpoints-one-pod",
        &prefixes,
        &["10.1.0.1:6060", "10.1.0.1:7070", "10.1.0.1:8080", "10.1.0.1:9090", "10.9.9.9:8080"],
    );
    slice_gives(
        "extra",
        "service-of-other-namespace",
        &["service_", "namespace"],
        &["7.7.7.7:80 namespace=ns2 service_label_tier=two service_name=app"],
    );
    slice_gives("extra", "app", &prefixes, &["5.5.5.5:9090"]);
}

#[test]
fn x6_references_that_resolve_to_nothing() {
    let target = |kind, name| {
        format!("endpointslice_address_target_kind={kind} endpointslice_address_target_name={name}")
    };
    let prefixes = ["endpointslice_address_target", "pod_"];
    let expected = format!("10.1.0.1:8080 {}", target("Pod", "web-1"));
    slice_gives("main", "refnons", &prefixes, &[&expected]);
    slice_gives(
        "extra",
        "node-name-differs",
        &prefixes,
        &[
            // The Pod is there, but on another node: this one is among the known differences.
            &format!("10.1.0.2:80 {}", target("Pod", "terminating")),
            &format!("6.6.6.6:80 {}", target("Foo", "multi")),
        ],
    );
}

#[test]
fn x7_pod_of_another_namespace() {
    slice_gives(
        "extra",
        "ref-other-namespace",
        &["namespace", "pod_name", "pod_container_name"],
        &["10.2.0.1:8080 namespace=ns1 pod_container_name=z pod_name=multi"],
    );
}

#[test]
fn x8_one_number_twice() {
    slice_gives(
        "main",
        "dnsx",
        &["endpointslice_port_protocol", "pod_container_port_protocol"],
        &[
            "10.1.0.3:53 endpointslice_port_protocol=TCP pod_container_port_protocol=UDP",
            "10.1.0.3:53 endpointslice_port_protocol=UDP pod_container_port_protocol=UDP",
            "10.1.0.3:9153 pod_container_port_protocol=TCP",
        ],
    );
    slice_gives("main", "twocx", &["pod_container_name"], &["10.1.0.4:7000 pod_container_name=c2"]);
}

#[test]
fn x9_init_container_with_the_number_of_a_regular_one() {
    for (profile, expected) in [
        (Profile::V2_53, "10.1.0.1:8080 pod_container_name=c1"),
        (Profile::V3_5, "10.1.0.1:8080 pod_container_init=true pod_container_name=init1"),
    ] {
        let mut targets = discovered("extra", Role::EndpointSlice, profile);
        targets.retain(|labels| {
            labels["__meta_kubernetes_endpointslice_name"] == "two-endpoints-one-pod"
                && labels["__address__"] == "10.1.0.1:8080"
        });
        let prefixes = ["pod_container_init", "pod_container_name"];
        assert_eq!(shown(&targets, &prefixes), [expected]);
    }
}

#[test]
fn x10_which_node_is_attached() {
    for (set, node, slice, expected) in [
        // Known difference: recorded is node-a, which this node does not see.
        ("main", "node-zzz", "noderef", "10.0.0.1:10250"),
        ("extra", "node-a", "node-ref-unknown", "10.0.0.2:10250"),
        ("extra", "node-a", "node-ref-only", "10.0.0.1:10250 node_name=node-a"),
    ] {
        let mut query = Query::all(Role::EndpointSlice);
        query.attach.node = true;
        query.selectors.endpointslice.field =
            FieldSelector::parse(&format!("metadata.name={slice}")).unwrap();
        let targets = Set::load(set).sidecar(node).targets(&query);
        assert_eq!(lines(&targets.own, &["node_name"]), [expected]);
    }
}

#[test]
fn x11_several_addresses_and_ports() {
    let prefixes = ["endpointslice_port_name", "endpointslice_port_protocol"];
    slice_gives(
        "main",
        "multiaddr",
        &prefixes,
        &[
            "10.1.0.111:8080 endpointslice_port_name=a endpointslice_port_protocol=TCP",
            "10.1.0.111:9 endpointslice_port_name=b endpointslice_port_protocol=SCTP",
            "10.1.0.1:15090",
            "10.1.0.1:8080 endpointslice_port_name=a endpointslice_port_protocol=TCP",
            "10.1.0.1:9 endpointslice_port_name=b endpointslice_port_protocol=SCTP",
            "10.1.0.1:9090",
        ],
    );
    slice_gives(
        "extra",
        "split-ports-one-pod",
        &["endpointslice_port_name", "pod_container_name"],
        &[
            "10.1.0.1:6060 endpointslice_port_name=c pod_container_name=init2",
            "10.1.0.1:7070 pod_container_name=c2",
            "10.1.0.1:8080 pod_container_name=c1",
            "10.1.0.1:8080 pod_container_name=init1",
            "10.1.0.1:9090 endpointslice_port_name=a pod_container_name=c1",
            "10.1.0.1:9090 endpointslice_port_name=b pod_container_name=c1",
        ],
    );
}

#[test]
fn x12_pod_without_address() {
    slice_gives("main", "noipx", &["pod_name"], &["10.1.0.77:1234 pod_name=noip"]);
}

#[test]
fn x13_dual_stack() {
    slice_gives(
        "main",
        "dual-v6",
        &["endpointslice_port_name"],
        &["10.1.0.1:15090", "10.1.0.1:9090", "[fd00::11]:8080 endpointslice_port_name=http"],
    );
    for (slice, count) in [("dual-v4", 3), ("dual-v6", 0)] {
        let targets = discovered("main", Role::EndpointSlice, Profile::V3_11);
        let of_slice = |labels: &&LabelMap| labels["__meta_kubernetes_endpointslice_name"] == slice;
        assert_eq!(targets.iter().filter(of_slice).count(), count, "{slice}");
    }
}

#[test]
fn x14_ipv6_slice_of_an_ipv4_pod() {
    slice_gives(
        "extra",
        "v6-slice-v4-pod",
        &["endpointslice_port_name"],
        &[
            "10.1.0.1:6060",
            "10.1.0.1:7070",
            "10.1.0.1:8080",
            "10.1.0.1:8080",
            "[fd00::1]:9090 endpointslice_port_name=p",
        ],
    );
}

#[test]
fn x15_extra_targets_once() {
    slice_gives(
        "extra",
        "two-endpoints-one-pod",
        &["endpointslice_port_name"],
        &[
            "10.1.0.1:6060",
            "10.1.0.1:7070",
            "10.1.0.1:8080 endpointslice_port_name=p",
            "10.1.0.1:9090",
            "10.9.9.9:8080 endpointslice_port_name=p",
        ],
    );
    slice_gives(
        "extra",
        "nil-and-numbered-port",
        &["endpointslice_port_name"],
        &[
            "10.1.0.1 endpointslice_port_name=np",
            "10.1.0.1:6060",
            "10.1.0.1:7070",
            "10.1.0.1:8080",
            "10.1.0.1:8080",
            "10.1.0.1:9090 endpointslice_port_name=p",
        ],
    );
}

#[test]
fn x16_empty_reference_unknown_node_no_container_ports() {
    slice_gives("extra", "empty-ref", &["endpointslice_address_target"], &["1.0.0.1:1"]);
    slice_gives(
        "extra",
        "app",
        &["endpointslice_endpoint_node_name"],
        &["5.5.5.5:9090 endpointslice_endpoint_node_name=node-unknown"],
    );
    slice_gives(
        "extra",
        "container-without-ports",
        &["pod_name", "pod_container"],
        &["10.1.0.6:80 pod_name=portless"],
    );
}

#[test]
fn x17_values_are_copied() {
    let targets = discovered("main", Role::Pod, Profile::V3_5);
    let web = |labels: &&LabelMap| labels["__meta_kubernetes_pod_name"] == "web-1";
    let annotations: BTreeMap<_, _> = targets
        .iter()
        .find(web)
        .unwrap()
        .iter()
        .filter_map(|(name, value)| {
            Some((name.strip_prefix("__meta_kubernetes_pod_annotation")?, &**value))
        })
        .collect();
    let expected = [
        ("_long_a_b_c_d", "v \"q\" \n é"),
        ("present_empty", "true"),
        ("present_long_a_b_c_d", "true"),
    ];
    assert_eq!(annotations, BTreeMap::from(expected));
}

#[test]
fn x18_pods() {
    let prefixes = [
        "pod_container_id",
        "pod_container_init",
        "pod_controller_name",
        "pod_name",
        "pod_phase",
        "pod_ready",
    ];
    for (set, name, expected) in [
        ("main", "noip", vec![]),
        ("main", "unsched", vec![]),
        (
            "main",
            "v6",
            vec![
                "[fd00::1]:8080 pod_container_id=containerd://app-id pod_container_init=false pod_name=v6 pod_phase=Running pod_ready=true",
                "fd00::1 pod_container_init=false pod_name=v6 pod_phase=Running pod_ready=true",
            ],
        ),
        (
            "main",
            "web-2",
            vec![
                "10.1.0.2:8080 pod_container_id=containerd://app-id pod_container_init=false pod_name=web-2 pod_phase=Pending pod_ready=unknown",
            ],
        ),
        (
            "extra",
            "terminating",
            vec![
                "10.1.0.2:80 pod_container_init=false pod_name=terminating pod_phase=Running pod_ready=true",
            ],
        ),
        (
            "extra",
            "succeeded",
            vec![
                "10.1.0.3:80 pod_container_init=false pod_name=succeeded pod_phase=Succeeded pod_ready=unknown",
            ],
        ),
    ] {
        let mut targets = discovered(set, Role::Pod, Profile::V3_5);
        targets.retain(|labels| labels["__meta_kubernetes_pod_name"] == name);
        assert_eq!(shown(&targets, &prefixes), expected, "{name}");
    }
    let mut second_owner = discovered("extra", Role::Pod, Profile::V3_5);
    second_owner.retain(|labels| labels["__address__"] == "10.1.0.1:6060");
    assert_eq!(
        shown(&second_owner, &["pod_controller"]),
        ["10.1.0.1:6060 pod_controller_kind=B pod_controller_name=b"]
    );
}

#[test]
fn x19_endpoints() {
    let mut legacy = discovered("extra", Role::Endpoints, Profile::V3_5);
    legacy.retain(|labels| labels["__meta_kubernetes_endpoints_name"] == "legacy");
    assert_eq!(
        shown(
            &legacy,
            &["endpoint_node", "endpoint_port_p", "endpoint_ready", "pod_container_port_p"]
        ),
        [
            "10.0.0.9:53 endpoint_node_name=node-a endpoint_port_protocol=UDP endpoint_ready=true",
            "10.1.0.5:53 endpoint_node_name=node-a endpoint_port_protocol=UDP \
             endpoint_ready=false pod_container_port_protocol=UDP",
            "10.1.0.5:53 endpoint_node_name=node-a endpoint_port_protocol=UDP \
             endpoint_ready=true pod_container_port_protocol=UDP",
            "[fd00::5]:1 endpoint_port_protocol=TCP endpoint_ready=true",
            "[fd00::5]:2 endpoint_port_protocol=SCTP endpoint_ready=true",
        ]
    );
}

#[test]
fn x20_nodes() {
    assert_eq!(
        shown(&discovered("main", Role::Node, Profile::V3_5), &["node_name"]),
        ["10.0.0.1:10250 node_name=node-a", "h.example:0 node_name=node-hostonly"]
    );
    assert_eq!(
        shown(&discovered("extra", Role::Node, Profile::V3_5), &["node_name", "node_address_x"]),
        [
            "[fd00::99]:10250 node_address_x_y_Z=1.1.1.1 node_name=node-b",
            "node-a.internal:0 node_name=node-a"
        ]
    );
}

#[test]
fn x23_hidden_pods() {
    let mut query = Query::all(Role::EndpointSlice);
    query.selectors.pod.field = FieldSelector::parse("spec.nodeName=node-a").unwrap();
    for (profile, count) in [(Profile::V2_53, 30), (Profile::V3_5, 34)] {
        let targets = Set::load("main").discovered(&query, profile);
        assert_eq!(targets.len(), count);
        let of_node_b = |labels: &&LabelMap| {
            labels
                .get("__meta_kubernetes_endpointslice_endpoint_node_name")
                .is_some_and(|node| node == "node-b")
        };
        let of_node_b: Vec<LabelMap> = targets.iter().filter(of_node_b).cloned().collect();
        assert_eq!(shown(&of_node_b, &["pod_"]), ["10.1.0.2:8080", "10.1.0.9:8080"]);
    }
}

#[test]
fn x24_dual_stack_service_hidden_and_fqdn() {
    let of_service = |name, family| {
        slice(name).of_service("s").family(family).port("p", 80).endpoint(endpoint(name).on("n"))
    };
    let sidecar = Sidecar::of_node("n")
        .with(service("s").families("PreferDualStack", &["IPv4", "IPv6"]))
        .with(of_service("v4", "IPv4"))
        .with(of_service("v6", "IPv6"))
        .with(of_service("fqdn", "FQDN"));
    let mut query = Query::all(Role::EndpointSlice);
    assert_eq!(lines(&sidecar.targets(&query).own, &[]), ["v4:80"]);
    query.selectors.service =
        Selector { label: LabelSelector::parse("no=such").unwrap(), ..Selector::default() };
    assert_eq!(lines(&sidecar.targets(&query).own, &[]), ["fqdn:80", "v4:80", "v6:80"]);
}

#[test]
fn x25_partition() {
    for (set, role, expected) in [
        ("main", Role::EndpointSlice, vec![("node-a", 28), ("node-b", 2), ("node-zzz", 1)]),
        ("extra", Role::EndpointSlice, vec![("node-a", 26), ("node-b", 2), ("node-unknown", 2)]),
        ("main", Role::Endpoints, vec![("node-a", 5), ("node-b", 1)]),
        ("extra", Role::Endpoints, vec![("node-a", 7), ("node-b", 2)]),
        ("main", Role::Pod, vec![("node-a", 14), ("node-b", 1)]),
        ("extra", Role::Pod, vec![("node-a", 7), ("node-b", 2), ("node-unknown", 1)]),
    ] {
        let (set, query) = (Set::load(set), Query::all(role));
        let mut served = Vec::new();
        for node in set.nodes() {
            let targets = set.sidecar(&node).targets_for(&query, Profile::V3_5);
            served.push((node, targets.own.len()));
        }
        served.retain(|(_, count)| *count > 0);
        let served: Vec<_> = served.iter().map(|(node, n)| (&**node, *n)).collect();
        assert_eq!(served, expected, "{} {}", set.name, role.name());
        let all: usize = served.iter().map(|(_, n)| n).sum();
        let of_none = set.discovered(&query, Profile::V3_5).len() - all;
        let expected = match (set.name, role) {
            ("main", Role::EndpointSlice) => 3,
            ("extra", Role::EndpointSlice) => 2,
            _ => 0,
        };
        assert_eq!(of_none, expected, "{} {}", set.name, role.name());
    }
}

/// Profile 3.11 has no recorded output. It differs from that of 3.5 in what is dropped.
#[test]
fn x26_profile_3_11_derived_from_3_5() {
    for (set, golden, count) in [
        ("main", "endpointslice", 31),
        ("main", "endpointslice-nodemeta", 31),
        ("extra", "endpointslice", 32),
        ("main", "endpoints", 6),
        ("extra", "endpoints-nodemeta", 9),
        ("main", "pod", 15),
        ("main", "pod-nodemeta", 14),
        ("extra", "pod", 10),
        ("extra", "pod-nodemeta", 9),
        ("main", "node", 2),
        ("extra", "node", 2),
    ] {
        let set = Set::load(set);
        let mut derived = set.golden(&format!("3.5.3/{golden}"));
        derived.profile = Profile::V3_11;
        derived.targets.retain(|labels| {
            let has = |name: &str, value: &str| labels.get(name).is_some_and(|v| v == value);
            !has("__meta_kubernetes_endpointslice_name", "dual-v6")
                && (golden != "pod-nodemeta" || labels.contains_key("__meta_kubernetes_node_name"))
        });
        assert_eq!(derived.targets.len(), count, "{} {golden}", set.name);
        let discovered = set.discovered(&derived.query, derived.profile);
        assert_eq!(
            difference(derived.targets.iter().cloned(), discovered.into_iter()),
            known(&set, &derived, None),
            "{} {golden}",
            set.name
        );
    }
}

/// From 3.16 it differs in role node alone.
#[test]
fn x26_profile_3_11_derived_from_3_16() {
    for set in Set::NAMES.map(Set::load) {
        for golden in set.goldens() {
            if golden.profile == Profile::Latest && golden.query.role != Role::Node {
                let discovered = set.discovered(&golden.query, Profile::V3_11);
                assert_eq!(
                    difference(golden.targets.iter().cloned(), discovered.into_iter()),
                    known(&set, &golden, None),
                    "{} {}",
                    set.name,
                    golden.name
                );
            }
        }
    }
}

#[test]
fn x26_node_conditions_since_3_12() {
    for (set, expected) in [
        (
            "main",
            "10.0.0.1:10250 node_condition_frequentkubeletrestart_x=unknown \
             node_condition_ready=true",
        ),
        ("extra", "node-a.internal:0 node_condition_ready=true"),
    ] {
        for (profile, expected) in
            [(Profile::V3_11, expected.split(' ').next().unwrap()), (Profile::Latest, expected)]
        {
            let mut targets = discovered(set, Role::Node, profile);
            targets.retain(|labels| labels["__meta_kubernetes_node_name"] == "node-a");
            assert_eq!(shown(&targets, &["node_condition"]), [expected]);
        }
    }
}
