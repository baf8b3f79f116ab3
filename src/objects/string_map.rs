//! A compact, sorted map of strings: labels and annotations.

use super::interned::interned;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels or annotations, sorted by key. A boxed slice, because a cluster has many and nobody
/// changes one: a tree of nodes would cost several times the memory. Keys, and values that are short
/// enough to be labels, are shared between maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringMap(Box<[(Arc<str>, Arc<str>)]>);

// === impl StringMap ===

impl StringMap {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Pairs in ascending byte order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (&**k, &**v))
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for StringMap {
    /// Of equal keys the last wins, as in JSON.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let sorted: BTreeMap<Arc<str>, Arc<str>> =
            pairs.map(|(k, v)| (interned(k.as_ref()), interned(v.as_ref()))).collect();
        Self(sorted.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for StringMap {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let pairs: Option<BTreeMap<Box<str>, Option<Box<str>>>> = Deserialize::deserialize(input)?;
        let pairs = pairs.unwrap_or_default().into_iter();
        Ok(pairs.map(|(key, value)| (key, value.unwrap_or_default())).collect())
    }
}
