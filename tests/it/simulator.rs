//! The embedded API server behaves like a real one.

use http_body_util::BodyExt;
use nodelocal_sd::simulator::manifests::Manifests;
use nodelocal_sd::simulator::{
    After, Body, Disconnected, Fault, Line, On, Simulator, Stop, Verb, example, serve, story,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

// --- helpers ---

fn pod(name: &str, node: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"nodeName": node},
    })
}

/// Pods a to e, versions 1 to 5, by turns on n1 and n2.
fn five_pods() -> Simulator {
    let simulator = Simulator::new();
    for (name, node) in [("a", "n1"), ("b", "n2"), ("c", "n1"), ("d", "n2"), ("e", "n1")] {
        simulator.apply(pod(name, node, "web")).unwrap();
    }
    simulator
}

async fn ask_with(simulator: &Simulator, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http::Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    simulator.respond(&head).await
}

type Answer = Result<http::Response<Body>, Disconnected>;

async fn ask(simulator: &Simulator, target: &str) -> http::Response<Body> {
    ask_with(simulator, target, &[]).await.unwrap()
}

async fn get(simulator: &Simulator, target: &str) -> (u16, Value) {
    let response = ask(simulator, target).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// The names in a list, or the code and message of a failure, and the continue token.
async fn list(simulator: &Simulator, target: &str) -> (String, Option<String>) {
    let (status, body) = get(simulator, target).await;
    if status != 200 {
        return (format!("{status} {}", body["message"].as_str().unwrap()), None);
    }
    let names: Vec<_> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect();
    let version = body["metadata"]["resourceVersion"].as_str().unwrap();
    let token = body["metadata"]["continue"].as_str().map(str::to_owned);
    (format!("{} @{version}", names.join(" ")), token)
}

/// What a body said until its end, a line each, shortened.
async fn read_all(body: Body) -> Vec<String> {
    let mut body = body;
    let (mut text, mut end) = (Vec::new(), "end");
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.extend_from_slice(&frame.into_data().unwrap()),
            Err(Disconnected) => end = "cut",
        }
    }
    let text = String::from_utf8(text).unwrap();
    let mut lines: Vec<_> = text.lines().map(shorten).collect();
    lines.push(end.to_owned());
    lines
}

async fn watch(simulator: &Simulator, options: &str) -> Vec<String> {
    let target = format!("/api/v1/pods?watch=1&timeoutSeconds=10&{options}");
    read_all(ask(simulator, &target).await.into_body()).await
}

/// Shortens an event: type, name or code, version.
fn shorten(line: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(line) else {
        return "not JSON".to_owned();
    };
    let (kind, object) = (event["type"].as_str().unwrap(), &event["object"]);
    if kind == "ERROR" {
        return format!("ERROR {} {}", object["code"], object["reason"].as_str().unwrap());
    }
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let version = metadata["resourceVersion"].as_str().unwrap();
    let last = metadata["annotations"]["k8s.io/initial-events-end"] == "true";
    let mark = if last { " initial-events-end" } else { "" };
    format!("{kind} {name}@{version}{mark}")
}

// --- lists ---

