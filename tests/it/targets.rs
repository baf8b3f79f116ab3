//! What targets have beyond Prometheus: filters, reasons and sources; and what a selector hides.

use crate::support::objects::{
    EndpointBuilder, EndpointsBuilder, PodBuilder, SliceBuilder, SubsetBuilder, WithMetadata,
    address, endpoint, endpoints, namespace, node, owner, pod, service, slice, subset,
};
use crate::support::show::lines;
use crate::support::sidecar::Sidecar;
use nodelocal_sd::selector::{FieldSelector, LabelSelector};
use nodelocal_sd::targets::{Attach, Query, Reason, Role, Selector};

fn label(text: &str) -> LabelSelector {
    LabelSelector::parse(text).unwrap()
}

fn field(text: &str) -> FieldSelector {
    FieldSelector::parse(text).unwrap()
}

/// Two Pods of one Service, on the own node; the slice and the Endpoints have two of their three
/// ports.
fn web() -> Sidecar {
    let web = |name: &str, ip: &str| {
        pod(name)
            .label("app", name)
            .on("n1")
            .ip(ip)
            .container("app")
            .port("http", 8080)
            .port("metrics", 9090)
            .port("", 7070)
            .container("portless")
    };
    let slice = slice("web-abc")
        .of_service("web")
        .port("http", 8080)
        .port("", 7070)
        .endpoint(endpoint("10.0.0.1").on("n1").refers_to("Pod", "default", "web-1"))
        .endpoint(endpoint("10.0.0.2").on("n1").refers_to("Pod", "default", "web-2"));
    let subset = subset()
        .port("http", 8080)
        .port("", 7070)
        .ready(address("10.0.0.1").on("n1").refers_to("Pod", "default", "web-1"))
        .not_ready(address("10.0.0.2").on("n1").refers_to("Pod", "default", "web-2"));
    Sidecar::of_node("n1")
        .with(web("web-1", "10.0.0.1"))
        .with(web("web-2", "10.0.0.2"))
        .with(service("web").label("tier", "front"))
        .with(slice)
        .with(endpoints("web").subset(subset))
}

fn endpointslice() -> Query {
    Query::all(Role::EndpointSlice)
}

const ENDPOINTS_ROLES: [Role; 2] = [Role::EndpointSlice, Role::Endpoints];

const ALL: [&str; 6] = [
    "10.0.0.1:7070",
    "10.0.0.1:8080",
    "10.0.0.1:9090",
    "10.0.0.2:7070",
    "10.0.0.2:8080",
    "10.0.0.2:9090",
];

#[test]
fn only_targets_of_matching_services() {
    for (filter, expected) in [("tier=front", &ALL[..]), ("tier!=back", &ALL), ("tier=back", &[])] {
        for role in ENDPOINTS_ROLES {
            let query = Query { service: Some(label(filter)), ..Query::all(role) };
            assert_eq!(lines(&web().targets(&query).own, &[]), expected, "{filter} {role:?}");
        }
    }
    let without_service = Sidecar::of_node("n1")
        .with(slice("s").port("p", 1).endpoint(endpoint("10.0.0.1").on("n1")))
        .with(endpoints("s").subset(subset().port("p", 1).ready(address("10.0.0.1").on("n1"))));
    for role in ENDPOINTS_ROLES {
        let query = Query { service: Some(label("tier!=back")), ..Query::all(role) };
        assert_eq!(without_service.targets(&query).own, [], "{role:?}");
    }
}

#[test]
fn only_targets_of_named_ports() {
    let asked = |role, names: &[&str]| {
        let query = Query {
            ports: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Query::all(role)
        };
        lines(&web().targets(&query).own, &[])
    };
    for role in ENDPOINTS_ROLES {
        assert_eq!(asked(role, &["http"]), ["10.0.0.1:8080", "10.0.0.2:8080"], "{role:?}");
        // `metrics` is a container port, not one of the Service.
        assert_eq!(asked(role, &["metrics"]), [""; 0], "{role:?}");
    }
    let pod = |names: &[&str]| asked(Role::Pod, names);
    assert_eq!(pod(&["metrics"]), ["10.0.0.1:9090", "10.0.0.2:9090"]);
    assert_eq!(pod(&["http", "metrics"]).len(), 4);
}

#[test]
fn a_selector_of_the_role_filters_and_another_hides() {
    for role in ENDPOINTS_ROLES {
        let mut query = Query::all(role);
        query.selectors.pod.label = label("app=web-2");
        assert_eq!(
            lines(&web().targets(&query).own, &["pod_name", "service_name"]),
            [
                "10.0.0.1:7070 service_name=web",
                "10.0.0.1:8080 service_name=web",
                "10.0.0.2:7070 pod_name=web-2 service_name=web",
                "10.0.0.2:8080 pod_name=web-2 service_name=web",
                "10.0.0.2:9090 pod_name=web-2 service_name=web",
            ],
            "{role:?}"
        );
        let mut query = Query::all(role);
        query.selectors.service.field = field("metadata.name=other");
        assert_eq!(lines(&web().targets(&query).own, &["service_name"]), ALL, "{role:?}");
    }
    let mut query = endpointslice();
    query.selectors.endpointslice.field = field("metadata.name!=web-abc");
    assert_eq!(web().targets(&query).own, []);
    let mut query = Query::all(Role::Endpoints);
    query.selectors.endpoints.field = field("metadata.name!=web");
    assert_eq!(web().targets(&query).own, []);
    let mut query = Query::all(Role::Pod);
    query.selectors.pod =
        Selector { label: label("app in (web-1,web-2)"), field: field("status.podIP=10.0.0.2") };
    assert_eq!(lines(&web().targets(&query).own, &[]), [&["10.0.0.2"], &ALL[3..]].concat());
}

