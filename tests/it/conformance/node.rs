//! Prometheus' own cases for role node (`discovery/kubernetes/node_test.go`).

use crate::support::objects::{NodeBuilder, WithMetadata, node};
use crate::support::show::lines;
use crate::support::sidecar::Sidecar;
use nodelocal_sd::objects::Node;
use nodelocal_sd::targets::{Profile, Query, Role};

fn test0() -> Node {
    Node {
        provider_id: "aws:///nl-az/i-0123".into(),
        kubelet_port: 10250,
        ..node("test0").address("InternalIP", "1.2.3.4")
    }
}

fn shown(sidecar: &Sidecar, profile: Profile, prefixes: &[&str]) -> Vec<String> {
    let query = Query::all(Role::Node);
    lines(&sidecar.targets_for(&query, profile).own, prefixes)
}

#[test]
fn n1_metadata() {
    let node = test0()
        .label("test-label", "testvalue")
        .annotation("test-annotation", "testannotationvalue");
    assert_eq!(
        shown(&Sidecar::of_node("test0").with(node), Profile::Latest, &[""]),
        ["1.2.3.4:10250 node_address_InternalIP=1.2.3.4 \
          node_annotation_test_annotation=testannotationvalue \
          node_label_test_label=testvalue node_name=test0 \
          node_provider_id=aws:///nl-az/i-0123 instance=test0"]
    );
}

#[test]
fn n2_n3_added_and_deleted() {
    let mut sidecar = Sidecar::of_node("test0");
    sidecar.apply(node("test1").address("InternalIP", "2.3.4.5"));
    assert_eq!(shown(&sidecar, Profile::Latest, &[]), [""; 0]);
    sidecar.apply(test0());
    assert_eq!(shown(&sidecar, Profile::Latest, &[]), ["1.2.3.4:10250"]);
    sidecar.delete::<Node>("", "test0");
    assert_eq!(shown(&sidecar, Profile::Latest, &[]), [""; 0]);
}

#[test]
fn n4_updated() {
    let mut sidecar = Sidecar::of_node("test0").with(test0());
    sidecar.apply(Node { provider_id: "gce://x".into(), ..test0().label("Unschedulable", "true") });
    assert_eq!(
        shown(&sidecar, Profile::Latest, &["node_label", "node_provider"]),
        ["1.2.3.4:10250 node_label_Unschedulable=true node_provider_id=gce://x"]
    );
    // Upstream would keep the old target.
    sidecar.apply(node("test0"));
    assert_eq!(shown(&sidecar, Profile::Latest, &[]), [""; 0]);
}

#[test]
fn n5_conditions() {
    for (conditions, expected) in [
        (vec![("Ready", "True")], " node_condition_ready=true"),
        (vec![("Ready", "False")], " node_condition_ready=false"),
        (vec![("Ready", "Unknown")], " node_condition_ready=unknown"),
        (vec![], ""),
        (
            vec![("MemoryPressure", "False"), ("Ready", "True"), ("DiskPressure", "False")],
            " node_condition_diskpressure=false node_condition_memorypressure=false \
             node_condition_ready=true",
        ),
    ] {
        let mut node = test0();
        for (kind, status) in conditions {
            node = node.condition(kind, status);
        }
        let sidecar = Sidecar::of_node("test0").with(node);
        let prefixes = ["node_condition"];
        assert_eq!(
            shown(&sidecar, Profile::Latest, &prefixes),
            [format!("1.2.3.4:10250{expected}")]
        );
        assert_eq!(shown(&sidecar, Profile::V3_11, &prefixes), ["1.2.3.4:10250"]);
    }
}

#[test]
fn which_address() {
    let addresses = [
        ("Hostname", "host"),
        ("LegacyHostIP", "4.0.0.0"),
        ("ExternalDNS", "ext"),
        ("ExternalIP", "3.0.0.0"),
        ("InternalDNS", "int"),
        ("InternalIP", "fd00::1"),
    ];
    let mut node = node("test0").address("Odd", "x");
    for (kind, address) in addresses {
        node = node.address(kind, address).address(kind, "second");
        let sidecar = Sidecar::of_node("test0").with(node.clone());
        let address =
            if address.contains(':') { format!("[{address}]:0") } else { format!("{address}:0") };
        assert_eq!(shown(&sidecar, Profile::Latest, &[]), [address]);
    }
}
