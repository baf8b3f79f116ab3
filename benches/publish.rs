//! From an event's bytes to the snapshot that has it: `cargo bench --bench publish`.
//!
//! The path of a change inside the sidecar, with the queue and the task between: decode, send, apply, derive,
//! publish, wake who waits. A node with 110 Pods (the kubelet's default limit), which change one after the other;
//! endpoints are derived, and all Services are in the Pods' namespace, which is the worst case.

#![expect(clippy::print_stdout, reason = "the result")]

use nodelocal_sd::history::{History, Recorder};
use nodelocal_sd::index::{
    Change, EndpointsFrom, Index, ListOutcome, Snapshots, Update, arrivals, maintain,
};
use nodelocal_sd::objects::{Pod, Service};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const NODE: &str = "node-0";
const PODS: usize = 110;
const SERVICES: [usize; 3] = [110, 1_000, 10_000];
const EVENTS: usize = 5_000;

fn pod_json(number: usize, event: usize) -> String {
    format!(
        r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","uid":"u-{number}","resourceVersion":"{event}",
        "labels":{{"app":"web","instance":"svc-{number}","tier":"front"}},
        "annotations":{{"checksum/config":"0123456789abcdef","prometheus.io/scrape":"true"}}}},
        "spec":{{"nodeName":"{NODE}","containers":[{{"name":"web","image":"registry/web:1",
        "ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}]}}]}},
        "status":{{"phase":"Running","podIP":"10.1.{}.{}","podIPs":[{{"ip":"10.1.{}.{}"}}],"hostIP":"192.0.2.1",
        "conditions":[{{"type":"Ready","status":"True"}}]}}}}"#,
        event / 250 % 250,
        event % 250,
        event / 250 % 250,
        event % 250,
    )
}

fn service(number: usize) -> Service {
    let json = format!(
        r#"{{"metadata":{{"name":"svc-{number}","namespace":"shop","labels":{{"app":"svc-{number}"}}}},
        "spec":{{"type":"ClusterIP","clusterIP":"10.96.0.1","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack",
        "selector":{{"app":"web","instance":"svc-{number}"}},
        "ports":[{{"name":"http","port":80,"protocol":"TCP","targetPort":"http"}}]}}}}"#
    );
    serde_json::from_str(&json).expect("a Service")
}

fn pod(json: &str) -> Pod {
    serde_json::from_str(json).expect("a Pod")
}

fn replace<T>(objects: impl Iterator<Item = T>) -> Update<T> {
    Update::Replace(ListOutcome::of(objects.collect()))
}

/// The delays of all events, sorted.
async fn measure(services: usize) -> Vec<Duration> {
    let mut index = Index::new(NODE, EndpointsFrom::default());
    index.apply(Change::Services(replace((0..services).map(service))));
    index.apply(Change::Pods(replace((0..PODS).map(|number| pod(&pod_json(number, number))))));
    let first = index.take_snapshot().expect("something changed");
    assert_eq!(first.derived.slices().count(), PODS);
    let snapshots = Arc::new(Snapshots::after(first));
    let mut versions = snapshots.subscribe();
    let (changes, queue) = arrivals(1024);
    let recorder = Recorder::new(Arc::new(History::new())); // it takes its time on the same thread
    let maintaining = tokio::spawn(maintain(index, queue, Arc::clone(&snapshots), recorder));
    let mut delays = Vec::new();
    for event in PODS..PODS + EVENTS {
        let json = pod_json(event % PODS, event);
        let came = Instant::now();
        let change = Change::Pods(Update::Apply(pod(&json)));
        changes.send(change).await.expect("the index takes changes");
        versions.changed().await.expect("the index publishes");
        delays.push(came.elapsed());
    }
    drop(changes);
    maintaining.await.expect("it ends with its queue");
    delays.sort();
    delays
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("| {PODS} Pods, {EVENTS} events | median ms | p99 ms | most ms |\n|--|--|--|--|");
    for services in SERVICES {
        let delays = runtime.block_on(measure(services));
        let ms =
            |percent: usize| delays[(delays.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e3;
        println!("| {services} Services | {:.3} | {:.3} | {:.3} |", ms(50), ms(99), ms(100));
    }
}
