//! Objects by namespace and name, cheap to copy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Namespace and name of an object; the namespace of a cluster-scoped one is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Namespace, or empty.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

/// What can be kept in a [`Store`].
pub trait Stored: PartialEq {
    /// Where it belongs.
    fn key(&self) -> &ObjectKey;
}

/// Objects of one kind. A copy shares every namespace that does not change, so a published
/// snapshot costs the namespaces that changed since the last one, not the cluster.
#[derive(Debug)]
pub struct Store<T> {
    namespaces: BTreeMap<Arc<str>, Arc<InNamespace<T>>>,
}

/// The objects of one namespace, by name.
pub type InNamespace<T> = BTreeMap<Arc<str>, Arc<T>>;

// === impl ObjectKey ===

impl ObjectKey {
    /// From a namespace (empty for cluster-scoped objects) and a name.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl Default for ObjectKey {
    fn default() -> Self {
        Self::new("", "")
    }
}

/// `namespace/name`, or the name alone where there is no namespace.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// Whether these namespaces (empty: all) are shared by both.
pub fn is_same_in<T>(
    one: &BTreeMap<Arc<str>, Arc<T>>,
    other: &BTreeMap<Arc<str>, Arc<T>>,
    namespaces: &BTreeSet<String>,
) -> bool {
    let is_same = |one: Option<&Arc<T>>, other: Option<&Arc<T>>| match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    if namespaces.is_empty() {
        return one.len() == other.len()
            && one.iter().all(|(name, objects)| is_same(Some(objects), other.get(name)));
    }
    namespaces.iter().all(|name| is_same(one.get(&**name), other.get(&**name)))
}

// === impl Store ===

impl<T: Stored> Store<T> {
    /// The object of that namespace (empty for cluster-scoped ones) and name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// All objects, in ascending order of namespace, then name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.values().flat_map(|objects| objects.values())
    }

    /// The objects of one namespace, in ascending order of name.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.get(namespace).into_iter().flat_map(|objects| objects.values())
    }

    /// The objects of one namespace. As long as none of them changes this is the same allocation,
    /// in all copies of the store.
    pub fn namespace(&self, name: &str) -> Option<&Arc<InNamespace<T>>> {
        self.namespaces.get(name)
    }

    /// The namespaces that have objects, in ascending order.
    pub fn namespaces(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<InNamespace<T>>)> {
        self.namespaces.iter()
    }

    /// Whether these namespaces (empty: all) are shared with `other`, so that nothing in them differs.
    pub fn is_same_in(&self, other: &Self, namespaces: &BTreeSet<String>) -> bool {
        is_same_in(&self.namespaces, &other.namespaces, namespaces)
    }

    /// The namespaces that are not the same allocation in both, in ascending order: all that changed between
    /// two copies of a store, and nothing else.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Arc<str>> {
        differing(&self.namespaces, &other.namespaces)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.namespaces.values().map(|objects| objects.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Adds the object or puts it in the place of the one with the same key. False if an equal
    /// object was there already.
    pub fn insert(&mut self, object: T) -> bool {
        let key = object.key();
        if self.get(&key.namespace, &key.name).is_some_and(|old| **old == object) {
            return false;
        }
        let ObjectKey { namespace, name } = key.clone();
        Arc::make_mut(self.namespaces.entry(namespace).or_default()).insert(name, Arc::new(object));
        true
    }

    /// Removes the object of that key. False if there was none.
    pub fn remove(&mut self, key: &ObjectKey) -> bool {
        let Some(objects) = self.namespaces.get_mut(&key.namespace) else {
            return false;
        };
        if !objects.contains_key(&key.name) {
            return false;
        }
        if objects.len() == 1 {
            self.namespaces.remove(&key.namespace); // empty namespaces would pile up
        } else {
            Arc::make_mut(objects).remove(&key.name);
        }
        true
    }

    /// Keeps the objects for which `keep` is true. False if that is all of them.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) -> bool {
        let gone: Vec<ObjectKey> =
            self.iter().filter(|object| !keep(object)).map(|object| object.key().clone()).collect();
        for key in &gone {
            self.remove(key);
        }
        !gone.is_empty()
    }
}

/// The keys of which the values are not the same allocation in both, in ascending order.
pub(crate) fn differing<'a, T>(
    one: &'a BTreeMap<Arc<str>, Arc<T>>,
    other: &'a BTreeMap<Arc<str>, Arc<T>>,
) -> impl Iterator<Item = &'a Arc<str>> {
    let is_same = |(name, value): &(&Arc<str>, &'a Arc<T>), map: &BTreeMap<Arc<str>, Arc<T>>| {
        map.get(*name).is_some_and(|there| Arc::ptr_eq(there, value))
    };
    let changed = one.iter().filter(move |entry| !is_same(entry, other));
    let added = other.iter().filter(|(name, _)| !one.contains_key(*name));
    let names: BTreeSet<&Arc<str>> = changed.chain(added).map(|(name, _)| name).collect();
    names.into_iter()
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self { namespaces: BTreeMap::new() }
    }
}

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self { namespaces: self.namespaces.clone() }
    }
}

impl<T: Stored> FromIterator<T> for Store<T> {
    fn from_iter<I: IntoIterator<Item = T>>(objects: I) -> Self {
        let mut store = Self::default();
        for object in objects {
            store.insert(object);
        }
        store
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Thing(ObjectKey, u32);

    impl Stored for Thing {
        fn key(&self) -> &ObjectKey {
            &self.0
        }
    }

    fn thing(namespace: &str, name: &str, content: u32) -> Thing {
        Thing(ObjectKey::new(namespace, name), content)
    }

    #[test]
    fn a_copy_keeps_what_it_had() {
        let mut store: Store<_> = [thing("a", "x", 1), thing("b", "y", 1)].into_iter().collect();
        let copy = store.clone();
        assert!(store.insert(thing("a", "x", 2)));
        assert!(store.remove(&ObjectKey::new("b", "y")));
        assert_eq!(copy.get("a", "x").map(|t| t.1), Some(1));
        assert_eq!((copy.len(), store.len()), (2, 1));
    }

    #[test]
    fn namespaces_that_differ_between_copies() {
        let mut store: Store<_> =
            [thing("a", "x", 1), thing("b", "y", 1), thing("c", "z", 1)].into_iter().collect();
        let copy = store.clone();
        assert_eq!(copy.differing(&store).count(), 0);
        store.insert(thing("a", "x", 1));
        assert_eq!(copy.differing(&store).count(), 0, "an equal object is no change");
        store.insert(thing("a", "x", 2));
        store.remove(&ObjectKey::new("c", "z"));
        store.insert(thing("d", "new", 1));
        let names: Vec<&str> = copy.differing(&store).map(|name| &**name).collect();
        assert_eq!(names, ["a", "c", "d"]);
    }

    #[test]
    fn says_whether_anything_changed() {
        let mut store = Store::default();
        assert!(store.insert(thing("a", "x", 1)));
        assert!(!store.insert(thing("a", "x", 1)));
        assert!(!store.remove(&ObjectKey::new("a", "y")));
        assert!(!store.retain(|_| true));
        assert!(store.retain(|_| false));
        assert!(store.is_empty());
    }
}
