//! Text that is kept once, however often it occurs.
//!
//! The Services of a cluster say the same few hundred things again and again: keys of labels, names
//! of charts, protocols. Each object shares them instead of having its own.

use serde::{Deserialize, Deserializer};
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

/// Longer text hardly ever occurs twice: a label's value has at most 63 bytes, a key's name too.
const LONGEST: usize = 63;

thread_local! {
    /// Objects are decoded by one thread; in a test each has its own.
    static KNOWN: RefCell<Known> = RefCell::default();
}

#[derive(Default)]
struct Known {
    texts: HashSet<Arc<str>>,
    /// With so many texts those that nobody has any more are let go.
    sweep_at: usize,
}

/// The text, shared with all others that are equal and were interned too.
pub(super) fn interned(text: &str) -> Arc<str> {
    if text.len() > LONGEST {
        return text.into();
    }
    KNOWN.with_borrow_mut(|known| known.get(text))
}

/// For fields: reads a text as interned, and `null` as the empty one.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Arc<str>, D::Error> {
    let text: Option<Box<str>> = Option::deserialize(input)?;
    Ok(interned(text.as_deref().unwrap_or_default()))
}

// === impl Known ===

impl Known {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        if self.texts.len() >= self.sweep_at {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.sweep_at = 2 * self.texts.len().max(64); // seldom, or each text would cost a sweep
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let (one, other) = (interned("app"), interned("app"));
        assert!(Arc::ptr_eq(&one, &other));
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(interned(&long), interned(&long));
        assert!(!Arc::ptr_eq(&interned(&long), &interned(&long)));
    }

    #[test]
    fn what_nobody_has_is_let_go() {
        let mut known = Known::default();
        let kept = known.get("kept");
        for number in 0..1000 {
            known.get(&number.to_string());
        }
        assert!(known.texts.len() < 200, "{}", known.texts.len());
        assert!(Arc::ptr_eq(&known.get("kept"), &kept));
    }
}
