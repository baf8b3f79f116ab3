//! The objects, one version counter and the log of what changed: an etcd in miniature.
//!
//! Pure: no clock but the creation timestamp, no waiting. An older version is had by undoing the
//! log from the present, so pages and exact reads need no stored snapshots.

use super::kind::Kind;
use crate::objects::ObjectKey;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Objects of one kind.
pub(super) type Objects = BTreeMap<ObjectKey, Arc<Value>>;

/// Enough for any test, and a few MB in a long `simulate`.
const LOG_LENGTH: usize = 20_000;

/// All objects and their recent history.
#[derive(Debug, Default)]
pub(super) struct Store {
    by_kind: BTreeMap<&'static str, Objects>,
    version: u64,
    /// Versions below this one are expired. `compact` moves it ahead of what the log still holds,
    /// because an open watch is not hurt by a compaction.
    floor: u64,
    log: VecDeque<Change>,
    /// The version of the last change that fell out of the log.
    forgotten: u64,
    /// Grows when the whole content is replaced: what was going on then has lost its server.
    epoch: u64,
    uids: u64,
}

/// One step of the history.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The version that it made.
    pub(super) version: u64,
    /// What kind of object it was.
    pub(super) kind: &'static Kind,
    key: ObjectKey,
    /// The object before, unless it is new.
    pub(super) before: Option<Arc<Value>>,
    /// The object now, unless it is gone.
    pub(super) after: Option<Arc<Value>>,
}

/// Why an object cannot be stored.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Not a JSON object, or the metadata is none.
    #[error("not an object with metadata")]
    NotAnObject,
    /// No `apiVersion` or no `kind`.
    #[error("apiVersion or kind is missing")]
    NoKind,
    /// A kind that the simulator does not serve.
    #[error("kind {kind:?} of {api_version:?} is not simulated")]
    UnknownKind {
        /// Its `apiVersion`.
        api_version: String,
        /// Its `kind`.
        kind: String,
    },
    /// No `metadata.name`.
    #[error("metadata.name is missing")]
    NoName,
}

/// What became of an applied object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// There was none of that name.
    Created,
    /// It differs from the one before.
    Updated,
    /// Equal to the one before: no event, no new version.
    Unchanged,
}

// === impl Store ===

impl Store {
    /// The version of the last change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The oldest version that can be read or watched from.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Which server this is; see [`Store::replace`].
    /// The same server, but no watch that was opened before goes on.
    pub(super) fn disconnect(&mut self) {
        self.epoch += 1;
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Expires every version but the present one.
    pub(super) fn compact(&mut self) {
        self.floor = self.version;
    }

    /// Moves the version counter forward, as changes of kinds that nobody watches would.
    pub(super) fn advance(&mut self, version: u64) {
        self.version = self.version.max(version);
    }

    /// Forgets everything and starts at `version`, which may be lower than before.
    pub(super) fn replace(&mut self, version: u64) {
        *self = Self {
            version,
            floor: version,
            epoch: self.epoch + 1,
            uids: self.uids,
            ..Self::default()
        };
    }

    /// The object of that name.
    pub(super) fn get(&self, kind: &Kind, key: &ObjectKey) -> Option<&Arc<Value>> {
        self.by_kind.get(kind.plural)?.get(key)
    }

    /// All objects of a kind as they were at `version`; nothing if that is expired.
    pub(super) fn at(&self, kind: &Kind, version: u64) -> Option<Objects> {
        if version < self.floor {
            return None;
        }
        let mut objects = self.by_kind.get(kind.plural).cloned().unwrap_or_default();
        let later = self.log.iter().rev().take_while(|c| c.version > version);
        for change in later.filter(|change| change.kind == kind) {
            match &change.before {
                Some(before) => objects.insert(change.key.clone(), before.clone()),
                None => objects.remove(&change.key),
            };
        }
        Some(objects)
    }

    /// The changes of a kind after `version`; nothing if the log no longer reaches back to it.
    pub(super) fn changes_after(&self, kind: &Kind, version: u64) -> Option<Vec<Change>> {
        if version < self.forgotten {
            return None;
        }
        let start = self.log.partition_point(|change| change.version <= version);
        Some(self.log.range(start..).filter(|change| change.kind == kind).cloned().collect())
    }

    /// Creates or updates an object. Namespace, uid, creation timestamp and resource version are
    /// filled in; another uid than before means another object of the same name.
    pub(super) fn apply(&mut self, mut object: Value) -> Result<Applied, ApplyError> {
        let kind = kind_of(&object)?;
        let key = complete_key(kind, &mut object)?;
        let old = self.get(kind, &key).cloned();
        let field = |object: &Value, name: &str| object["metadata"].get(name).cloned();
        let same = old.filter(|old| {
            let uid = field(&object, "uid");
            uid.is_none() || uid == field(old, "uid")
        });
        if same.is_none() {
            self.delete(kind, &key);
        }
        for name in ["uid", "creationTimestamp"] {
            if field(&object, name).is_none() {
                let value = same.as_ref().and_then(|old| field(old, name));
                object["metadata"][name] = value.unwrap_or_else(|| match name {
                    "uid" => json!(self.next_uid()),
                    _ => json!(now()),
                });
            }
        }
        if let Some(old) = &same {
            object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            if object == **old {
                return Ok(Applied::Unchanged);
            }
        }
        object["metadata"]["resourceVersion"] = json!((self.version + 1).to_string());
        let applied = match same {
            Some(_) => Applied::Updated,
            None => Applied::Created,
        };
        self.put(kind, key, Some(Arc::new(object)));
        Ok(applied)
    }

    /// Deletes an object. False if there was none.
    pub(super) fn delete(&mut self, kind: &'static Kind, key: &ObjectKey) -> bool {
        let exists = self.get(kind, key).is_some();
        if exists {
            self.put(kind, key.clone(), None);
        }
        exists
    }

    fn put(&mut self, kind: &'static Kind, key: ObjectKey, after: Option<Arc<Value>>) {
        self.version += 1;
        let objects = self.by_kind.entry(kind.plural).or_default();
        let before = match &after {
            Some(object) => objects.insert(key.clone(), object.clone()),
            None => objects.remove(&key),
        };
        if self.log.len() == LOG_LENGTH
            && let Some(oldest) = self.log.pop_front()
        {
            self.forgotten = oldest.version;
            self.floor = self.floor.max(oldest.version);
        }
        self.log.push_back(Change { version: self.version, kind, key, before, after });
    }

    /// Counted, not random: a test that fails says the same thing twice.
    fn next_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }
}

