//! A cluster of some size on a control plane of its own, and the account of the agents.

use crate::api::Api;
use crate::control_plane::{ControlPlane, kubeconfig};
use crate::etcd::Etcd;
use crate::http::eventually;
use crate::objects::{NAMESPACES, Pod, Size, namespace};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::time::Instant;

/// A running cluster; ends when it is dropped.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    pub(crate) api: Api,
    pub(crate) size: Size,
    token: String,
}

/// Requests at once; more only wait in the server.
const AT_ONCE: usize = 16;

// === impl Cluster ===

impl Cluster {
    /// Starts one, and waits until the controllers have written all slices.
    pub(crate) async fn start(size: Size) -> Self {
        let began = Instant::now();
        let plane = ControlPlane::start();
        let api = Api::of(&plane).await;
        create(
            &api,
            ["monitoring".to_owned()].into_iter().chain((0..NAMESPACES).map(namespace)).map(
                |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            ),
        )
        .await;
        create(&api, size.nodes()).await;
        // Before the Services, or the controllers would write each slice ten times.
        copy_pods(&plane, &api, size).await;
        create(&api, size.services().map(crate::objects::Service::object)).await;
        let services = size.services().count();
        for path in ["/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/endpoints"] {
            // As long as there come more, the controllers are at work.
            let mut there = 0;
            while there < services {
                there = eventually("the controllers go on", || async {
                    let now = count(&api, path).await;
                    if now > there { Ok(now) } else { Err(format!("{now} {path}")) }
                })
                .await;
            }
        }
        let token = account(&api).await;
        eprintln!("a cluster of {} nodes after {:.0?}", size.nodes, began.elapsed());
        Self { plane, api, size, token }
    }

    /// How an agent's account reaches the API server, as options of kubernetes_sd.
    pub(crate) fn options(&self, url: &str) -> String {
        let (ca, token) = (self.plane.ca_file(), &self.token);
        format!(
            "api_server: '{url}', tls_config: {{ca_file: '{ca}'}}, authorization: {{credentials: '{token}'}}"
        )
    }

    /// Writes a kubeconfig for an agent's account.
    pub(crate) fn kubeconfig(&self, folder: &Path, url: &str) -> PathBuf {
        let file = folder.join("kubeconfig");
        let text = kubeconfig(url, &self.plane.ca_file(), &format!("token: '{}'", self.token));
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// Creates objects, several at a time.
async fn create(api: &Api, objects: impl Iterator<Item = Value>) {
    futures_util::stream::iter(objects)
        .for_each_concurrent(AT_ONCE, |object| api.create(object))
        .await;
}

/// All Pods, as copies of one that the API server has written with its managed fields.
async fn copy_pods(plane: &ControlPlane, api: &Api, size: Size) {
    // Words that occur nowhere else, so that a copy is a matter of replacing text.
    let original = Pod {
        name: "the-name".to_owned(),
        namespace: namespace(0),
        app: "the-app".to_owned(),
        instance: "the-instance".to_owned(),
        node: "the-node".to_owned(),
        host: "10.255.0.1".to_owned(),
        address: "10.255.0.2".to_owned(),
        digest: "the-digest".to_owned(),
    };
    api.create(original.object(size.pods)).await;
    let mut object = api.get(&original.path()).await;
    api.delete(&original.path()).await;
    object["metadata"]["uid"] = "the-uid".into();
    object["metadata"]["namespace"] = "the-namespace".into();
    object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let text = object.to_string();
    let pods =
        size.services().flat_map(|service| service.nodes().map(move |node| service.pod(node)));
    let copies = pods.enumerate().map(|(number, pod)| {
        // Each in the form of a uid, and as hard to compress.
        let uid = format!("{}-0000-4000-8000-{number:012x}", &pod.digest[..8]);
        let copy = text
            .replace("the-name\"", &format!("{}\"", pod.name))
            .replace("the-namespace", &pod.namespace)
            .replace("the-app", &pod.app)
            .replace("the-instance", &pod.instance)
            .replace("the-node", &pod.node)
            .replace("the-uid", &uid)
            .replace("the-digest", &pod.digest)
            .replace(&original.host, &pod.host)
            .replace(&original.address, &pod.address);
        (format!("/registry/pods/{}/{}", pod.namespace, pod.name), copy)
    });
    Etcd::at(&plane.etcd_url).put(copies).await;
}

/// How many objects a list has.
async fn count(api: &Api, path: &str) -> usize {
    let list = api.get(&format!("{path}?limit=1")).await;
    let here = list["items"].as_array().map_or(0, Vec::len);
    here + usize::try_from(list["metadata"]["remainingItemCount"].as_u64().unwrap_or(0)).unwrap()
}

/// The account with the rights that we ship, and a token for it.
async fn account(api: &Api) -> String {
    for object in
        serde_saphyr::from_multiple::<Value>(include_str!("../../manifests/rbac/rbac.yaml"))
            .expect("YAML")
    {
        api.create(object).await;
    }
    let path = "/api/v1/namespaces/monitoring/serviceaccounts/nodelocal-sd/token";
    let hours = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 24 * 3600}});
    let answer = api.post(path, &hours).await;
    answer["status"]["token"].as_str().expect("a token").to_owned()
}
