//! The objects of a cluster: 30 Pods a node, 10 Pods a Service, 20 namespaces.
//!
//! Everything follows from numbers, so that a run can be repeated and each agent's targets are known
//! beforehand. Node `n` has Pod `k` of 30, which belongs to Service `n / 10` of layer `k`; so the Pods of
//! a Service are on ten nodes, and those of a node belong to thirty Services in all namespaces.

use serde_json::{Value, json};

/// A size of cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) pods: Pods,
}

/// What Pods look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pods {
    /// As a chart writes them: two containers, probes, 12 variables.
    Usual,
    /// What a target needs and no more; for clusters that would not fit into memory.
    Slim,
}

/// A Service, and its Pods on ten nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// Which of a node's thirty.
    pub(crate) layer: usize,
    /// Which ten nodes.
    pub(crate) ten: usize,
}

/// Pods of a node.
pub(crate) const LAYERS: usize = 30;
pub(crate) const NAMESPACES: usize = 20;
/// Different applications; a namespace has instances of each.
pub(crate) const APPS: usize = 25;
const PER_SERVICE: usize = 10;
const PORT: u16 = 8080;

// === impl Size ===

impl Size {
    pub(crate) fn services(self) -> impl Iterator<Item = Service> {
        (0..self.nodes / PER_SERVICE)
            .flat_map(|ten| (0..LAYERS).map(move |layer| Service { layer, ten }))
    }

    pub(crate) fn nodes(self) -> impl Iterator<Item = Value> {
        (0..self.nodes).map(|number| {
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node(number), "labels": {
                    "kubernetes.io/hostname": node(number), "kubernetes.io/os": "linux",
                    "topology.kubernetes.io/zone": format!("zone-{}", number % 3)}},
                "status": {"addresses": [{"type": "InternalIP", "address": node_address(number)}],
                    "conditions": [{"type": "Ready", "status": "True"}]}})
        })
    }
}

// === impl Service ===

impl Service {
    pub(crate) fn namespace(self) -> usize {
        (self.ten + 11 * self.layer) % NAMESPACES
    }

    pub(crate) fn app(self) -> usize {
        self.layer % APPS
    }

    fn instance(self) -> String {
        format!("app-{}-{}-{}", self.app(), self.layer, self.ten)
    }

    /// The nodes of its Pods.
    pub(crate) fn nodes(self) -> std::ops::Range<usize> {
        self.ten * PER_SERVICE..(self.ten + 1) * PER_SERVICE
    }

    pub(crate) fn object(self) -> Value {
        let (app, instance) = (app(self.app()), self.instance());
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": instance, "namespace": namespace(self.namespace()),
                "labels": labels(&app, &instance),
                "annotations": {"meta.helm.sh/release-name": instance,
                    "meta.helm.sh/release-namespace": namespace(self.namespace())}},
            "spec": {"selector": {"app.kubernetes.io/name": app, "app.kubernetes.io/instance": instance},
                "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}})
    }

    /// Its Pod on that node.
    pub(crate) fn pod(self, node: usize) -> Pod {
        let number = node * LAYERS + self.layer;
        Pod {
            name: format!("{}-{node}", self.instance()),
            namespace: namespace(self.namespace()),
            app: app(self.app()),
            instance: self.instance(),
            node: self::node(node),
            host: node_address(node),
            address: format!("10.{}.{}.{}", 128 + number / 65536, number / 256 % 256, number % 256),
            digest: digest(number),
        }
    }
}

/// What differs between Pods.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) app: String,
    pub(crate) instance: String,
    pub(crate) node: String,
    pub(crate) host: String,
    pub(crate) address: String,
    /// 64 digits that no other Pod has; without them Pods would be compressed like no real ones.
    pub(crate) digest: String,
}

// === impl Pod ===

impl Pod {
    /// Its path in the API.
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/{}", self.namespace, self.name)
    }

    pub(crate) fn object(&self, pods: Pods) -> Value {
        let mut container = json!({"name": "app", "image": format!("registry.example/{}:1.2.3", self.app),
            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}]});
        let mut metadata = json!({"name": self.name, "namespace": self.namespace,
            "labels": labels(&self.app, &self.instance)});
        let mut spec = json!({"nodeName": self.node, "terminationGracePeriodSeconds": 0});
        if pods == Pods::Usual {
            metadata["annotations"] = json!({"prometheus.io/scrape": "true",
                "checksum/config": self.digest});
            container["env"] = (0..12)
                .map(|number| json!({"name": format!("VARIABLE_{number}"), "value": "a value of some length"}))
                .collect();
            container["resources"] = json!({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}});
            let probe = |path: &str| json!({"httpGet": {"path": path, "port": "http"}});
            container["livenessProbe"] = probe("/livez");
            container["readinessProbe"] = probe("/readyz");
            container["volumeMounts"] = json!([{"name": "config", "mountPath": "/etc/app"}]);
            spec["volumes"] = json!([{"name": "config", "configMap": {"name": self.instance}}]);
            spec["tolerations"] = json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists",
                "effect": "NoExecute", "tolerationSeconds": 300}]);
        }
        spec["containers"] = json!([container]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
            "status": self.status(true)})
    }

    /// Its status, as a kubelet would write it.
    pub(crate) fn status(&self, ready: bool) -> Value {
        let time = "2026-01-01T00:00:00Z";
        let conditions: Vec<Value> = ["Initialized", "PodScheduled", "ContainersReady", "Ready"]
            .into_iter()
            .map(|kind| {
                let is = ready || !kind.ends_with("Ready");
                let is = if is { "True" } else { "False" };
                json!({"type": kind, "status": is, "lastTransitionTime": time})
            })
            .collect();
        json!({"phase": "Running", "podIP": self.address, "podIPs": [{"ip": self.address}],
            "hostIP": self.host, "startTime": time, "conditions": conditions,
            "containerStatuses": [{"name": "app", "image": format!("registry.example/{}:1.2.3", self.app),
                "imageID": format!("sha256:{}", self.digest),
                "containerID": format!("containerd://{}", self.digest),
                "ready": ready, "restartCount": 0, "started": true,
                "state": {"running": {"startedAt": time}}}]})
    }
}

pub(crate) fn node(number: usize) -> String {
    format!("node-{number}")
}

pub(crate) fn namespace(number: usize) -> String {
    format!("team-{number}")
}

pub(crate) fn app(number: usize) -> String {
    format!("app-{number}")
}

fn node_address(number: usize) -> String {
    format!("10.0.{}.{}", number / 250, number % 250 + 1)
}

fn digest(number: usize) -> String {
    let mut random = fastrand::Rng::with_seed(number as u64);
    (0..64).map(|_| char::from_digit(random.u32(0..16), 16).expect("below 16")).collect()
}

fn labels(app: &str, instance: &str) -> Value {
    json!({"app.kubernetes.io/name": app, "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/version": "1.2.3",
        "helm.sh/chart": format!("{app}-1.2.3")})
}
