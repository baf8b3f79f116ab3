//! What one change, and one answer, costs: decode, apply, build, render.
//!
//! A node with 110 Pods (the kubelet's default limit); clusters with 1, 100 and 10,000 slices of 100
//! endpoints, of which the node has few.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nodelocal_sd::history::difference;
use nodelocal_sd::index::{Change, EndpointsFrom, Index, ListOutcome, Snapshot, Update};
use nodelocal_sd::objects::{EndpointSlice, Pod, Reach, Resource, Service, SliceOfNode};
use nodelocal_sd::sd;
use nodelocal_sd::targets::{Profile, Query, Role, build};
use serde::de::DeserializeSeed;
use std::hint::black_box;

const NODE: &str = "node-0";
const PODS: usize = 110;
const SLICES: [usize; 3] = [1, 100, 10_000];
const ENDPOINTS: usize = 100;

fn pod_json(number: usize) -> String {
    format!(
        r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","uid":"u-{number}","resourceVersion":"{number}",
        "labels":{{"app":"web","pod-template-hash":"7d9f","tier":"front"}},
        "annotations":{{"checksum/config":"0123456789abcdef","prometheus.io/scrape":"true"}},
        "managedFields":[{{"manager":"kubelet","operation":"Update","fieldsV1":{{"f:status":{{"f:phase":{{}},"f:podIP":{{}}}}}}}}],
        "ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d9f","uid":"r","controller":true}}]}},
        "spec":{{"nodeName":"{NODE}","containers":[{{"name":"web","image":"registry/web:1",
        "env":[{{"name":"A","value":"1"}},{{"name":"B","value":"2"}}],
        "ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}},{{"name":"metrics","containerPort":9090,"protocol":"TCP"}}]}}]}},
        "status":{{"phase":"Running","podIP":"10.0.0.{number}","hostIP":"192.0.2.1","conditions":[{{"type":"Ready","status":"True"}}],
        "containerStatuses":[{{"name":"web","containerID":"containerd://{number}","ready":true}}]}}}}"#
    )
}

/// A slice of which this node has one endpoint, if it is one of the first `PODS`.
fn slice_json(number: usize) -> String {
    let endpoints: Vec<String> = (0..ENDPOINTS)
        .map(|i| {
            let (node, pod) = match i {
                0 if number < PODS => (0, format!("web-{number}")),
                _ => (1 + (number + i) % 999, format!("other-{number}-{i}")),
            };
            format!(
                r#"{{"addresses":["10.1.{}.{i}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},
                "nodeName":"node-{node}","zone":"z1","targetRef":{{"kind":"Pod","namespace":"shop","name":"{pod}","uid":"u"}}}}"#,
                number % 256
            )
        })
        .collect();
    format!(
        r#"{{"metadata":{{"name":"svc-{number}-abcde","namespace":"shop","resourceVersion":"{number}","labels":{{
        "kubernetes.io/service-name":"svc-{number}",
        "endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"}}}},
        "addressType":"IPv4","endpoints":[{}],"ports":[{{"name":"http","port":8080,"protocol":"TCP"}}]}}"#,
        endpoints.join(",")
    )
}

fn service_json(number: usize) -> String {
    format!(
        r#"{{"metadata":{{"name":"svc-{number}","namespace":"shop","labels":{{"app":"svc-{number}"}}}},
        "spec":{{"type":"ClusterIP","clusterIP":"10.96.0.1","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack",
        "selector":{{"app":"web","instance":"svc-{number}"}},
        "ports":[{{"name":"http","port":80,"protocol":"TCP","targetPort":"http"}}]}}}}"#
    )
}

fn pod(number: usize) -> Pod {
    serde_json::from_str(&pod_json(number)).expect("a Pod")
}

fn slice(json: &str) -> EndpointSlice {
    SliceOfNode(Some(NODE))
        .deserialize(&mut serde_json::Deserializer::from_str(json))
        .expect("a slice")
}

fn service(number: usize) -> Service {
    serde_json::from_str(&service_json(number)).expect("a Service")
}

fn cluster(slices: usize) -> (Index, Snapshot) {
    let mut index = Index::new(NODE, EndpointsFrom::Slices);
    index.apply(Change::Pods(replace((0..PODS).map(pod))));
    index.apply(Change::Services(replace((0..slices).map(service))));
    index.apply(Change::EndpointSlices(replace((0..slices).map(|n| slice(&slice_json(n))))));
    let snapshot = index.take_snapshot().expect("something changed");
    (index, snapshot)
}

