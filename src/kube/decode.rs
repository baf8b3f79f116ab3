//! From JSON to objects, in two steps: who it is, then what it is. The first step is so tolerant
//! that an object that cannot be decoded, or whose text was cut, can still be named.

use crate::objects::ObjectKey;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// An object over this is skipped. etcd refuses more than 1.5 MiB by default.
pub(super) const OBJECT_LIMIT: usize = 8 * 1024 * 1024;

/// Who an object is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: ObjectKey,
    /// Empty in the items of some lists.
    pub(super) resource_version: String,
}

/// One event of a watch; the object is not decoded yet.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type")]
    pub(super) kind: EventKind,
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum EventKind {
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
    /// A type that we do not know: counted as garbled, and skipped.
    #[serde(other)]
    Unknown,
}

/// The error inside a watch, or the body of a failed request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: Option<u16>,
    pub(super) message: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) details: Option<StatusDetails>,
}

/// `Status.details`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StatusDetails {
    pub(super) retry_after_seconds: Option<u64>,
    pub(super) causes: Option<Vec<StatusCause>>,
}

/// `Status.details.causes[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StatusCause {
    pub(super) reason: Option<String>,
}

/// Reads who an object is, also from a text that ends in its middle.
pub(super) fn head(object: &[u8]) -> Option<Head> {
    let mut found = None;
    // An error after the metadata was read is what a cut text ends with.
    let _ = ObjectSeed(&mut found).deserialize(&mut serde_json::Deserializer::from_slice(object));
    found
}

/// The same for a line of a watch: the type of the event, and the object's head.
pub(super) fn head_of_event(line: &[u8]) -> (Option<EventKind>, Option<Head>) {
    let (mut kind, mut head) = (None, None);
    let seed = EventSeed { kind: &mut kind, head: &mut head };
    let _ = seed.deserialize(&mut serde_json::Deserializer::from_slice(line));
    (kind, head)
}

/// Takes what it finds as it finds it: the API server writes name, namespace and version before
/// labels and annotations, which may be what is too long.
struct MetadataSeed<'a>(&'a mut Option<Head>);

struct ObjectSeed<'a>(&'a mut Option<Head>);

struct EventSeed<'a> {
    kind: &'a mut Option<EventKind>,
    head: &'a mut Option<Head>,
}

// === impl ObjectSeed ===

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<String>()? {
            if field == "metadata" {
                map.next_value_seed(MetadataSeed(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

// === impl MetadataSeed ===

impl<'de> DeserializeSeed<'de> for MetadataSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MetadataSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let head = self.0.insert(Head::default()); // bookmarks have no name
        while let Some(field) = map.next_key::<String>()? {
            let text = match &*field {
                "name" | "namespace" | "resourceVersion" => {
                    map.next_value::<Option<String>>()?.unwrap_or_default()
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            match &*field {
                "name" => head.key.name = text.into(),
                "namespace" => head.key.namespace = text.into(),
                _ => head.resource_version = text,
            }
        }
        Ok(())
    }
}

// === impl EventSeed ===

impl<'de> DeserializeSeed<'de> for EventSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EventSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a watch event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<String>()? {
            match &*field {
                "type" => *self.kind = Some(map.next_value()?),
                "object" => map.next_value_seed(ObjectSeed(self.head))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(namespace: &str, name: &str, version: &str) -> Option<Head> {
        Some(Head { key: ObjectKey::new(namespace, name), resource_version: version.to_owned() })
    }

    const POD: &str = r#"{"kind":"Pod","metadata":{"name":"p","namespace":"n","resourceVersion":"7"},"spec":{"a":"b"}}"#;

    #[test]
    fn a_cut_object_can_still_be_named() {
        assert_eq!(head(POD.as_bytes()), named("n", "p", "7"));
        assert_eq!(head(&POD.as_bytes()[..POD.len() - 4]), named("n", "p", "7"));
        assert_eq!(head(&POD.as_bytes()[..20]), None);
        let annotated = POD.replace("\"7\"}", "\"7\",\"annotations\":{\"a\":\"0123456789\"}}");
        assert_eq!(head(&annotated.as_bytes()[..annotated.len() - 24]), named("n", "p", "7"));
        assert_eq!(head(b"7"), None);
    }

    #[test]
    fn a_cut_event_can_still_be_named() {
        let line = format!(r#"{{"type":"DELETED","object":{POD}}}"#);
        let expected = (Some(EventKind::Deleted), named("n", "p", "7"));
        assert_eq!(head_of_event(&line.as_bytes()[..line.len() - 9]), expected);
    }

    #[test]
    fn an_unknown_type_is_no_error() {
        let event: Event<'_> = serde_json::from_str(r#"{"type":"NEW","object":{}}"#).unwrap();
        assert_eq!(event.kind, EventKind::Unknown);
    }
}
