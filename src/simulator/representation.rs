//! How objects are written: whole, or as `PartialObjectMetadata`; alone, in a list or in an event.

use super::kind::Kind;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

/// What the `Accept` header asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Representation {
    /// Whole objects.
    #[default]
    Whole,
    /// `PartialObjectMetadata`: nothing but the metadata.
    Metadata,
}

const METADATA_VERSION: &str = "meta.k8s.io/v1";

/// An object inside a list: without `kind` and `apiVersion`, which the list says for all.
struct Item<'a>(&'a Value);

// === impl Representation ===

impl Representation {
    /// The first of the accepted media types that is served here. That is never protobuf, and
    /// never a table, for which kubectl falls back to plain JSON.
    pub(super) fn accepted(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Whole);
        }
        accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let json = matches!(parts.next()?, "application/json" | "application/*" | "*/*");
            let shape = parts.find_map(|parameter| parameter.strip_prefix("as="));
            match shape {
                _ if !json => None,
                None => Some(Self::Whole),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Metadata),
                Some(_) => None,
            }
        })
    }

    /// One object, alone or in an event.
    pub(super) fn object(self, object: &Value) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Metadata => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": METADATA_VERSION,
                "metadata": object["metadata"],
            }),
        }
    }

    /// The object of a bookmark: a version and nothing else.
    pub(super) fn bookmark(self, kind: &Kind, version: u64, end_of_initial_events: bool) -> Value {
        let mut metadata = json!({
            "resourceVersion": version.to_string(),
            "creationTimestamp": null,
        });
        if end_of_initial_events {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.object(&json!({
            "kind": kind.name,
            "apiVersion": kind.api_version(),
            "metadata": metadata,
        }))
    }

    /// A list as JSON text.
    pub(super) fn list<'a>(
        self,
        kind: &Kind,
        metadata: &Value,
        objects: impl Iterator<Item = &'a Value>,
    ) -> Vec<u8> {
        let (name, api_version) = match self {
            Self::Whole => (format!("{}List", kind.name), kind.api_version()),
            Self::Metadata => ("PartialObjectMetadataList".to_owned(), METADATA_VERSION.to_owned()),
        };
        let items: Vec<Vec<u8>> = objects
            .map(|object| match self {
                Self::Whole => text(&Item(object)),
                Self::Metadata => text(&self.object(object)),
            })
            .collect();
        let mut list = format!(
            r#"{{"kind":"{name}","apiVersion":"{api_version}","metadata":{metadata},"items":["#
        )
        .into_bytes();
        list.extend(items.join(&b','));
        list.extend(b"]}\n");
        list
    }
}

/// JSON text of what cannot fail to become it.
pub(super) fn text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON values have text keys")
}

// === impl Item ===

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let mut map = output.serialize_map(None)?;
        for (key, value) in self.0.as_object().into_iter().flatten() {
            if key != "kind" && key != "apiVersion" {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_served_media_type_wins() {
        use Representation::{Metadata, Whole};
        const PARTIAL: &str = "as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        for (accept, representation) in [
            ("", Some(Whole)),
            ("*/*", Some(Whole)),
            ("application/vnd.kubernetes.protobuf,application/json", Some(Whole)),
            ("application/vnd.kubernetes.protobuf", None),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(Whole)),
            ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some(Metadata)),
            (
                &format!(
                    "application/vnd.kubernetes.protobuf;{PARTIAL},application/json;{PARTIAL},application/json"
                ),
                Some(Metadata),
            ),
        ] {
            assert_eq!(Representation::accepted(accept), representation, "{accept:?}");
        }
    }
}
