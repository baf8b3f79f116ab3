//! Changing a manifest.

use crate::yaml::{Scalar, Yaml};

/// Sets what is at the end of that path. What is missing on the way is made.
pub(super) fn set(node: &mut Yaml, path: &[&str], value: Yaml) {
    *at(node, path) = value;
}

/// What is at the end of that path, to be changed; nothing there, if it was missing.
pub(super) fn at<'a>(node: &'a mut Yaml, path: &[&str]) -> &'a mut Yaml {
    path.iter().fold(node, |node, key| entry(node, key))
}

fn entry<'a>(node: &'a mut Yaml, key: &str) -> &'a mut Yaml {
    if !matches!(node, Yaml::Mapping(_)) {
        *node = Yaml::Mapping(Vec::new());
    }
    let Yaml::Mapping(entries) = node else { return node };
    let found = entries.iter().position(|(name, _)| name.text == key);
    let index = found.unwrap_or_else(|| {
        let key = Scalar { text: key.to_owned(), quoted: !is_plain(key) };
        entries.push((key, Yaml::Scalar(Scalar::plain(""))));
        entries.len() - 1
    });
    &mut entries[index].1
}

/// Adds an item to the list at the end of that path.
pub(super) fn push(node: &mut Yaml, path: &[&str], item: Yaml) {
    let list = at(node, path);
    match list {
        Yaml::Sequence(items) => items.push(item),
        other => *other = Yaml::Sequence(vec![item]),
    }
}

/// The items of the list at the end of that path, to be changed.
pub(super) fn items<'a>(node: &'a mut Yaml, path: &[&str]) -> &'a mut [Yaml] {
    match at(node, path) {
        Yaml::Sequence(items) => items,
        Yaml::Scalar(_) | Yaml::Mapping(_) => &mut [],
    }
}

/// The name of a container, a volume and the like.
pub(super) fn name(item: &Yaml) -> &str {
    item.get("name").and_then(Yaml::text).unwrap_or_default()
}

/// Adds the entries of a mapping to the one at the end of that path, in place of those that are there.
pub(super) fn overlay(node: &mut Yaml, path: &[&str], with: &Yaml) {
    for (key, value) in with.entries().unwrap_or_default() {
        set(at(node, path), &[&key.text], value.clone());
    }
}

/// A scalar that needs no quotes.
pub(super) fn plain(text: impl Into<String>) -> Yaml {
    Yaml::Scalar(Scalar::plain(text))
}

/// A string, without quotes where they would say nothing.
pub(super) fn string(text: impl Into<String>) -> Yaml {
    let text = text.into();
    Yaml::Scalar(Scalar { quoted: !is_plain(&text), text })
}

/// A list of texts, in one line each.
pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> Yaml {
    Yaml::Sequence(texts.into_iter().map(string).collect())
}

/// Whether a key needs no quotes: a field's or a label's name, and no word that means something else.
pub(super) fn is_plain(key: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_'))
        && !WORDS.contains(&&*key.to_ascii_lowercase())
}