#[test]
fn references_cross_namespaces_unless_several_are_listed() {
    let endpoint = endpoint("10.0.0.1").on("n1").refers_to("Pod", "b", "p");
    let sidecar = Sidecar::of_node("n1")
        .with(pod("p").in_namespace("b").on("n1").ip("10.0.0.1"))
        .with(slice("s").in_namespace("a").port("p", 80).endpoint(endpoint));
    for (namespaces, expected) in [
        (vec![], "10.0.0.1:80 pod_name=p"),
        (vec!["a"], "10.0.0.1:80"),
        (vec!["a", "b"], "10.0.0.1:80"),
    ] {
        let namespaces = namespaces.into_iter().map(str::to_owned).collect();
        let query = Query { namespaces, ..endpointslice() };
        assert_eq!(lines(&sidecar.targets(&query).own, &["pod_name"]), [expected]);
    }
}

#[test]
fn what_belongs_to_no_node_has_a_reason() {
    let sidecar = Sidecar::of_node("n1")
        .with(
            slice("s")
                .port("p", 80)
                .endpoint(endpoint("external"))
                .endpoint(endpoint("elsewhere").refers_to("Pod", "default", "unseen"))
                .endpoint(endpoint("own").refers_to("Node", "", "n1"))
                .endpoint(endpoint("other").on("n2")),
        )
        .with(
            endpoints("s").subset(
                subset()
                    .port("p", 80)
                    .ready(address("external"))
                    .ready(address("elsewhere").refers_to("Pod", "default", "unseen"))
                    .not_ready(address("own").refers_to("Node", "", "n1"))
                    .not_ready(address("other").on("n2")),
            ),
        );
    for role in ENDPOINTS_ROLES {
        let targets = sidecar.targets(&Query::all(role));
        assert_eq!(lines(&targets.own, &[]), ["own:80"], "{role:?}");
        let unassigned: Vec<_> =
            targets.unassigned.iter().map(|one| (&*one.target.address, one.reason)).collect();
        assert_eq!(
            unassigned,
            [("elsewhere:80", Reason::PodNotHere), ("external:80", Reason::NoNode)],
            "{role:?}"
        );
    }
}

/// A hand-made slice, or Endpoints, can say that an own Pod's endpoint is on another node: the Pod's other
/// ports are still scraped here, once.
#[test]
fn extra_targets_follow_their_pod() {
    let sidecar = Sidecar::of_node("n1")
        .with(pod("p").on("n1").ip("10.0.0.1").container("c").port("a", 80).port("b", 81))
        .with(
            slice("s")
                .port("a", 80)
                .endpoint(endpoint("10.0.0.1").on("n2").refers_to("Pod", "default", "p"))
                .endpoint(endpoint("10.0.0.9").on("n2").refers_to("Pod", "default", "p")),
        )
        .with(
            endpoints("s").subset(
                subset()
                    .port("a", 80)
                    .ready(address("10.0.0.1").on("n2").refers_to("Pod", "default", "p"))
                    .ready(address("10.0.0.9").on("n2").refers_to("Pod", "default", "p")),
            ),
        );
    for role in ENDPOINTS_ROLES {
        assert_eq!(
            lines(&sidecar.targets(&Query::all(role)).own, &["pod_container_port_name"]),
            ["10.0.0.1:81 pod_container_port_name=b"],
            "{role:?}"
        );
    }
}

#[test]
fn targets_tell_what_they_came_from() {
    let mut sidecar = web();
    sidecar.apply(node("n1"));
    sidecar.apply(namespace("default"));
    sidecar.apply(pod("web-1").controlled_by("ReplicaSet", "web-7").on("n1").ip("10.0.0.1"));
    sidecar.read_owners(|_| Some(owner("Deployment", "web")));
    let query = Query {
        attach: Attach { node: true, namespace: true, deployment: true, ..Attach::default() },
        ..endpointslice()
    };
    let target = sidecar.targets(&query).own.swap_remove(0);
    let sources: Vec<String> =
        target.sources.iter().map(|source| format!("{} {}", source.kind, source.key)).collect();
    assert_eq!(
        sources,
        [
            "EndpointSlice default/web-abc",
            "Service default/web",
            "Namespace default",
            "Node n1",
            "ReplicaSet default/web-7",
            "Pod default/web-1",
        ]
    );
}
