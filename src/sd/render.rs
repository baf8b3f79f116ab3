//! From targets to the bytes that Prometheus reads.
//!
//! One group per target, since labels are per group. Prometheus refuses a whole answer for one
//! unknown key or one value that is no string, so nothing else is written. Labels are sorted and
//! targets come sorted: equal targets give equal bytes.

use crate::targets::{Labels, Target};
use bytes::Bytes;
use serde::Serialize;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

/// An answer as it is sent. A copy shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// JSON.
    pub body: Bytes,
    /// Tells it from other answers to the same question.
    pub tag: Tag,
}

/// A hash of an answer's body; shown as a strong entity tag, with its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u64);

#[derive(Serialize)]
struct Group<'a> {
    targets: [&'a str; 1],
    labels: &'a Labels,
}

/// The list of target groups.
pub fn render(targets: &[Target]) -> Bytes {
    let groups =
        targets.iter().map(|target| Group { targets: [&target.address], labels: &target.labels });
    let mut body = Vec::new();
    serde::Serializer::collect_seq(&mut serde_json::Serializer::new(&mut body), groups)
        .expect("strings always serialise, and a Vec takes all");
    body.shrink_to_fit(); // it may lie in the cache for long
    body.into()
}

// === impl Rendered ===

impl From<Bytes> for Rendered {
    fn from(body: Bytes) -> Self {
        // Sixty-four bits that nobody attacks. Another version of the compiler may hash
        // otherwise; then a client reads the answer once more.
        let mut hasher = DefaultHasher::new();
        hasher.write(&body);
        Self { tag: Tag(hasher.finish()), body }
    }
}

// === impl Tag ===

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{:016x}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str, labels: &[(&str, &str)]) -> Target {
        Target {
            address: address.to_owned(),
            labels: labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            sources: Vec::new(),
        }
    }

    #[test]
    fn one_group_per_target() {
        for (targets, json) in [
            (vec![], "[]"),
            (
                vec![
                    target("[::1]:80", &[("b", "\"quoted\"\n"), ("a", "ä")]),
                    target("10.0.0.1", &[]),
                ],
                r#"[{"targets":["[::1]:80"],"labels":{"a":"ä","b":"\"quoted\"\n"}},{"targets":["10.0.0.1"],"labels":{}}]"#,
            ),
        ] {
            assert_eq!(render(&targets), json);
        }
    }

    #[test]
    fn the_tag_follows_the_content() {
        let tag = |text: &'static str| {
            Rendered::from(Bytes::from_static(text.as_bytes())).tag.to_string()
        };
        assert_eq!(tag("[]"), tag("[]"));
        assert_ne!(tag("[]"), tag("[ ]"));
        assert!(tag("[]").starts_with('"') && tag("[]").ends_with('"'));
    }
}