#[tokio::test(start_paused = true)]
async fn lists_are_selected_and_versioned() {
    let simulator = five_pods();
    simulator.compact();
    simulator.delete("Pod", "default", "e"); // version 6; below 5 is expired
    for (target, expected) in [
        ("/api/v1/pods", "a b c d @6"),
        ("/api/v1/namespaces/default/pods", "a b c d @6"),
        ("/api/v1/namespaces/other/pods", " @6"),
        ("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", "a c @6"),
        ("/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1,metadata.name%3Db", "b @6"),
        (
            "/api/v1/pods?fieldSelector=spec.hostNetwork%3Dfalse&labelSelector=app%3Dweb",
            "a b c d @6",
        ),
        ("/api/v1/pods?labelSelector=app%20notin%20(web)", " @6"),
        (
            "/api/v1/pods?fieldSelector=spec.color%3Dred",
            "400 field label not supported: spec.color",
        ),
        (
            "/apis/discovery.k8s.io/v1/endpointslices?fieldSelector=spec.nodeName%3Dn1",
            "400 \"spec.nodeName\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
        // any version, then at least, then exactly
        ("/api/v1/pods?resourceVersion=0&limit=2", "a b c d @6"),
        ("/api/v1/pods?resourceVersion=5", "a b c d @6"),
        ("/api/v1/pods?resourceVersion=5&resourceVersionMatch=NotOlderThan&limit=9", "a b c d @6"),
        ("/api/v1/pods?resourceVersion=5&limit=9", "a b c d e @5"),
        ("/api/v1/pods?resourceVersion=5&resourceVersionMatch=Exact", "a b c d e @5"),
        (
            "/api/v1/pods?resourceVersion=4&resourceVersionMatch=Exact",
            "410 too old resource version: 4 (5)",
        ),
        (
            "/api/v1/pods?resourceVersion=7",
            "504 Timeout: Too large resource version: 7, current: 6",
        ),
        (
            "/api/v1/pods?resourceVersionMatch=Exact",
            "422 resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        ("/api/v1/pods?resourceVersion=x", "400 resourceVersion: Invalid value: \"x\""),
        ("/api/v1/gadgets", "404 the server could not find the requested resource"),
        ("/apis/example.com/v1/gadgets", "404 the server could not find the requested resource"),
        ("/api/v1/namespaces/default/pods/z", "404 pods \"z\" not found"),
    ] {
        assert_eq!(list(&simulator, target).await.0, expected, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_waits_for_a_version_that_is_about_to_come() {
    let simulator = five_pods();
    let change = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        simulator.delete("Pod", "default", "a");
    };
    let target = "/api/v1/pods?resourceVersion=6";
    let (answer, ()) = tokio::join!(list(&simulator, target), change);
    assert_eq!(answer.0, "b c d e @6");
}

#[tokio::test(start_paused = true)]
async fn pages_are_of_one_version() {
    let simulator = five_pods();
    let (first, token) = list(&simulator, "/api/v1/pods?limit=2").await;
    let target = format!("/api/v1/pods?limit=2&continue={}", token.unwrap());
    simulator.delete("Pod", "default", "c");
    simulator.apply(pod("ca", "n1", "web")).unwrap();
    let (second, _) = list(&simulator, &target).await;
    assert_eq!([first, second], ["a b @5", "c d @5"]);

    let (status, page) = get(&simulator, "/api/v1/pods?limit=2").await;
    assert_eq!((status, &page["metadata"]["remainingItemCount"]), (200, &json!(3)));

    simulator.compact();
    let (status, failure) = get(&simulator, &target).await;
    assert_eq!((status, failure["reason"].as_str()), (410, Some("Expired")));
    let bad = list(&simulator, "/api/v1/pods?continue=x").await;
    assert_eq!(bad.0, "400 continue key is not valid");
}

#[tokio::test(start_paused = true)]
async fn items_have_no_kind_and_metadata_can_be_asked_for_alone() {
    const PARTIAL: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let simulator = Simulator::new();
    let mut object = pod("a", "n1", "web");
    object["metadata"]["uid"] = json!("u");
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    simulator.apply(object).unwrap();
    let metadata = json!({
        "name": "a", "namespace": "default", "uid": "u", "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "web"},
    });
    let partial = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
    });
    let spec = json!({"nodeName": "n1"});
    for (target, accept, expected) in [
        (
            "/api/v1/pods",
            "application/json",
            json!({
                "kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
                "items": [{"metadata": metadata, "spec": spec}],
            }),
        ),
        (
            "/api/v1/pods",
            PARTIAL,
            json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": "1"}, "items": [partial],
            }),
        ),
        (
            "/api/v1/namespaces/default/pods/a",
            "*/*",
            json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec}),
        ),
        ("/api/v1/namespaces/default/pods/a", PARTIAL, partial.clone()),
        (
            "/api/v1/pods?watch=1&timeoutSeconds=1",
            PARTIAL,
            json!({"type": "ADDED", "object": partial}),
        ),
    ] {
        let answer = ask_with(&simulator, target, &[("accept", accept)]).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, expected, "{target} as {accept}");
    }
    let protobuf = [("accept", "application/vnd.kubernetes.protobuf")];
    let answer = ask_with(&simulator, "/api/v1/pods", &protobuf).await.unwrap();
    assert_eq!(answer.status(), 406);
}

