//! What is remembered of changes, and what they did to targets.

use crate::support::asked::Asked;
use crate::support::objects::*;
use crate::support::world::{self, NODE, PODS};
use nodelocal_sd::history::{Effect, Entry, Few, History, Recorder, difference};
use nodelocal_sd::index::{
    Agents, Arrival, Change, EndpointsFrom, Index, ListOutcome, Snapshot, Update, Witness as _,
};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::objects::{ObjectKey, Pod, Reach, Resource, Service};
use nodelocal_sd::targets::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A node with three Pods of a Service, one of another namespace, and all of it synced.
fn index() -> (Index, Snapshot) {
    let mut index = Index::new("n1", EndpointsFrom::default());
    index.apply(Change::Nodes(listed(vec![node("n1")])));
    index.apply(Change::Pods(listed(
        (1..=3).map(web).chain([web(9).in_namespace("other")]).collect(),
    )));
    index.apply(Change::Services(listed(vec![selecting("web")])));
    index.apply(Change::ServicesWatched([Reach::Cluster].into()));
    index.apply(Change::Synced(Resource::EndpointSlices));
    let snapshot = index.take_snapshot().unwrap();
    (index, snapshot)
}

fn listed<T>(objects: Vec<T>) -> Update<T> {
    Update::Replace(ListOutcome::of(objects))
}

fn web(number: u8) -> Pod {
    let ip = format!("10.0.0.{number}");
    let pod = pod(&format!("web-{number}")).label("app", "web").on("n1").ip(&ip).ready("True");
    let mut pod = pod.container("app").port("http", 80);
    pod.ips = [ip.as_str().into()].into();
    pod
}

fn selecting(name: &str) -> Service {
    let json = serde_json::json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.1", "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]}});
    serde_json::from_value(json).unwrap()
}

/// `pod +10.0.0.1:80 -… ~…`, a line for each role.
fn lines(effects: Option<Vec<Effect>>) -> Vec<String> {
    let of = |sign: &str, few: &Few<Box<str>>| {
        let more = (few.more > 0).then(|| format!(" {sign}{} more", few.more));
        few.shown.iter().map(|a| format!(" {sign}{a}")).chain(more).collect::<String>()
    };
    let line = |effect: Effect| {
        let Effect { role, added, removed, relabelled } = effect;
        format!("{}{}{}{}", role.name(), of("+", &added), of("-", &removed), of("~", &relabelled))
    };
    effects.map_or(vec!["too much".to_owned()], |effects| effects.into_iter().map(line).collect())
}

#[test]
fn what_a_change_does_to_targets() {
    type Told = fn() -> Vec<Change>;
    let cases: [(&str, Told, &[&str]); 10] = [
        (
            "a new Pod",
            || vec![Change::Pods(Update::Apply(web(4)))],
            &["pod +10.0.0.4:80", "endpointslice +10.0.0.4:80"],
        ),
        (
            "a deleted Pod",
            || vec![Change::Pods(Update::Delete(ObjectKey::new("default", "web-1")))],
            &["pod -10.0.0.1:80", "endpointslice -10.0.0.1:80"],
        ),
        (
            "a Pod with another label",
            || vec![Change::Pods(Update::Apply(web(1).label("version", "2")))],
            &["pod ~10.0.0.1:80", "endpointslice ~10.0.0.1:80"],
        ),
        (
            "a Pod with another address",
            || vec![Change::Pods(Update::Apply(web(1).ip("10.0.0.8")))],
            &["pod +10.0.0.8:80 -10.0.0.1:80", "endpointslice ~10.0.0.1:80"],
        ),
        (
            "a Service with an annotation",
            || vec![Change::Services(Update::Apply(selecting("web").annotation("a", "b")))],
            &["endpointslice ~10.0.0.1:80 ~10.0.0.2:80 ~10.0.0.3:80"],
        ),
        (
            "a second Service: the addresses have two targets each",
            || vec![Change::Services(Update::Apply(selecting("web-2")))],
            &["endpointslice +10.0.0.1:80 +10.0.0.2:80 +10.0.0.3:80"],
        ),
        (
            "a Service of nobody",
            || vec![Change::Services(Update::Apply(service("nobody").in_namespace("other")))],
            &[],
        ),
        (
            "a Pod of no Service, in another namespace",
            || vec![Change::Pods(Update::Apply(web(5).in_namespace("other")))],
            &["pod +10.0.0.5:80"],
        ),
        (
            "many Pods",
            || (20..40).map(|number| Change::Pods(Update::Apply(web(number)))).collect(),
            &[
                "pod +10.0.0.20:80 +10.0.0.21:80 +10.0.0.22:80 +10.0.0.23:80 +10.0.0.24:80 +10.0.0.25:80 \
                 +10.0.0.26:80 +10.0.0.27:80 +12 more",
                "endpointslice +10.0.0.20:80 +10.0.0.21:80 +10.0.0.22:80 +10.0.0.23:80 +10.0.0.24:80 \
                 +10.0.0.25:80 +10.0.0.26:80 +10.0.0.27:80 +12 more",
            ],
        ),
        (
            "more than is compared",
            || {
                let pods = (0..1001).map(|n| pod(&format!("many-{n}")).on("n1").ip("10.1.0.1"));
                vec![Change::Pods(listed(pods.collect()))]
            },
            &["too much"],
        ),
    ];
    for (name, told, expected) in cases {
        let (mut index, before) = index();
        told().into_iter().for_each(|change| index.apply(change));
        let after = index.take_snapshot().expect(name);
        let differs = lines(difference(&before, &after));
        assert_eq!(differs, expected, "{name}");
        assert_eq!(lines(difference(&after, &after)), [""; 0], "{name}: nothing by itself");
    }
}

