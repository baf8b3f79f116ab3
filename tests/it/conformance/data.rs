//! The object sets in `tests/conformance` and what Prometheus discovered from them. Layout and
//! origin: the README there.

use crate::support::sidecar::{Sidecar, Told};
use nodelocal_sd::index::OwnerKey;
use nodelocal_sd::objects::{
    Endpoints, Metadata, Namespace, Node, Owner, Pod, Resource, Service, SliceOfNode,
};
use nodelocal_sd::targets::{Attach, Profile, Query, Role, Target};
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// All labels of a target, `__address__` among them.
pub(super) type LabelMap = BTreeMap<String, String>;

/// One set of objects.
pub(super) struct Set {
    pub(super) name: &'static str,
    objects: BTreeMap<String, Vec<Value>>,
}

/// One recorded output.
#[derive(Clone)]
pub(super) struct Golden {
    /// For messages: `3.5.3/pod-nodemeta`.
    pub(super) name: String,
    pub(super) query: Query,
    pub(super) profile: Profile,
    pub(super) targets: Vec<LabelMap>,
}

const VERSIONS: [(&str, Profile); 3] =
    [("2.53.3", Profile::V2_53), ("3.5.3", Profile::V3_5), ("3.16.0", Profile::Latest)];

const NONE: Attach =
    Attach { node: false, namespace: false, deployment: false, job: false, cronjob: false };
const WORKLOAD: Attach = Attach { deployment: true, job: true, cronjob: true, ..NONE };
const OPTIONS: [(&str, Attach); 5] = [
    ("", NONE),
    ("-nodemeta", Attach { node: true, ..NONE }),
    ("-namespacemeta", Attach { namespace: true, ..NONE }),
    ("-workloadmeta", WORKLOAD),
    ("-allmeta", Attach { node: true, namespace: true, ..WORKLOAD }),
];

impl Set {
    pub(super) const NAMES: [&str; 3] = ["main", "extra", "recent"];

    pub(super) fn load(name: &'static str) -> Self {
        let objects = read(&folder(name).join("objects.json"));
        Self { name, objects }
    }

    /// The recorded outputs of the roles that can be local to a node.
    pub(super) fn goldens(&self) -> Vec<Golden> {
        let mut goldens = Vec::new();
        for (version, profile) in VERSIONS {
            for role in Role::ALL {
                for (option, attach) in OPTIONS {
                    let name = format!("{version}/{}{option}", role.name());
                    let file = folder(self.name).join(format!("golden/{name}.json"));
                    if file.exists() {
                        goldens.push(Golden {
                            name,
                            query: Query { attach, ..Query::all(role) },
                            profile,
                            targets: read(&file),
                        });
                    }
                }
            }
        }
        goldens
    }

    pub(super) fn golden(&self, name: &str) -> Golden {
        let mut goldens = self.goldens().into_iter();
        goldens
            .find(|golden| golden.name == name)
            .unwrap_or_else(|| panic!("no golden {name} in set {}", self.name))
    }

    /// Every node that an object names, whether it exists or not, and one that none names.
    pub(super) fn nodes(&self) -> BTreeSet<String> {
        let mut nodes = BTreeSet::from(["unheard-of".to_owned()]);
        let mut add = |name: &Value| nodes.extend(name.as_str().map(str::to_owned));
        for node in self.list("/api/v1/nodes") {
            add(&node["metadata"]["name"]);
        }
        for pod in self.list("/api/v1/pods") {
            add(&pod["spec"]["nodeName"]);
        }
        let slices = self.list("/apis/discovery.k8s.io/v1/endpointslices").iter();
        let subsets = self.list("/api/v1/endpoints").iter().flat_map(|e| array(&e["subsets"]));
        let addresses = subsets.flat_map(|subset| {
            array(&subset["addresses"]).chain(array(&subset["notReadyAddresses"]))
        });
        for endpoint in slices.flat_map(|slice| array(&slice["endpoints"])).chain(addresses) {
            add(&endpoint["nodeName"]);
            if endpoint["targetRef"]["kind"] == "Node" {
                add(&endpoint["targetRef"]["name"]);
            }
        }
        nodes.remove("");
        nodes
    }

