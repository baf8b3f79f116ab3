//! Whether the suite would notice: wrong rules are put into a copy of the code, one by one, and each must
//! give an answer that differs from Prometheus'.

#![expect(clippy::print_stderr, reason = "which rules were found, and by what")]

use super::api::Api;
use super::control_plane::{ControlPlane, free_ports};
use super::differential::smallest;
use super::oracle::{ALL_NODES, At, DERIVED, Fleet, Found, Oracle};
use super::random_cluster::NODES;
use super::support::http::{eventually, get};
use super::wrong_code::{self, VARIABLE, WrongCode, WrongRule};
use nodelocal_sd::index::EndpointsFrom;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const ENDPOINTSLICE: &str = "src/targets/role_endpointslice.rs";
const ENDPOINTS: &str = "src/targets/role_endpoints.rs";
const CONTAINER_PORTS: &str = "src/targets/container_ports.rs";
const DERIVED_ENDPOINT: &str = "src/index/derivation/endpoint.rs";
const DERIVED_ENDPOINTS: &str = "src/index/derivation/endpoints.rs";
const DERIVED_LABELS: &str = "src/index/derivation/labels.rs";
const DERIVED_PORTS: &str = "src/index/derivation/ports.rs";
const POD: &str = "src/targets/role_pod.rs";
const VIEW: &str = "src/targets/view.rs";
const DRAFT: &str = "src/targets/draft.rs";

