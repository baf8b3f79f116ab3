//! What there is to ask for: enough for client-go and kubectl to find their way.

use super::body::Body;
use super::kind::{KINDS, Kind};
use super::reply;
use super::status::Status;
use http::request::Parts;
use http::{Method, Response};
use serde_json::{Value, json};

/// The answer for a path that is no resource.
pub(super) fn respond(head: &Parts) -> Result<Response<Body>, Status> {
    let path = head.uri.path().trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let answer = match segments.as_slice() {
        ["healthz" | "livez" | "readyz"] => return only_get(head, reply::plain("ok")),
        ["version"] => json!({
            "major": "1",
            "minor": "33",
            "gitVersion": "v1.33.0+simulator",
            "platform": "linux/amd64",
        }),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["api", "v1"] => resources(""),
        ["apis"] => json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": groups().into_iter().map(group).collect::<Vec<_>>(),
        }),
        ["apis", name] if groups().contains(name) => {
            let mut object = group(name);
            object["kind"] = json!("APIGroup");
            object["apiVersion"] = json!("v1");
            object
        }
        ["apis", name, "v1"] if groups().contains(name) => resources(name),
        _ => return Err(Status::no_such_path()),
    };
    only_get(head, reply::json(&answer))
}

fn only_get(head: &Parts, response: Response<Body>) -> Result<Response<Body>, Status> {
    if head.method == Method::GET {
        return Ok(response);
    }
    Err(Status::new(405, "the server does not allow this method on the requested resource"))
}

/// The named groups; the core group is not among them.
fn groups() -> Vec<&'static str> {
    let mut groups: Vec<_> = KINDS.iter().map(|kind| kind.group).collect();
    groups.retain(|group| !group.is_empty());
    groups.dedup(); // KINDS has the kinds of a group next to each other
    groups
}

fn group(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn resources(group: &str) -> Value {
    let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| kind.group == group).collect();
    let resources: Vec<Value> = kinds
        .iter()
        .map(|kind| {
            json!({
                "name": kind.plural,
                "singularName": kind.name.to_lowercase(),
                "namespaced": kind.namespaced,
                "kind": kind.name,
                "verbs": ["get", "list", "watch"],
            })
        })
        .collect();
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": kinds.first().map(|kind| kind.api_version()),
        "resources": resources,
    })
}