    /// The sidecar of that node, which has seen all that it may: the index drops the Pods and
    /// Nodes of others.
    pub(super) fn sidecar(&self, node: &str) -> Sidecar {
        let mut sidecar = Sidecar::of_node(node);
        self.tell::<Pod>(&mut sidecar, "/api/v1/pods");
        self.tell::<Node>(&mut sidecar, "/api/v1/nodes");
        self.tell::<Service>(&mut sidecar, "/api/v1/services");
        self.tell::<Namespace>(&mut sidecar, "/api/v1/namespaces");
        let slices = self.list("/apis/discovery.k8s.io/v1/endpointslices").iter();
        sidecar.list(
            slices.map(|slice| SliceOfNode(Some(node)).deserialize(slice).unwrap()).collect(),
        );
        let endpoints = self.list("/api/v1/endpoints").iter();
        sidecar.list(
            endpoints.map(|e| Endpoints::deserialize(e).unwrap().of_node(Some(node))).collect(),
        );
        sidecar.read_owners(|key| self.controller_of(key));
        sidecar
    }

    /// What Prometheus would discover: what each node serves, and what belongs to none.
    pub(super) fn discovered(&self, query: &Query, profile: Profile) -> Vec<LabelMap> {
        let mut all = Vec::new();
        let mut of_none: Option<Vec<LabelMap>> = None;
        for node in self.nodes() {
            let targets = self.sidecar(&node).targets_for(query, profile);
            all.extend(targets.own.iter().map(label_map));
            // A target without a node is unassigned at every node. What is so only at some
            // refers to a Pod of another node.
            let unassigned = targets.unassigned.iter();
            let here = unassigned.map(|one| label_map(&one.target)).collect();
            of_none = Some(match of_none {
                None => here,
                Some(elsewhere) => common(&elsewhere, here),
            });
        }
        all.extend(of_none.unwrap_or_default());
        all
    }

    fn tell<T: Told + DeserializeOwned>(&self, sidecar: &mut Sidecar, path: &str) {
        let objects = self.list(path).iter();
        sidecar.list(objects.map(|object| T::deserialize(object).unwrap()).collect());
    }

    fn controller_of(&self, key: &OwnerKey) -> Option<Owner> {
        let path = match key.resource() {
            Resource::ReplicaSets => "/apis/apps/v1/replicasets",
            Resource::Jobs => "/apis/batch/v1/jobs",
            other => panic!("{other} own no Pods"),
        };
        let mut owners = self.list(path).iter();
        let owner = owners.find(|owner| {
            owner["metadata"]["namespace"] == *key.namespace()
                && owner["metadata"]["name"] == *key.name()
        })?;
        Metadata::deserialize(&owner["metadata"]).unwrap().controller
    }

    fn list(&self, path: &str) -> &[Value] {
        self.objects.get(path).map_or(&[], Vec::as_slice)
    }
}

/// A target in the form of the recorded outputs.
pub(super) fn label_map(target: &Target) -> LabelMap {
    let mut labels: LabelMap =
        (target.labels.iter()).map(|(name, value)| (name.to_string(), value.to_string())).collect();
    labels.insert("__address__".to_owned(), target.address.clone());
    labels
}

/// The node of a recorded target, by the definition of node-locality: every part of it shows in
/// the labels.
pub(super) fn node_of<'a>(role: Role, labels: &'a LabelMap) -> Option<&'a str> {
    let label = |name: &str| {
        let value: &'a str = labels.get(&format!("__meta_kubernetes_{name}"))?;
        Some(value)
    };
    let of_endpoint = |node_name, kind, name| {
        let referenced = || label(name).filter(|_| label(kind) == Some("Node"));
        label(node_name).or_else(referenced).or_else(|| label("pod_node_name"))
    };
    match role {
        Role::Node => label("node_name"),
        Role::Pod => label("pod_node_name"),
        Role::EndpointSlice => of_endpoint(
            "endpointslice_endpoint_node_name",
            "endpointslice_address_target_kind",
            "endpointslice_address_target_name",
        ),
        Role::Endpoints => of_endpoint(
            "endpoint_node_name",
            "endpoint_address_target_kind",
            "endpoint_address_target_name",
        ),
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The multiset that both have.
fn common(one: &[LabelMap], mut other: Vec<LabelMap>) -> Vec<LabelMap> {
    let mut common = Vec::new();
    for labels in one {
        if let Some(at) = other.iter().position(|o| o == labels) {
            common.push(other.swap_remove(at));
        }
    }
    common
}

fn folder(set: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(set)
}

fn read<T: DeserializeOwned>(file: &Path) -> T {
    let text = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