fn replace<T>(objects: impl Iterator<Item = T>) -> Update<T> {
    Update::Replace(ListOutcome::of(objects.collect()))
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let json = pod_json(7);
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("pod", |b| {
        b.iter(|| serde_json::from_str::<Pod>(black_box(&json)).expect("a Pod"));
    });
    for (name, number) in [("slice with an own endpoint", 7), ("slice of other nodes", 5000)] {
        let json = slice_json(number);
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(name, |b| b.iter(|| slice(black_box(&json))));
    }
    group.finish();
}

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply a Pod change and publish");
    for slices in SLICES {
        let (mut index, _snapshot) = cluster(slices);
        let mut number = 0;
        group.bench_with_input(BenchmarkId::from_parameter(slices), &slices, |b, _| {
            b.iter_batched(
                || {
                    number += 1;
                    Pod { ip: format!("10.9.0.{number}").into(), ..pod(7) }
                },
                |pod| {
                    index.apply(Change::Pods(Update::Apply(pod)));
                    index.take_snapshot().expect("the address changed")
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// The worst case: all Services are in the namespace of all Pods.
fn derive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply a Pod change, derive and publish");
    for services in SLICES {
        let labelled = |number: usize, ip: &str| {
            let mut pod = pod(number);
            let instance = format!("svc-{number}");
            pod.meta.labels = [("app", "web"), ("instance", &instance)].into_iter().collect();
            pod.ips = [ip.into()].into();
            pod
        };
        let mut index = Index::new(NODE, EndpointsFrom::default());
        index.apply(Change::Services(replace((0..services).map(service))));
        index.apply(Change::Pods(replace((0..PODS).map(|n| labelled(n, "10.0.0.1")))));
        let mut last = index.take_snapshot().expect("something changed");
        assert_eq!(last.derived.slices().count(), services.min(PODS));
        let mut number = 0;
        group.bench_with_input(BenchmarkId::from_parameter(services), &services, |b, _| {
            b.iter_batched(
                || {
                    number += 1;
                    labelled(0, &format!("10.9.{}.{}", number / 256 % 256, number % 256))
                },
                |pod| {
                    index.apply(Change::Pods(Update::Apply(pod)));
                    last = index.take_snapshot().expect("the address changed");
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// What the history costs after a snapshot has been published: each Pod is of a Service of its own, and of one that has all.
fn remember(criterion: &mut Criterion) {
    let labelled = |number: usize, version: &str| {
        let mut pod = pod(number);
        let instance = format!("svc-{number}");
        let labels = [("app", "web"), ("instance", &instance), ("version", version)];
        pod.meta.labels = labels.into_iter().collect();
        pod.ips = [format!("10.0.0.{number}").into()].into();
        pod
    };
    let mut all = service(PODS);
    all.selector = [("app", "web")].into_iter().collect();
    let mut index = Index::new(NODE, EndpointsFrom::default());
    index.apply(Change::Services(replace((0..PODS).map(service).chain([all]))));
    index.apply(Change::ServicesWatched([Reach::Cluster].into()));
    index.apply(Change::Nodes(replace(std::iter::empty())));
    index.apply(Change::Pods(replace((0..PODS).map(|n| labelled(n, "1")))));
    index.apply(Change::Synced(Resource::EndpointSlices));
    let before = index.take_snapshot().expect("something changed");
    index.apply(Change::Pods(Update::Apply(labelled(7, "2"))));
    let after = index.take_snapshot().expect("the label changed");
    let effects = difference(&before, &after).expect("few enough to compare");
    assert_eq!(effects.len(), 2, "both roles");
    criterion.bench_function("what a Pod change did to targets", |b| {
        b.iter(|| difference(black_box(&before), black_box(&after)));
    });
}

fn answer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer");
    for slices in SLICES {
        let (_index, snapshot) = cluster(slices);
        for role in [Role::Pod, Role::EndpointSlice] {
            let query = Query::all(role);
            let name = format!("build {}", role.name());
            group.bench_with_input(BenchmarkId::new(name, slices), &slices, |b, _| {
                b.iter(|| build(black_box(&snapshot), &query, Profile::Latest));
            });
            let targets = build(&snapshot, &query, Profile::Latest);
            let name = format!("render {}", role.name());
            group.bench_with_input(BenchmarkId::new(name, slices), &slices, |b, _| {
                b.iter(|| sd::render(black_box(&targets.own)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, decode, apply, derive, remember, answer);
criterion_main!(benches);
