//! Where the watches of an earlier run had come to.

use crate::objects::{Reach, Resource};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The versions from which watches resume that are opened for the first time. Each is given out once, and
/// only as long as nothing of what it belongs to can have been forgotten.
#[derive(Debug, Default)]
pub(super) struct Resume(Mutex<BTreeMap<(Resource, Reach), Box<str>>>);

// === impl Resume ===

impl Resume {
    /// Of these.
    pub(super) fn new(versions: BTreeMap<(Resource, Reach), Box<str>>) -> Self {
        Self(Mutex::new(versions))
    }

    /// From where that watch resumes, if it does.
    pub(super) fn take(&self, resource: Resource, reach: &Reach) -> Option<Box<str>> {
        self.lock().remove(&(resource, reach.clone()))
    }

    /// From now on watches of that resource begin with a list. Says which have not been opened.
    pub(super) fn forget(&self, resource: Resource) -> Vec<Reach> {
        let mut versions = self.lock();
        let (gone, kept) =
            std::mem::take(&mut *versions).into_iter().partition(|((of, _), _)| *of == resource);
        *versions = kept;
        let gone: BTreeMap<(Resource, Reach), Box<str>> = gone;
        gone.into_keys().map(|(_, reach)| reach).collect()
    }

    /// From now on all watches begin with a list.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Resource, Reach), Box<str>>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