const RULES: [WrongRule; 34] = [
    (
        "the first matching container wins",
        CONTAINER_PORTS,
        "for (container, init) in matched_containers(view, pod) {\n        if let",
        "let mut all: Vec<_> = matched_containers(view, pod).collect();
         if WRONG { all.reverse(); }
         for (container, init) in all {\n        if let",
    ),
    (
        "a name covers an extra target",
        CONTAINER_PORTS,
        "!is_covered(port.number)",
        "!is_covered(port.number) && !(WRONG && !port.name.is_empty())",
    ),
    (
        "init containers are ignored",
        CONTAINER_PORTS,
        "let init_too = view.profile.matches_init_containers();",
        "let init_too = view.profile.matches_init_containers() && !WRONG;",
    ),
    (
        "a Pod of another namespace is resolved",
        VIEW,
        "let separate_worlds = !self.query.namespaces.is_empty();",
        "let separate_worlds = !self.query.namespaces.is_empty() && !WRONG;",
    ),
    (
        "a Pod is looked for in the slice's namespace",
        VIEW,
        "self.snapshot.pods.get(&target.namespace, &target.name)?",
        "self.snapshot.pods.get(if WRONG { &object.namespace } else { &target.namespace }, &target.name)?",
    ),
    (
        "a null condition is false",
        ENDPOINTSLICE,
        "if let Some(holds) = condition {",
        "if let Some(holds) = condition.or(WRONG.then_some(false)) {",
    ),
    (
        "the secondary address family is kept",
        ENDPOINTSLICE,
        "view.profile.drops_secondary_family()",
        "!WRONG && view.profile.drops_secondary_family()",
    ),
    (
        "a Node reference attaches no Node",
        ENDPOINTSLICE,
        "Some(target) if *target.kind == *\"Node\" =>",
        "Some(target) if *target.kind == *\"Node\" && !WRONG =>",
    ),
    (
        "a Node reference gives no place",
        "src/objects/located.rs",
        "self.target_ref().filter(|target| *target.kind == *\"Node\")?",
        "self.target_ref().filter(|target| *target.kind == *\"Node\" && !WRONG)?",
    ),
    (
        "a port without a number is left out",
        ENDPOINTSLICE,
        "slice.ports.iter().filter(is_wanted)",
        "slice.ports.iter().filter(|port| is_wanted(port) && !(WRONG && port.number.is_none()))",
    ),
    (
        "endpoints that are not ready are left out",
        ENDPOINTSLICE,
        "if output.wants(place) {\n            add_endpoint",
        "if output.wants(place) && !(WRONG && endpoint.conditions.ready == Some(false)) {\n            add_endpoint",
    ),
    (
        "a Service selector filters targets",
        ENDPOINTSLICE,
        "if view.wants_service(service) && ",
        "if view.wants_service(service) && !(WRONG && service.is_none()) && ",
    ),
    (
        "a Pod selector filters targets",
        ENDPOINTSLICE,
        "let place = view.place_of_endpoint(seen, endpoint, pod);",
        "let place = view.place_of_endpoint(seen, endpoint, pod);
         if WRONG && pod.is_none() && endpoint.target_ref.is_some() { continue; }",
    ),
    (
        "role endpoints turns ready round",
        ENDPOINTS,
        "if ready { \"true\" }",
        "if ready != WRONG { \"true\" }",
    ),
    (
        "role endpoints shows the container port's protocol",
        ENDPOINTS,
        "draft.set(\"pod_container_port_protocol\", &port.protocol);",
        "if !WRONG { draft.set(\"pod_container_port_protocol\", &port.protocol); }",
    ),
    (
        "a subset without ports gives extra targets",
        ENDPOINTS,
        ".filter(|subset| !subset.ports.is_empty())",
        ".filter(|subset| WRONG || !subset.ports.is_empty())",
    ),
    (
        "derived: Pods that have ended are endpoints",
        "src/index/derivation/pairs.rs",
        "pods.filter(|pod| has_not_ended(pod) &&",
        "pods.filter(|pod| (WRONG || has_not_ended(pod)) &&",
    ),
    (
        "derived: one label of the selector is enough",
        "src/index/derivation/pairs.rs",
        "selector.iter().all(|(key, value)| pod.meta.labels.get(key) == Some(value))",
        "{
             let has = |(key, value): (&str, &str)| pod.meta.labels.get(key) == Some(value);
             if WRONG { selector.iter().any(has) } else { selector.iter().all(has) }
         }",
    ),
    (
        "derived: a terminating Pod is ready",
        DERIVED_ENDPOINT,
        "serving && !pod.deleted",
        "serving && (WRONG || !pod.deleted)",
    ),
    (
        "derived: addresses that are not ready are never published",
        DERIVED_ENDPOINT,
        "ready: Some(service.publish_not_ready ||",
        "ready: Some(!WRONG && service.publish_not_ready ||",
    ),
    (
        "derived: no zone",
        DERIVED_ENDPOINT,
        "filter(|zone| !zone.is_empty())",
        "filter(|zone| !zone.is_empty() && !WRONG)",
    ),
    (
        "derived: a hostname in every Service",
        DERIVED_ENDPOINT,
        "hostname: has_hostname_in(service, pod).then(",
        "hostname: (has_hostname_in(service, pod) || WRONG && !pod.hostname.is_empty()).then(",
    ),
    (
        "derived: a named port of another protocol",
        DERIVED_PORTS,
        "*port.protocol == *protocol",
        "(WRONG || *port.protocol == *protocol)",
    ),
    (
        "derived: no named ports of sidecars",
        DERIVED_PORTS,
        "controller.finds_sidecar_ports() &&",
        "controller.finds_sidecar_ports() && !WRONG &&",
    ),
    (
        "derived: a label that the controller reserves is copied",
        DERIVED_LABELS,
        ".filter(move |(key, _)| !reserved(key))",
        ".filter(move |(key, _)| WRONG || !reserved(key))",
    ),
    (
        "derived: both families of every Service",
        "src/index/derivation/families.rs",
        "families.dedup();",
        "families.dedup();
         if WRONG { families = vec![Family::V4, Family::V6]; }",
    ),
    (
        "derived: terminating Pods in Endpoints",
        DERIVED_ENDPOINTS,
        "pod.deleted && !service.publish_not_ready",
        "pod.deleted && !service.publish_not_ready && !WRONG",
    ),
    (
        "derived: a headless mark of the user in Endpoints",
        DERIVED_LABELS,
        "filter(|(key, _)| *key != HEADLESS)",
        "filter(|(key, _)| WRONG || *key != HEADLESS)",
    ),
    (
        "derived: Endpoints are not read back",
        DERIVED_ENDPOINTS,
        "labels.get(MANAGED_BY) == Some(MIRRORING)",
        "labels.get(MANAGED_BY) == Some(MIRRORING) && !WRONG",
    ),
    (
        "Pods of unknown Nodes are kept",
        POD,
        "&& view.node(&pod.node_name).is_none()",
        "&& view.node(&pod.node_name).is_none() && !WRONG",
    ),
    (
        "Failed Pods are dropped",
        POD,
        "if !pod.ip.is_empty() && ",
        "if !pod.ip.is_empty() && !(WRONG && *pod.phase == *\"Failed\") && ",
    ),
    (
        "an empty annotation has no label at all",
        DRAFT,
        "self.set_keyed(&presence_stem, key, \"true\");",
        "if !(WRONG && value.is_empty()) { self.set_keyed(&presence_stem, key, \"true\"); }",
    ),
    (
        "label names become lower case",
        DRAFT,
        "if c.is_ascii_alphanumeric() { c } else { '_' }",
        "if c.is_ascii_alphanumeric() { if WRONG { c.to_ascii_lowercase() } else { c } } else { '_' }",
    ),
    (
        "an IPv6 address is not bracketed",
        DRAFT,
        "if host.contains(':') {",
        "if host.contains(':') && !WRONG {",
    ),
];

/// A rule whose failing cluster is made smaller, to see that this works.
const SHRUNK: &str = "a name covers an extra target";

