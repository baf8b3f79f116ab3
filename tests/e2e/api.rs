//! Writing objects through the real API, as an administrator.

use super::control_plane::ControlPlane;
use kube::client::Body;
use nodelocal_sd::kube::{Source, connect};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The API of a control plane.
#[derive(Clone)]
pub(crate) struct Api {
    client: kube::Client,
    /// The uids of what was created, for references of what is owned by it.
    uids: Arc<Mutex<HashMap<String, Value>>>,
}

impl Api {
    pub(crate) async fn of(plane: &ControlPlane) -> Self {
        Self::at(plane.kubeconfig()).await
    }

    pub(crate) async fn at(kubeconfig: PathBuf) -> Self {
        let source = Source::Kubeconfig { paths: vec![kubeconfig], context: None };
        Self { client: connect(&source).await.expect("a good kubeconfig"), uids: Arc::default() }
    }

    /// Creates an object, and writes its status where it has one. References to owners get their uid;
    /// one to an owner that was never created is left out, or the garbage collector would delete the
    /// object.
    pub(crate) async fn create(&self, mut object: Value) {
        let path = path_of(&object);
        let place = |kind: &Value, name: &Value| {
            format!("{} {kind} {name}", object["metadata"]["namespace"])
        };
        let own = place(&object["kind"], &object["metadata"]["name"]);
        if let Some(mut owners) = object["metadata"]["ownerReferences"].as_array().cloned() {
            owners.retain_mut(|owner| {
                if owner["uid"].is_null() {
                    let uids = self.uids.lock().unwrap();
                    owner["uid"] = uids
                        .get(&place(&owner["kind"], &owner["name"]))
                        .cloned()
                        .unwrap_or_default();
                }
                !owner["uid"].is_null()
            });
            object["metadata"]["ownerReferences"] = owners.into();
        }
        let status = object.as_object_mut().and_then(|fields| fields.remove("status"));
        let created = self.send("POST", &path, "application/json", &object).await;
        self.uids.lock().unwrap().insert(own, created["metadata"]["uid"].clone());
        if let (Some(status), Some(name)) = (status, created["metadata"]["name"].as_str()) {
            let target = format!("{path}/{name}/status");
            let patch = json!({"status": status});
            self.send("PATCH", &target, "application/merge-patch+json", &patch).await;
        }
    }

    /// Deletes an object; one with a finalizer stays, terminating.
    pub(crate) async fn delete(&self, path: &str) {
        self.send("DELETE", path, "application/json", &json!({})).await;
    }

    /// Deletes all objects of a list at once, terminating ones and their finalizers too.
    pub(crate) async fn delete_all(&self, list: &str) {
        for object in self.get(list).await["items"].as_array().expect("a list") {
            if let (Some(name), Some(_)) =
                (object["metadata"]["name"].as_str(), object["metadata"].get("finalizers"))
            {
                let none = json!({"metadata": {"finalizers": null}});
                self.patch(&format!("{list}/{name}"), &none).await;
            }
        }
        let at_once = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
        self.send("DELETE", list, "application/json", &at_once).await;
    }

    /// Posts to a path that is no list.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.send("POST", path, "application/json", body).await
    }

    /// Posts what may be refused; the server's words if it is.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Result<(), String> {
        let (status, text) = self.exchange("POST", path, "application/json", body).await;
        if status.is_success() { Ok(()) } else { Err(format!("{status}: {text}")) }
    }

    /// Puts an object in the place of the one that is there, whatever its version.
    pub(crate) async fn replace(&self, path: &str, object: &Value) {
        self.send("PUT", path, "application/json", object).await;
    }

    /// Merges into an object, or into its status.
    pub(crate) async fn patch(&self, path: &str, patch: &Value) {
        self.send("PATCH", path, "application/merge-patch+json", patch).await;
    }

    /// Reads a path.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "application/json", &Value::Null).await
    }

    async fn send(&self, method: &str, target: &str, content_type: &str, body: &Value) -> Value {
        let (status, text) = self.exchange(method, target, content_type, body).await;
        assert!(status.is_success(), "{method} {target}: {status}: {text}\n{body}");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn exchange(
        &self,
        method: &str,
        target: &str,
        content_type: &str,
        body: &Value,
    ) -> (http::StatusCode, String) {
        let body_text = if body.is_null() { String::new() } else { body.to_string() };
        let request = http::Request::builder()
            .method(method)
            .uri(target)
            .header("content-type", content_type)
            .header("accept", "application/json")
            .body(Body::from(body_text.into_bytes()))
            .expect("a good request");
        let answer = self.client.send(request).await.expect("the API server answers");
        let status = answer.status();
        let bytes = answer.into_body().collect_bytes().await.expect("a whole answer");
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The path of the list that an object belongs to.
fn path_of(object: &Value) -> String {
    let (kind, version) = (object["kind"].as_str(), object["apiVersion"].as_str());
    let (kind, version) = (kind.expect("a kind"), version.expect("an apiVersion"));
    let root = if version.contains('/') { "/apis" } else { "/api" };
    let plural = match kind {
        "Endpoints" => "endpoints".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{version}/{plural}"),
    }
}
