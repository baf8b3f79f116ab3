//! What the API server has, as the lists and the watches of one sidecar tell it.

use crate::{NODE, Object, read_owners};
use nodelocal_sd::index::{EndpointsFrom, Index, Snapshot};
use nodelocal_sd::kube::fuzzing::Feed;
use nodelocal_sd::objects::Resource;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::iter::once;

/// What is listed and watched.
pub const LISTED: [Resource; 5] = [
    Resource::Pods,
    Resource::EndpointSlices,
    Resource::Services,
    Resource::Nodes,
    Resource::Namespaces,
];

/// All objects, of all nodes.
#[derive(Debug, Default)]
pub struct Cluster {
    objects: BTreeMap<(Resource, &'static str, &'static str), Object>,
}

// === impl Cluster ===

impl Cluster {
    /// Adds or changes an object; the line of the watch that tells it.
    pub fn put(&mut self, object: Object) -> String {
        // As the API server writes it: metadata first. The lists have the other order, which must
        // not matter.
        let mut line = format!(
            r#"{{"type":"MODIFIED","object":{{"metadata":{}"#,
            Value::from(object.metadata.clone())
        );
        for (name, value) in &object.fields {
            line.push_str(&format!(",{}:{value}", json!(name)));
        }
        line.push_str("}}\n");
        self.objects.insert((object.resource, object.key.0, object.key.1), object);
        line
    }

    /// Deletes an object; the line of the watch that tells it.
    pub fn delete(&mut self, object: &Object) -> String {
        self.objects.remove(&(object.resource, object.key.0, object.key.1));
        let object = json!({"metadata": object.metadata});
        format!("{}\n", json!({"type": "DELETED", "object": object}))
    }

    /// The list of that kind.
    pub fn list(&self, resource: Resource) -> String {
        let of_kind = self.objects.values().filter(|object| object.resource == resource);
        let items: Vec<Value> = of_kind
            .map(|object| {
                let mut item = object.fields.clone();
                item.insert("metadata".to_owned(), object.metadata.clone().into());
                item.into()
            })
            .collect();
        json!({"metadata": {"resourceVersion": "7"}, "items": items}).to_string()
    }

    /// What a sidecar that starts now knows.
    pub fn listed(&self, feed: &Feed, from: EndpointsFrom) -> Snapshot {
        let mut index = Index::new(NODE, from);
        for resource in LISTED {
            let body = self.list(resource);
            index.apply(feed.list(resource, once(body.as_bytes())).expect("a complete list"));
        }
        read_owners(&mut index).expect("a first list is a change")
    }
}