/// A sidecar of the copy; ends when it is dropped.
struct Process(Child);

pub(crate) async fn each_is_found(
    plane: &ControlPlane,
    api: &Api,
    prometheus: &Path,
    oracle: &Oracle,
    found: &Found,
    clusters: &[Vec<Value>],
) {
    let binary = build();
    // The copy by itself is right; what is found below is found because of the rule.
    let (right, _right) = start(plane, &binary, "none").await;
    assert_eq!(first_difference(oracle, found, &right, None).await, None);
    for (rule, ..) in RULES {
        let (fleet, _processes) = start(plane, &binary, rule).await;
        let difference = first_difference(oracle, found, &fleet, Some(&right)).await;
        let (_, difference) = difference.unwrap_or_else(|| panic!("not found: {rule}"));
        eprintln!("found: {rule} ({})", difference.lines().next().unwrap_or_default());
    }
    // At the end, because it adds to the cluster.
    let (fleet, _processes) = start(plane, &binary, SHRUNK).await;
    let (job, _) =
        first_difference(oracle, found, &fleet, Some(&right)).await.expect("it was found before");
    let named = |cluster: &&Vec<Value>| {
        let name = cluster[0]["metadata"]["name"].as_str().unwrap();
        oracle.jobs[job].to_string().contains(&format!("[{name}]"))
    };
    let cluster = clusters.iter().find(named).expect("the job is of one namespace");
    let small = smallest(plane, api, &fleet, prometheus, cluster).await;
    let small = small.unwrap_or_else(|| panic!("{SHRUNK}: it does not become smaller"));
    eprintln!("it takes {} objects of {} to find that {SHRUNK}", small.len(), cluster.len());
    assert!(small.len() <= 4, "a namespace, a Service and a Pod are enough: {small:?}");
}

/// The first job of which the fleet serves something else. Other tests write to the cluster meanwhile, so
/// what the right ones serve otherwise by now, in jobs of the whole cluster, tells nothing.
async fn first_difference(
    oracle: &Oracle,
    found: &Found,
    fleet: &Fleet,
    right: Option<&Fleet>,
) -> Option<(usize, String)> {
    for (number, expected) in found {
        let job = &oracle.jobs[*number];
        let what = format!("{job} is answered");
        let difference = eventually(&what, || oracle.difference(job, expected, fleet)).await;
        let Some(difference) = difference else { continue };
        let moved = match right {
            Some(right) => eventually(&what, || oracle.difference(job, expected, right)).await,
            None => None,
        };
        if moved.is_none() {
            return Some((*number, difference));
        }
    }
    None
}

/// Puts the rules into a copy and builds it; the binary.
fn build() -> PathBuf {
    // The manifests are included in the code.
    let copy = WrongCode::copy("wrong-rules", &["src", "manifests"], &RULES, "");
    copy.cargo(&["build", "--quiet", "--bin", wrong_code::BINARY]);
    copy.binary()
}

/// Sidecars of both modes that follow that rule.
async fn start(plane: &ControlPlane, binary: &Path, rule: &str) -> (Fleet, Vec<Process>) {
    let ports: [u16; ALL_NODES.len() + NODES.len()] = free_ports();
    let read = ALL_NODES.map(|node| (node, EndpointsFrom::Slices));
    let derived = NODES.map(|node| (node, DERIVED));
    let (mut sidecars, mut processes) = (Vec::new(), Vec::new());
    for ((node, from), port) in read.into_iter().chain(derived).zip(ports) {
        let mut run = Command::new("setpriv");
        run.args(["--pdeathsig", "KILL", "--"]).arg(binary).args(["run", "--node-name", node]);
        run.args(["--admin-listen", "127.0.0.1:0", "--listen", &format!("127.0.0.1:{port}")]);
        match from {
            EndpointsFrom::Slices => run.args(["--endpoints-from", "slices"]),
            EndpointsFrom::Pods(_) => run.args(["--foreign-slices", "all"]),
        };
        run.arg("--kubeconfig").arg(plane.kubeconfig()).env(VARIABLE, rule);
        run.stdout(Stdio::null()).stderr(Stdio::null());
        processes.push(Process(run.spawn().expect("the copy can be started")));
        let url = format!("http://127.0.0.1:{port}");
        sidecars.push(At { node: node.to_owned(), url, from });
    }
    for At { node, url, .. } in &sidecars {
        for role in ["pod", "endpointslice", "endpoints", "node"] {
            let url = format!("{url}/sd/{role}");
            eventually(&format!("{node} serves {role}"), || get_owned(url.clone())).await;
        }
    }
    (Fleet::at(sidecars), processes)
}

async fn get_owned(url: String) -> Result<String, String> {
    get(&url).await
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill(); // one that has ended by itself is as good
        let _ = self.0.wait();
    }
}