#[tokio::test(start_paused = true)]
async fn only_large_lists_are_compressed_and_only_on_request() {
    let simulator = five_pods();
    let encoding = async |target: &str, accepted: &str| {
        let answer = ask_with(&simulator, target, &[("accept-encoding", accepted)]).await;
        answer.unwrap().headers().contains_key("content-encoding")
    };
    assert!(!encoding("/api/v1/pods", "gzip").await);
    let mut large = pod("large", "n1", "web");
    large["metadata"]["annotations"] = json!({"x": "x".repeat(200_000)});
    simulator.apply(large).unwrap();
    assert!(encoding("/api/v1/pods", "gzip").await);
    assert!(!encoding("/api/v1/pods", "identity").await);
}

#[tokio::test(start_paused = true)]
async fn discovery_says_what_there_is() {
    let simulator = Simulator::new();
    for (target, pointer, expected) in [
        ("/version", "/minor", json!("33")),
        ("/api", "/versions", json!(["v1"])),
        ("/apis", "/groups/2/name", json!("discovery.k8s.io")),
        ("/apis/apps", "/preferredVersion/groupVersion", json!("apps/v1")),
        ("/api/v1", "/resources/2/name", json!("pods")),
        ("/apis/discovery.k8s.io/v1", "/groupVersion", json!("discovery.k8s.io/v1")),
        ("/apis/example.com/v1", "/reason", json!("NotFound")),
    ] {
        let (_, body) = get(&simulator, target).await;
        assert_eq!(body.pointer(pointer), Some(&expected), "{target}");
    }
    let post = http::Request::post("/api/v1/namespaces/default/pods").body(()).unwrap();
    let answer = simulator.respond(&post.into_parts().0).await.unwrap();
    assert_eq!(answer.status(), 405);
}

// --- watches ---

