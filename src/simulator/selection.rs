//! Which objects a request is about: its path and its selectors.

use super::kind::Kind;
use super::request::Route;
use super::status::Status;
use crate::objects::StringMap;
use crate::selector::{FieldSelector, LabelSelector};
use serde_json::Value;

/// Namespace and name of the path, and the selectors of the query.
#[derive(Debug, Default)]
pub(super) struct Selection {
    namespace: Option<String>,
    name: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
}

// === impl Selection ===

impl Selection {
    /// Refuses what the API server would refuse, in its words.
    pub(super) fn parse(
        kind: &Kind,
        route: &Route,
        labels: &str,
        fields: &str,
    ) -> Result<Self, Status> {
        let bad = |error: &dyn std::fmt::Display| Status::new(400, error.to_string());
        let selection = Self {
            namespace: route.namespace.clone(),
            name: route.name.clone(),
            labels: LabelSelector::parse(labels).map_err(|error| bad(&error))?,
            fields: FieldSelector::parse(fields).map_err(|error| bad(&error))?,
        };
        if let Some(field) = selection.fields.fields().find(|f| !kind.fields.contains(f)) {
            return Err(Status::new(400, kind.unknown_field(field)));
        }
        Ok(selection)
    }

    /// Whether there are selectors; the server then cannot say how many objects remain.
    pub(super) fn has_selectors(&self) -> bool {
        self.labels != LabelSelector::default() || self.fields != FieldSelector::default()
    }

    /// Whether the object is asked for.
    pub(super) fn matches(&self, kind: &Kind, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let is = |name: &str, wanted: &Option<String>| {
            wanted.is_none() || metadata[name].as_str() == wanted.as_deref()
        };
        is("namespace", &self.namespace)
            && is("name", &self.name)
            && self.fields.matches(|field| kind.field(object, field))
            && self.labels.matches(&labels_of(metadata))
    }
}

fn labels_of(metadata: &Value) -> StringMap {
    let labels = metadata["labels"].as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())).collect()
}
