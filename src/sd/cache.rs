//! Rendered answers, by question.
//!
//! A Prometheus polls each of its URLs again and again, mostly without a change in between. Kept
//! is the last answer to each question, as long as all of them together stay below a limit in
//! bytes; beyond it the one that was not asked for the longest goes. A missing answer costs one
//! rendering, so nobody is ever refused for want of space.

use super::render::Rendered;
use crate::targets::{Profile, Query};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// What an entry costs beyond its body and its selectors: keys, two table entries, the tag.
const ENTRY_OVERHEAD: usize = 1024;

/// What the bytes of an answer depend on, beside the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    query: Query,
    profile: Profile,
}

/// Answers, least recently used first to go.
#[derive(Debug)]
pub struct Cache {
    limit: usize,
    lru: Mutex<Lru>,
}

#[derive(Debug, Default)]
struct Lru {
    entries: HashMap<Arc<Question>, Entry>,
    by_use: BTreeMap<u64, Arc<Question>>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    answer: Rendered,
    cost: usize,
    last_use: u64,
}

// === impl Question ===

impl Question {
    /// That query, answered under that profile.
    pub fn new(query: Query, profile: Profile) -> Self {
        Self {
            // These say how to answer; the bytes do not depend on them.
            query: Query { compat: None, hold: true, ..query },
            profile,
        }
    }

    /// The query.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }
}

// === impl Cache ===

impl Cache {
    /// An empty one that keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, lru: Mutex::default() }
    }

    /// The answer of that snapshot version.
    pub fn get(&self, question: &Question, version: u64) -> Option<Rendered> {
        let mut lru = self.lock();
        let entry = lru.entries.get(question)?;
        let found = (entry.version == version).then(|| entry.answer.clone())?;
        lru.touch(question);
        Some(found)
    }

    /// Keeps an answer, and returns it; if it equals the one before, that one, so that equal
    /// answers share their memory. `asked_in` is the length of the question's text in bytes.
    pub fn put(
        &self,
        question: &Arc<Question>,
        asked_in: usize,
        version: u64,
        body: Bytes,
    ) -> Rendered {
        let mut lru = self.lock();
        let old = lru.remove(question);
        let answer = match old {
            Some(old) if old.answer.body == body => old.answer,
            _ => Rendered::from(body),
        };
        let cost = answer.body.len() + asked_in + ENTRY_OVERHEAD;
        lru.insert(Arc::clone(question), version, answer.clone(), cost);
        while lru.bytes > self.limit {
            lru.remove_oldest();
        }
        answer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lru> {
        self.lru.lock().expect("nothing panics while it holds this lock")
    }
}

// === impl Lru ===

impl Lru {
    fn insert(&mut self, question: Arc<Question>, version: u64, answer: Rendered, cost: usize) {
        self.uses += 1;
        self.by_use.insert(self.uses, Arc::clone(&question));
        self.bytes += cost;
        let entry = Entry { version, answer, cost, last_use: self.uses };
        self.entries.insert(question, entry);
    }

    fn touch(&mut self, question: &Question) {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(question)
            && let Some(key) = self.by_use.remove(&entry.last_use)
        {
            entry.last_use = self.uses;
            self.by_use.insert(self.uses, key);
        }
    }

    fn remove(&mut self, question: &Question) -> Option<Entry> {
        let entry = self.entries.remove(question)?;
        self.by_use.remove(&entry.last_use);
        self.bytes -= entry.cost;
        Some(entry)
    }

    fn remove_oldest(&mut self) {
        if let Some((_, question)) = self.by_use.pop_first()
            && let Some(entry) = self.entries.remove(&question)
        {
            self.bytes -= entry.cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Role;

    fn question(port: &str) -> Question {
        let query = Query { ports: [port.to_owned()].into(), ..Query::all(Role::Pod) };
        Question::new(query, Profile::Latest)
    }

    fn put(cache: &Cache, port: &str, version: u64, body: &'static str) -> Rendered {
        cache.put(&question(port).into(), 0, version, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn only_the_asked_version_is_found() {
        let cache = Cache::new(1 << 20);
        let answer = put(&cache, "a", 1, "[1]");
        assert_eq!(cache.get(&question("a"), 1), Some(answer));
        assert_eq!(cache.get(&question("a"), 2), None);
        assert_eq!(cache.get(&question("b"), 1), None);
    }

    #[test]
    fn equal_bytes_are_shared_over_versions() {
        let cache = Cache::new(1 << 20);
        let put =
            |version| cache.put(&question("a").into(), 0, version, Bytes::from(vec![b'x'; 9]));
        let (first, second) = (put(1), put(2));
        assert_eq!(first.body.as_ptr(), second.body.as_ptr());
        assert_eq!(cache.get(&question("a"), 2), Some(second));
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let cache = Cache::new(3 * (ENTRY_OVERHEAD + 2));
        for port in ["a", "b", "c"] {
            put(&cache, port, 1, "[]");
        }
        assert!(cache.get(&question("a"), 1).is_some());
        put(&cache, "d", 1, "[]");
        let kept = ["a", "b", "c", "d"].map(|port| cache.get(&question(port), 1).is_some());
        assert_eq!(kept, [true, false, true, true]);
    }

    #[test]
    fn what_is_too_large_is_answered_all_the_same() {
        let cache = Cache::new(ENTRY_OVERHEAD);
        assert_eq!(put(&cache, "a", 1, "[1]").body, "[1]");
        assert_eq!(cache.get(&question("a"), 1), None);
        let lru = cache.lock();
        assert_eq!((lru.bytes, lru.entries.len(), lru.by_use.len()), (0, 0, 0));
    }

    #[test]
    fn how_to_answer_is_no_part_of_the_question() {
        let query = Query { compat: Some(Profile::V3_5), hold: false, ..Query::all(Role::Pod) };
        assert_eq!(
            Question::new(query, Profile::V3_5),
            Question::new(Query::all(Role::Pod), Profile::V3_5)
        );
    }
}