#[tokio::test(start_paused = true)]
async fn watches_start_where_they_are_told() {
    let simulator = Simulator::new();
    simulator.apply(pod("a", "n1", "web")).unwrap(); // 1
    simulator.apply(pod("b", "n2", "web")).unwrap(); // 2
    simulator.compact();
    simulator.apply(pod("b", "n1", "web")).unwrap(); // 3
    simulator.delete("Pod", "default", "a"); // 4
    let initial = "allowWatchBookmarks=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let no_initial = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
    for (options, expected) in [
        ("", &["ADDED b@3", "end"][..]),
        ("resourceVersion=0", &["ADDED b@3", "end"]),
        ("resourceVersion=2", &["MODIFIED b@3", "DELETED a@4", "end"]),
        ("resourceVersion=4", &["end"]),
        ("resourceVersion=1", &["ERROR 410 Expired", "end"]),
        ("resourceVersion=9", &["end"]), // still to come: taken as it is
        ("resourceVersion=3&allowWatchBookmarks=true", &["DELETED a@4", "BOOKMARK @4", "end"]),
        (initial, &["ADDED b@3", "BOOKMARK @4 initial-events-end", "BOOKMARK @4", "end"]),
        (no_initial, &["end"]),
        // An object that begins or ceases to match comes or goes.
        (
            "resourceVersion=2&fieldSelector=spec.nodeName%3Dn1",
            &["ADDED b@3", "DELETED a@4", "end"],
        ),
        ("resourceVersion=2&fieldSelector=spec.nodeName%3Dn2", &["DELETED b@3", "end"]),
        ("resourceVersion=2&labelSelector=app%3Dother", &["end"]),
    ] {
        assert_eq!(watch(&simulator, options).await, expected, "{options}");
    }
    assert_eq!(simulator.open_watches(), 0);

    simulator.watch_list(false);
    let target = format!("/api/v1/pods?watch=true&{initial}");
    assert_eq!(get(&simulator, &target).await.0, 422);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_changes_as_they_come_and_bookmarks_between() {
    let simulator = five_pods();
    let target = "/api/v1/pods?watch=1&resourceVersion=5&timeoutSeconds=150&allowWatchBookmarks=1";
    let body = ask(&simulator, target).await.into_body();
    assert_eq!(simulator.open_watches(), 1);
    let start = Instant::now();
    let changes = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        simulator.apply(pod("a", "n2", "web")).unwrap();
        simulator.compact(); // does not disturb an open watch
        tokio::time::sleep(Duration::from_secs(60)).await;
        simulator.advance_to(20);
    };
    let (events, ()) = tokio::join!(read_all(body), changes);
    assert_eq!(events, ["MODIFIED a@6", "BOOKMARK @6", "BOOKMARK @20", "BOOKMARK @20", "end"]);
    assert_eq!(start.elapsed().as_secs(), 150);
    assert_eq!(simulator.open_watches(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_server_cuts_watches_and_may_be_older() {
    let simulator = five_pods();
    let body = ask(&simulator, "/api/v1/pods?watch=1&resourceVersion=5").await.into_body();
    let replace = async { simulator.replace_all([pod("z", "n1", "web")], 2).unwrap() };
    let (events, ()) = tokio::join!(read_all(body), replace);
    assert_eq!(events, ["cut"]);
    assert_eq!(list(&simulator, "/api/v1/pods").await.0, "z @3");
    assert_eq!(watch(&simulator, "resourceVersion=1").await, ["ERROR 410 Expired", "end"]);
}

// --- faults ---

#[tokio::test(start_paused = true)]
async fn faults_of_watches() {
    let say = |line| On::any().say(line, 1);
    for (rule, expected) in [
        (On::any().end_after_events(0), &["end"][..]),
        (On::any().end_after_events(1), &["ADDED a@1", "end"]),
        (On::any().cut_after_bytes(1), &["not JSON", "cut"]),
        (On::any().fault(Fault::Stop(Stop::Cut, After::Events(1))), &["ADDED a@1", "cut"]),
        (say(Line::Truncated), &["ADDED a@1", "not JSON", "end"]),
        (say(Line::Garbage), &["ADDED a@1", "not JSON", "ADDED b@2", "ADDED c@3", "end"]),
        (
            say(Line::UnknownType),
            &["ADDED a@1", "SURPRISE undecodable@1", "ADDED b@2", "ADDED c@3", "end"],
        ),
        (
            say(Line::UndecodableObject),
            &["ADDED a@1", "ADDED undecodable@1", "ADDED b@2", "ADDED c@3", "end"],
        ),
        (say(Line::Error(500)), &["ADDED a@1", "ERROR 500 InternalError", "end"]),
        (say(Line::Error(410)), &["ADDED a@1", "ERROR 410 Expired", "end"]),
        (On::any().fault(Fault::Lose { after: 1, count: 1 }), &["ADDED a@1", "ADDED c@3", "end"]),
        (
            On::any().fault(Fault::Duplicate),
            &["ADDED a@1", "ADDED a@1", "ADDED b@2", "ADDED b@2", "ADDED c@3", "ADDED c@3", "end"],
        ),
        (On::any().fault(Fault::Reorder), &["ADDED b@2", "ADDED a@1", "end"]),
    ] {
        let simulator = Simulator::new();
        for name in ["a", "b", "c"] {
            simulator.apply(pod(name, "n1", "web")).unwrap();
        }
        let shown = format!("{rule:?}");
        simulator.fault(rule);
        assert_eq!(watch(&simulator, "").await, expected, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_watch_falls_silent() {
    let simulator = five_pods();
    simulator.fault(On::watch("pods").hang_after_events(2));
    let silent = timeout(Duration::from_secs(3600), watch(&simulator, "")).await;
    assert!(silent.is_err());
    assert_eq!(simulator.open_watches(), 0); // the reader went away
}

#[tokio::test(start_paused = true)]
async fn faults_of_requests() {
    let simulator = five_pods();
    let target = "/api/v1/pods";
    let status = async || ask(&simulator, target).await.status().as_u16();

    // The second and third list only.
    simulator.fault(On::list("pods").skip(1).times(2).status_retry_after(429, 7));
    assert_eq!(status().await, 200);
    let answer = ask(&simulator, target).await;
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(status().await, 429);
    assert_eq!(status().await, 200);

    let id = simulator.fault(On::any().refuse());
    assert_eq!(ask_with(&simulator, target, &[]).await.unwrap_err(), Disconnected);
    simulator.remove_fault(id);

    simulator.fault(On::get("pods").html(502)); // not for lists
    let answer = ask(&simulator, "/api/v1/namespaces/default/pods/a").await;
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!((answer.status().as_u16(), &*content_type), (502, "text/html"));
    assert_eq!(status().await, 200);

    simulator.fault(On::list("pods").times(1).delay(Duration::from_secs(40)));
    let start = Instant::now();
    assert_eq!(status().await, 200);
    assert_eq!(start.elapsed().as_secs(), 40);

    simulator.fault(On::list("pods").times(1).fault(Fault::UndecodableItem));
    assert_eq!(list(&simulator, target).await.0, "a b c d e undecodable @5");

    simulator.fault(On::list("pods").times(1).status(403));
    let (_, forbidden) = get(&simulator, target).await;
    assert!(forbidden["message"].as_str().unwrap().contains("cannot list resource \"pods\""));

    simulator.fault(On::list("pods").cut_after_bytes(10));
    let cut = ask(&simulator, target).await.into_body().collect().await;
    assert_eq!(cut.unwrap_err(), Disconnected);
    simulator.clear_faults();

    simulator.fault(On::list("pods").hang());
    assert!(timeout(Duration::from_secs(3600), ask(&simulator, target)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn requests_are_recorded() {
    let simulator = five_pods();
    let agent = [("user-agent", "test/1")];
    let target = "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=5";
    ask_with(&simulator, target, &agent).await.unwrap();
    ask(&simulator, "/version").await;
    let requests = simulator.requests();
    let request = &requests[0];
    assert_eq!((request.verb, request.resource), (Verb::List, "pods"));
    assert_eq!(request.target, target);
    assert_eq!(request.header("user-agent"), "test/1");
    assert_eq!(request.parameter("fieldSelector").as_deref(), Some("spec.nodeName=n1"));
    assert_eq!(simulator.count_requests(|request| request.verb == Verb::Other), 1);
    simulator.forget_requests();
    assert!(simulator.requests().is_empty());
}

// --- over a socket ---

#[tokio::test]
async fn the_same_over_tcp() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let simulator = five_pods();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(simulator.clone(), listener, async {
        stopped.await.ok();
    }));
    let exchange = async |target: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A cut connection may show as a reset: what came before counts.
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8(answer).unwrap()
    };
    let body = async {
        let answer = exchange("/api/v1/namespaces/default/pods/a").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains(r#""nodeName":"n1""#), "{answer}");

        simulator.fault(On::watch("pods").end_after_events(2));
        let answer = exchange("/api/v1/pods?watch=1").await;
        assert_eq!(answer.matches(r#""type":"ADDED""#).count(), 2, "{answer}");
        assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
        simulator.clear_faults();

        simulator.fault(On::watch("pods").cut_after_bytes(20));
        let answer = exchange("/api/v1/pods?watch=1").await;
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        assert!(answer.contains(r#"{"type":"ADDED","obj"#), "{answer}");
        simulator.clear_faults();

        simulator.fault(On::any().refuse());
        assert_eq!(exchange("/version").await, "");
        simulator.clear_faults();

        // The end of the server cuts open watches.
        let watching = exchange("/api/v1/pods?watch=1");
        let stopping = async {
            while simulator.open_watches() == 0 {
                tokio::task::yield_now().await;
            }
            stop.send(()).unwrap();
        };
        tokio::join!(watching, stopping);
        server.await.unwrap();
    };
    timeout(Duration::from_secs(30), body).await.expect("the server answers");
}

// --- objects from files ---

/// A folder of its own for a test; gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nodelocal-sd-{name}-{}", process::id()));
        fs::create_dir_all(path.join("sub")).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn names(simulator: &Simulator, kind: &str) -> Vec<String> {
    let objects = simulator.list(kind);
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    objects.iter().map(|object| name(object)).collect()
}

#[test]
fn manifests_are_followed() {
    let folder = Folder::new("followed");
    let manifest = |name: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n");
    folder.write("a.yaml", &format!("{}---\n{}", manifest("a"), manifest("b")));
    folder.write("sub/list.yml", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: n1}}\n");
    folder.write("c.json", r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}}"#);
    folder.write("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n");
    folder.write("README.md", "not: [a manifest");
    let simulator = Simulator::new();
    simulator.apply(pod("other", "n1", "web")).unwrap();
    let mut manifests = Manifests::load(simulator.clone(), &*folder.0).unwrap();
    assert_eq!(manifests.len(), 4);
    assert_eq!(names(&simulator, "Pod"), ["a", "b", "c", "other"]);
    assert_eq!(names(&simulator, "Node"), ["n1"]);
    assert!(!manifests.reload().unwrap());

    // Broken for the moment: nothing changes, and it is said once.
    folder.write("a.yaml", &format!("{}---\nmetadata: [\n", manifest("a")));
    let error = manifests.reload().unwrap_err().to_string();
    let path = folder.0.join("a.yaml");
    assert_eq!(error, format!("{}, document 2: not YAML", path.display()));
    assert!(!manifests.reload().unwrap());
    assert_eq!(names(&simulator, "Pod"), ["a", "b", "c", "other"]);

    // What vanished from the files is deleted; what never came from them stays.
    folder.write("a.yaml", &manifest("d"));
    assert!(manifests.reload().unwrap());
    assert_eq!(names(&simulator, "Pod"), ["c", "d", "other"]);
}

/// A real API server would have filled this in when the manifest was applied.
#[test]
fn what_manifests_leave_out_is_filled_in() {
    let folder = Folder::new("defaults");
    let simulator = Simulator::new();
    for (kind, object, pointer, expected) in [
        (
            "Pod",
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, \
             ports: [{containerPort: 1}, {containerPort: 2, protocol: UDP}]}]}}",
            "/spec/containers/0/ports",
            json!([{"containerPort": 1, "protocol": "TCP"}, {"containerPort": 2, "protocol": "UDP"}]),
        ),
        (
            "Pod",
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, \
             spec: {initContainers: [{name: c, ports: [{containerPort: 1, protocol: ''}]}]}}",
            "/spec/initContainers/0/ports",
            json!([{"containerPort": 1, "protocol": "TCP"}]),
        ),
        (
            "Service",
            "{apiVersion: v1, kind: Service, metadata: {name: a}, \
             spec: {ports: [{port: 80}, {port: 53, targetPort: dns, protocol: UDP}, {port: 7, targetPort: 0}]}}",
            "/spec/ports",
            json!([
                {"port": 80, "protocol": "TCP", "targetPort": 80},
                {"port": 53, "protocol": "UDP", "targetPort": "dns"},
                {"port": 7, "protocol": "TCP", "targetPort": 7},
            ]),
        ),
        (
            "Endpoints",
            "{apiVersion: v1, kind: Endpoints, metadata: {name: a}, subsets: [{ports: [{port: 80}]}]}",
            "/subsets/0/ports",
            json!([{"port": 80, "protocol": "TCP"}]),
        ),
        (
            "EndpointSlice",
            "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, ports: [{port: 80}]}",
            "/ports",
            json!([{"port": 80, "protocol": "TCP"}]),
        ),
        (
            "Pod",
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: text}",
            "/spec",
            json!("text"),
        ),
    ] {
        folder.write("a.yaml", object);
        Manifests::load(simulator.clone(), folder.0.join("a.yaml")).unwrap();
        let stored = simulator.get(kind, "default", "a").unwrap();
        assert_eq!(stored.pointer(pointer), Some(&expected), "{object}");
    }
}

#[test]
fn wrong_manifests_are_named() {
    let folder = Folder::new("wrong");
    let path = folder.0.join("x.yaml");
    let shown = path.display();
    for (text, expected) in [
        (
            "kind: Pod\nmetadata: {name: a}\n",
            format!("{shown}, document 1: apiVersion or kind is missing"),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {}\n",
            format!("{shown}, document 1: metadata.name is missing"),
        ),
        ("just text", format!("{shown}, document 1: not an object with metadata")),
        (
            "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n",
            format!("{shown}, document 2: nodes a is defined twice"),
        ),
    ] {
        folder.write("x.yaml", text);
        let error = Manifests::load(Simulator::new(), &path).unwrap_err();
        assert_eq!(chain(&error), expected, "{text}");
    }
    let missing = Path::new("/nonexistent/x");
    let error = Manifests::load(Simulator::new(), missing).unwrap_err();
    let reason = "No such file or directory (os error 2)";
    assert_eq!(chain(&error), format!("/nonexistent/x cannot be read: {reason}"));
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn manifests_are_polled() {
    let folder = Folder::new("polled");
    folder.write("x.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n");
    let simulator = Simulator::new();
    let manifests = Manifests::load(simulator.clone(), &*folder.0).unwrap();
    let follow = tokio::spawn(manifests.follow());
    folder.write("x.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: another}\n");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(names(&simulator, "Node"), ["another"]);
    follow.abort();
}

#[test]
fn recorded_object_sets_are_loaded() {
    let simulator = Simulator::new();
    let loaded = simulator.load(
        r#"{"/api/v1/pods": [{"metadata": {"name": "a"}}], "/apis/apps/v1/replicasets": []}"#,
    );
    assert_eq!(loaded.unwrap(), 1);
    assert_eq!(names(&simulator, "Pod"), ["a"]);
    for (text, expected) in [
        ("[]", "not a JSON object of lists by API path"),
        (r#"{"/api/v1/gadgets": []}"#, "nothing is listed at \"/api/v1/gadgets\""),
        (r#"{"/api/v1/pods": [{"metadata": {}}]}"#, "object 0 of \"/api/v1/pods\""),
    ] {
        let error = Simulator::new().load(text).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

// --- the example cluster and its story ---

/// What would be inconsistent about the endpoints of the world.
fn inconsistencies(simulator: &Simulator) -> Vec<String> {
    let mut found = Vec::new();
    let slices = simulator.list("EndpointSlice");
    let endpoints = |slice: &Value| slice["endpoints"].as_array().cloned().unwrap_or_default();
    for endpoint in slices.iter().flat_map(|slice| endpoints(slice)) {
        let reference = &endpoint["targetRef"];
        if reference["kind"] == "Pod" {
            let field = |name: &str| reference[name].as_str().unwrap();
            let pod = simulator.get("Pod", field("namespace"), field("name"));
            if pod.is_none_or(|pod| {
                pod["spec"]["nodeName"] != endpoint["nodeName"]
                    || pod["metadata"]["uid"] != reference["uid"]
            }) {
                found.push(format!("{reference} is no pod of {}", endpoint["nodeName"]));
            }
        }
    }
    for service in simulator.list("Service") {
        let Some(selector) = service["spec"]["selector"].as_object() else {
            continue;
        };
        for pod in simulator.list("Pod") {
            let metadata = &pod["metadata"];
            let selected = metadata["namespace"] == service["metadata"]["namespace"]
                && selector.iter().all(|(key, value)| metadata["labels"].get(key) == Some(value));
            if !selected || pod["status"]["podIP"].is_null() {
                continue;
            }
            let families = service["spec"]["ipFamilies"].as_array().unwrap();
            for family in families {
                let count = slices
                    .iter()
                    .filter(|slice| {
                        slice["metadata"]["labels"]["kubernetes.io/service-name"]
                            == service["metadata"]["name"]
                            && slice["addressType"] == *family
                    })
                    .flat_map(|slice| endpoints(slice))
                    .filter(|endpoint| {
                        endpoint["targetRef"]["uid"] == metadata["uid"]
                            && endpoint["conditions"]["serving"] == (is_ready(&pod))
                    })
                    .count();
                if count != 1 {
                    found.push(format!("{} is {count} times in {family}", metadata["name"]));
                }
            }
        }
    }
    found
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

#[test]
fn the_example_cluster_has_each_kind_of_service() {
    let simulator = Simulator::new();
    example::load(&simulator);
    assert_eq!(inconsistencies(&simulator), [] as [String; 0]);
    assert_eq!(names(&simulator, "Node"), ["node-a", "node-b", "node-c"]);
    let mut slices: Vec<String> = simulator
        .list("EndpointSlice")
        .iter()
        .map(|slice| {
            let service = &slice["metadata"]["labels"]["kubernetes.io/service-name"];
            let endpoints = slice["endpoints"].as_array().unwrap().len();
            let (service, family) =
                (service.as_str().unwrap(), slice["addressType"].as_str().unwrap());
            format!("{service} {family} {endpoints}")
        })
        .collect();
    slices.sort();
    assert_eq!(
        slices,
        [
            "api IPv4 3",
            "api IPv6 3",
            "cart-db IPv4 2",
            "kube-dns IPv4 2",
            "kubelet IPv4 3",
            "kubernetes IPv4 1",
            "node-exporter IPv4 3",
            "payments IPv4 2",
            "web IPv4 3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_story_keeps_the_world_consistent() {
    for seed in 0..3 {
        let simulator = Simulator::new();
        example::load(&simulator);
        let pods = simulator.list("Pod").len();
        let (sentences, mut heard) = mpsc::channel(1);
        let rng = fastrand::Rng::with_seed(seed);
        let telling = tokio::spawn(story::run(simulator.clone(), rng, story::PACE, sentences));
        let mut told = Vec::new();
        for _ in 0..300 {
            let sentence = heard.recv().await.unwrap();
            assert_eq!(inconsistencies(&simulator), [] as [String; 0], "{sentence}");
            let now = simulator.list("Pod").len();
            assert!(now.abs_diff(pods) <= 1, "{now} of {pods} pods: {sentence}");
            told.push(sentence);
        }
        for beginning in ["rollout of ", "crash: ", "drain of node-b", "return of node-b"] {
            let count = told.iter().filter(|sentence| sentence.starts_with(beginning)).count();
            assert!(count > 1, "{beginning:?} in {told:#?}");
        }
        drop(heard);
        telling.await.unwrap(); // it ends when nobody listens
    }
}