#[test]
fn the_first_lists_bring_the_targets_and_closing_takes_none() {
    let (mut index, synced) = index();
    let nothing = Snapshot::of("n1", EndpointsFrom::default(), Default::default());
    let first = lines(difference(&nothing, &synced));
    assert_eq!(
        first,
        [
            "pod +10.0.0.1:80 +10.0.0.2:80 +10.0.0.3:80 +10.0.0.9:80",
            "endpointslice +10.0.0.1:80 +10.0.0.2:80 +10.0.0.3:80",
        ]
    );
    let mut moved = synced.clone();
    moved.agents = Agents::On(Arc::default());
    let moved = lines(difference(&synced, &moved));
    assert_eq!(moved, ["too much"], "whose targets they are changes without an object");
    index.apply(Change::Closed(Resource::Services));
    let closed = index.take_snapshot().unwrap();
    assert_eq!(lines(difference(&synced, &closed)), [""; 0], "nobody asks any more");
}

#[tokio::test(start_paused = true)]
async fn what_came_is_noted_with_when() {
    let (mut index, before) = index();
    let history = Arc::new(History::new());
    let mut recorder = Recorder::new(Arc::clone(&history));
    let came = |recorder: &mut Recorder, change| {
        recorder.came(&Arrival { at: Instant::now(), change }, &before);
    };
    came(&mut recorder, Change::Pods(Update::Apply(web(9))));
    recorder.nothing_changed();
    sleep(Duration::from_millis(5)).await;
    for change in [
        Change::Reached(Resource::Pods, Reach::Cluster, "7".into()),
        Change::Pods(Update::Apply(web(1))),
        Change::Pods(Update::Apply(web(4))),
        Change::Pods(Update::Delete(ObjectKey::new("default", "web-2"))),
        Change::Services(listed(vec![selecting("web")])),
        Change::Synced(Resource::EndpointSlices),
        Change::Closed(Resource::Namespaces),
    ] {
        came(&mut recorder, change);
        sleep(Duration::from_millis(1)).await;
    }
    index.apply(Change::Pods(Update::Apply(web(4))));
    let after = index.take_snapshot().unwrap();
    recorder.published(&before, &after, Instant::now());
    let entries = history.entries();
    let [entry] = &*entries else { panic!("one entry: {entries:?}") };
    assert_eq!(entry.version, after.version);
    assert_eq!(entry.took, Duration::from_millis(7), "since the first of them");
    assert_eq!(lines(entry.effects.clone())[0], "pod +10.0.0.4:80");
    let said: Vec<String> = entry
        .events
        .shown
        .iter()
        .map(|event| {
            let key = event.what.key().map_or(String::new(), |key| format!(" {key}"));
            format!("{} {}{key}", event.resource, event.what.name())
        })
        .collect();
    assert_eq!(
        said,
        [
            "pods changed default/web-1",
            "pods added default/web-4",
            "pods deleted default/web-2",
            "services listed",
            "endpointslices synced",
            "namespaces closed",
        ]
    );
}

/// The whole way: a watch event becomes an entry with what it did and how long it took.
#[tokio::test(start_paused = true)]
async fn a_sidecar_remembers_what_came() {
    let simulator = world::cluster();
    let asked = Asked::start(&simulator, NODE, Timing::alone());
    let patience = Duration::from_secs(5);
    asked.ask("endpointslice", patience).await.unwrap();
    let first = asked.history();
    let listed = first.iter().rev().find(|entry| entry.changed_targets()).expect("the first list");
    assert!(listed.events.shown.iter().any(|event| event.what.name() == "listed"), "{listed:?}");
    let effects = listed.effects.clone().unwrap();
    assert_eq!((effects[0].role, effects[0].added.count()), (Role::Pod, PODS));

    world::put(&simulator, world::pod("web-new", NODE, "10.1.0.99"));
    let entry: Arc<Entry> = loop {
        let entries = asked.history();
        if let Some(entry) = entries.iter().find(|entry| entry.version > first[0].version) {
            break Arc::clone(entry);
        }
        sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(entry.events.shown[0].what.key().unwrap().to_string(), "shop/web-new");
    assert_eq!(lines(entry.effects.clone()), ["pod +10.1.0.99:8080"]);
    assert!(entry.took < Duration::from_secs(1), "{:?}", entry.took);
}
