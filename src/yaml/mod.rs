//! YAML as it is written: order of keys and spelling of scalars survive.
//!
//! Whoever reads what we write decides by the field what a scalar means: `regex: 9102` is the text 9102,
//! `1.10` and `0x1F` as texts are not `1.1` and `31`, and `"5"` is no number. So a scalar is kept as its
//! text and whether it was quoted, and never turned into a number. Comments are lost; anchors and
//! merge keys are resolved.
//!
//! A configuration of Prometheus is one document ([`read()`]); manifests come as several ([`read_all()`]).
//! JSON is YAML.

mod read;
mod write;

pub use read::{Document, YamlError, read, read_all};

/// A node of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Yaml {
    /// A text, a number, a truth value or nothing.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Yaml>),
    /// Keys and values, in their order. A key may be there more than once, if the document is so.
    Mapping(Vec<(Scalar, Yaml)>),
}

/// A scalar as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text, after escapes.
    pub text: String,
    /// Whether it is a string whatever it looks like.
    pub quoted: bool,
}

// === impl Scalar ===

impl Scalar {
    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self { text: text.into(), quoted: true }
    }

    /// A scalar that needs no quotes, such as a key of ours.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), quoted: false }
    }

    /// Whether it stands for no value.
    pub fn is_null(&self) -> bool {
        !self.quoted && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }
}

// === impl Yaml ===

impl Yaml {
    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self::Scalar(Scalar::string(text))
    }

    /// A mapping with these keys, which need no quotes.
    pub fn mapping<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Mapping(entries.map(|(key, value)| (Scalar::plain(key), value)).into())
    }

    /// Whether nothing is given.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(scalar) if scalar.is_null())
    }

    /// The text of a scalar, as Prometheus reads it into a string: nothing is the empty string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(scalar) if scalar.is_null() => Some(""),
            Self::Scalar(scalar) => Some(&scalar.text),
            Self::Sequence(_) | Self::Mapping(_) => None,
        }
    }

    /// The items of a list; none if nothing is given.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(items) => Some(items),
            Self::Scalar(scalar) if scalar.is_null() => Some(&[]),
            Self::Scalar(_) | Self::Mapping(_) => None,
        }
    }

    /// The entries of a mapping; none if nothing is given.
    pub fn entries(&self) -> Option<&[(Scalar, Self)]> {
        match self {
            Self::Mapping(entries) => Some(entries),
            Self::Scalar(scalar) if scalar.is_null() => Some(&[]),
            Self::Scalar(_) | Self::Sequence(_) => None,
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The value of a key of a mapping, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Mapping(entries) => {
                entries.iter_mut().find(|(name, _)| name.text == key).map(|(_, value)| value)
            }
            Self::Scalar(_) | Self::Sequence(_) => None,
        }
    }

    /// Calls `look` for each scalar in it, keys too, in their order.
    pub fn each_scalar<'a>(&'a self, look: &mut impl FnMut(&'a Scalar)) {
        match self {
            Self::Scalar(scalar) => look(scalar),
            Self::Sequence(items) => items.iter().for_each(|item| item.each_scalar(look)),
            Self::Mapping(entries) => {
                for (key, value) in entries {
                    look(key);
                    value.each_scalar(look);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        read(text).unwrap().to_string()
    }

    #[test]
    fn spelling_and_order_survive() {
        for text in [
            "b: 1.10\na: 0x1F\nc: 010\n",
            "a: \"5\"\nb: 5\nc: yes\nd: \"yes\"\n",
            "a: null\nb: []\nc: {}\nd: \"\"\n",
            "- a: 1\n  b:\n  - 2\n  - - 3\n    - 4\n  c:\n    d: e\n- f\n",
            "regex: (.+);\nurl: http://a:1/b?c=d#e\nx: a - b\n",
            "\"a b\": \"c: d # e\"\n",
        ] {
            assert_eq!(written(text), text);
        }
    }

    #[test]
    fn what_is_written_another_way() {
        for (text, expected) in [
            ("a: 'b' # why\n", "a: \"b\"\n"),
            ("a: {b: [c, 'd']}\n", "a:\n  b:\n  - c\n  - \"d\"\n"),
            ("a: |\n  b\n  c\n", "a: \"b\\nc\\n\"\n"),
            ("a: b\n  c\n", "a: b c\n"),
            ("a: ~\nb:\n", "a: null\nb: null\n"),
            ("a: !!str 5\nb: !!int 5\n", "a: \"5\"\nb: 5\n"),
            ("a: &x {b: 1}\nc: *x\n", "a:\n  b: 1\nc:\n  b: 1\n"),
            (
                "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n",
                "a:\n  b: 1\n  c: 2\nd:\n  c: 3\n  b: 1\n",
            ),
            ("a: b\u{2028}c\n", "a: \"b\\u2028c\"\n"),
            ("", "null\n"),
            ("a: \"\\u0085\\t\\x7f\"\n", "a: \"\\u0085\\t\\u007f\"\n"),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        let bomb: String =
            (0..64).map(|n| format!("a{}: &a{} [*a{n}, *a{n}]\n", n + 1, n + 1)).collect();
        let bomb = format!("a0: &a0 [1, 2]\n{bomb}");
        for (text, expected) in [
            ("a: [", "not valid YAML"),
            ("a: 1\n---\nb: 2\n", "more than one YAML document"),
            ("? [a]\n: b\n", "line 1: a key must be a scalar"),
            ("a: 1\nb: !secret c\n", "line 2: the tag !secret is not supported"),
            ("<<: c\na: b\n", "<< needs a mapping"),
            ("a: b\n<<: {c: d}\n", "line 2: put << before all other keys"),
            ("a: &x [*x]\n", "line 1: an alias refers to what it is in"),
            (&bomb, "nodes after its aliases"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    fn scalar() -> impl Strategy<Value = Scalar> {
        let string = any::<String>().prop_map(Scalar::string);
        let plain = "[a-z0-9.$()/|+-]{1,8}"
            .prop_filter("some signs begin something else", |text| {
                !text.starts_with('-') && !text.starts_with('|') && !text.starts_with("...")
            });
        prop_oneof![string, plain.prop_map(Scalar::plain)]
    }

    fn node() -> impl Strategy<Value = Yaml> {
        scalar().prop_map(Yaml::Scalar).prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Yaml::Sequence),
                prop::collection::vec((scalar(), inner), 0..4).prop_map(Yaml::Mapping),
            ]
        })
    }

    #[test]
    fn documents_and_where_they_begin() {
        let text = "# why\na: &x 1\n---\nb: 2\n---\n# nothing\n---\n- c\n...\n---\n{\"d\": [3]}\n";
        let documents: Vec<(usize, String)> =
            read_all(text).unwrap().into_iter().map(|d| (d.line, d.yaml.to_string())).collect();
        let expected =
            [(2, "a: 1\n"), (3, "b: 2\n"), (5, "null\n"), (7, "- c\n"), (10, "\"d\":\n- 3\n")];
        assert_eq!(documents, expected.map(|(line, text)| (line, text.to_owned())));
        assert_eq!(read_all("").unwrap(), []);
        let error = read_all("a: &x 1\n---\nb: *x\n").unwrap_err().to_string();
        assert!(error.contains("not valid YAML") || error.contains("line 3"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(node in node()) {
            let text = node.to_string();
            prop_assert_eq!(read(&text).unwrap(), node, "{}", text);
        }
    }
}