/// The time of day, as objects carry it.
pub(super) fn now() -> String {
    let now = k8s_openapi::jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The kind of an object.
fn kind_of(object: &Value) -> Result<&'static Kind, ApplyError> {
    let field = |name: &str| object.get(name).and_then(Value::as_str);
    if !object.get("metadata").is_some_and(Value::is_object) {
        return Err(ApplyError::NotAnObject);
    }
    let (Some(api_version), Some(name)) = (field("apiVersion"), field("kind")) else {
        return Err(ApplyError::NoKind);
    };
    Kind::of_object(api_version, name).ok_or_else(|| ApplyError::UnknownKind {
        api_version: api_version.to_owned(),
        kind: name.to_owned(),
    })
}

/// Namespace and name; the namespace is set as the API server would.
fn complete_key(kind: &Kind, object: &mut Value) -> Result<ObjectKey, ApplyError> {
    let metadata = object["metadata"].as_object_mut().ok_or(ApplyError::NotAnObject)?;
    if kind.namespaced {
        let namespace = metadata.entry("namespace").or_insert(Value::Null);
        if namespace.as_str().is_none_or(str::is_empty) {
            *namespace = json!("default");
        }
    } else {
        metadata.remove("namespace");
    }
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty());
    Ok(ObjectKey::new(text("namespace").unwrap_or_default(), name.ok_or(ApplyError::NoName)?))
}

/// The identity of an object: its kind and, as stored, its namespace and name.
pub(super) fn identify(object: &Value) -> Result<(&'static Kind, ObjectKey), ApplyError> {
    let kind = kind_of(object)?;
    let mut metadata = json!({ "metadata": object["metadata"].clone() });
    Ok((kind, complete_key(kind, &mut metadata)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, content: u32) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"x": content}})
    }

    fn names(objects: &Objects) -> Vec<(&str, u64)> {
        let content = |object: &Value| object["spec"]["x"].as_u64().unwrap();
        objects.iter().map(|(k, o)| (&*k.name, content(o))).collect()
    }

    #[test]
    fn history_can_be_undone_down_to_the_floor() {
        let pods = Kind::named("pods").unwrap();
        let mut store = Store::default();
        store.apply(pod("a", 1)).unwrap(); // version 1
        store.apply(pod("b", 1)).unwrap();
        store.apply(pod("a", 2)).unwrap();
        store.delete(pods, &ObjectKey::new("default", "b")); // version 4
        for (version, content) in [
            (0, vec![]),
            (1, vec![("a", 1)]),
            (2, vec![("a", 1), ("b", 1)]),
            (3, vec![("a", 2), ("b", 1)]),
            (4, vec![("a", 2)]),
        ] {
            let objects = store.at(pods, version).unwrap();
            assert_eq!(names(&objects), content, "at version {version}");
        }
        store.compact();
        assert!(store.at(pods, 3).is_none());
        assert_eq!(names(&store.at(pods, 4).unwrap()), [("a", 2)]);
    }

    #[test]
    fn an_equal_object_is_no_change_and_another_uid_is_another_object() {
        let pods = Kind::named("pods").unwrap();
        let mut store = Store::default();
        assert_eq!(store.apply(pod("a", 1)), Ok(Applied::Created));
        assert_eq!(store.apply(pod("a", 1)), Ok(Applied::Unchanged));
        assert_eq!(store.version(), 1);
        let mut other = pod("a", 1);
        other["metadata"]["uid"] = json!("other");
        assert_eq!(store.apply(other), Ok(Applied::Created));
        let changes = store.changes_after(pods, 1).unwrap();
        let kinds: Vec<_> =
            changes.iter().map(|c| (c.before.is_some(), c.after.is_some())).collect();
        assert_eq!(kinds, [(true, false), (false, true)]);
    }

    #[test]
    fn refuses_what_the_server_could_not_store() {
        let unknown =
            ApplyError::UnknownKind { api_version: "v1".to_owned(), kind: "Secret".to_owned() };
        for (object, error) in [
            (json!(7), ApplyError::NotAnObject),
            (json!({"metadata": {"name": "x"}}), ApplyError::NoKind),
            (json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}}), unknown),
            (json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}}), ApplyError::NoName),
        ] {
            assert_eq!(Store::default().apply(object.clone()), Err(error), "{object}");
        }
    }
}
