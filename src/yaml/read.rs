//! From text to [`Yaml`].

use super::write::is_printable;
use super::{Scalar, Yaml};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use std::collections::HashMap;

/// Why a text is no document that we can read. Says the line, counted from 1, where there is one.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// Not YAML.
    #[error("it is not valid YAML: {0}")]
    Syntax(#[from] ScanError),
    /// More than one document; Prometheus would read the first and be silent about the others.
    #[error("it has more than one YAML document: leave one")]
    MoreDocuments,
    /// A key that is a list or a mapping.
    #[error("line {line}: a key must be a scalar")]
    Key {
        /// The line.
        line: usize,
    },
    /// A tag other than those of the plain types.
    #[error("line {line}: the tag {tag} is not supported: leave it out")]
    Tag {
        /// The line.
        line: usize,
        /// The tag.
        tag: String,
    },
    /// A merge of something that has no keys.
    #[error("line {line}: << needs a mapping, or a list of mappings")]
    Merge {
        /// The line.
        line: usize,
    },
    /// An alias inside its own anchor.
    #[error("line {line}: an alias refers to what it is in")]
    Alias {
        /// The line.
        line: usize,
    },
    /// A merge after other keys: versions of YAML disagree about which value counts.
    #[error("line {line}: put << before all other keys")]
    LateMerge {
        /// The line.
        line: usize,
    },
    /// Aliases that multiply.
    #[error("it has more than {MOST_NODES} nodes after its aliases are resolved")]
    TooLarge,
}

/// A document of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The line at which it begins, counted from 1: that of the mark before it, if there is one.
    pub line: usize,
    /// What is in it.
    pub yaml: Yaml,
}

/// So many nodes a text may have with aliases resolved, lest a few lines fill the memory.
const MOST_NODES: usize = 2_000_000;

/// A list or mapping that is not complete.
enum Open {
    Sequence { items: Vec<Yaml>, anchor: usize },
    Mapping { entries: Vec<(Scalar, Yaml)>, key: Option<Scalar>, merged: Vec<Yaml>, anchor: usize },
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Yaml>,
    documents: Vec<Document>,
    nodes: usize,
}

/// The document in the text; nothing if it is empty.
///
/// # Errors
/// If it is not YAML, or uses what configurations of Prometheus have no use for: more than one
/// document, keys that are not scalars, tags of other types.
pub fn read(text: &str) -> Result<Yaml, YamlError> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event?;
        if matches!(event, Event::DocumentStart(..)) && !reader.documents.is_empty() {
            return Err(YamlError::MoreDocuments);
        }
        reader.take(event, span.start.line())?;
    }
    Ok(reader.documents.pop().map_or(nothing(), |document| document.yaml))
}

/// All documents in the text, empty ones too.
///
/// # Errors
/// As [`read()`], but for more than one document.
pub fn read_all(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event?;
        reader.take(event, span.start.line())?;
    }
    Ok(reader.documents)
}

fn nothing() -> Yaml {
    Yaml::Scalar(Scalar::plain(""))
}

// === impl Reader ===

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents.push(Document { line, yaml: nothing() });
                self.anchors.clear(); // they are a document's
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let string = is_string(tag.as_deref(), line)?;
                let quoted =
                    string || style != ScalarStyle::Plain || !text.chars().all(is_printable);
                let scalar = Yaml::Scalar(Scalar { text: text.into_owned(), quoted });
                self.put(scalar, anchor, line)
            }
            Event::SequenceStart(_, anchor, tag) => {
                is_string(tag.as_deref(), line)?;
                self.open.push(Open::Sequence { items: Vec::new(), anchor });
                Ok(())
            }
            Event::MappingStart(_, anchor, tag) => {
                is_string(tag.as_deref(), line)?;
                let (entries, merged) = (Vec::new(), Vec::new());
                self.open.push(Open::Mapping { entries, key: None, merged, anchor });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Sequence { items, anchor }) => {
                    self.put(Yaml::Sequence(items), anchor, line)
                }
                Some(Open::Mapping { mut entries, merged, anchor, .. }) => {
                    for mapping in merged {
                        merge(&mut entries, mapping, line)?;
                    }
                    self.put(Yaml::Mapping(entries), anchor, line)
                }
                None => Ok(()), // the parser pairs them
            },
            Event::Alias(anchor) => {
                // An alias inside its own anchor has no value yet.
                let value = self.anchors.get(&anchor).ok_or(YamlError::Alias { line })?;
                self.nodes += size(value);
                if self.nodes > MOST_NODES {
                    return Err(YamlError::TooLarge);
                }
                let value = value.clone();
                self.put(value, 0, line)
            }
            _ => Ok(()), // marks of the stream
        }
    }

    /// Puts a node that is complete where it belongs.
    fn put(&mut self, node: Yaml, anchor: usize, line: usize) -> Result<(), YamlError> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(YamlError::TooLarge);
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => {
                if let Some(document) = self.documents.last_mut() {
                    document.yaml = node;
                }
            }
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, merged, .. }) => match (key.take(), node) {
                (None, Yaml::Scalar(scalar)) => *key = Some(scalar),
                (None, _) => return Err(YamlError::Key { line }),
                (Some(Scalar { text, quoted: false }), node) if text == "<<" => {
                    if !entries.is_empty() {
                        return Err(YamlError::LateMerge { line });
                    }
                    merged.push(node);
                }
                (Some(name), node) => entries.push((name, node)),
            },
        }
        Ok(())
    }
}

/// Adds what is not there yet, as a merge key does. Of several mappings the first that has a key counts.
fn merge(into: &mut Vec<(Scalar, Yaml)>, from: Yaml, line: usize) -> Result<(), YamlError> {
    match from {
        Yaml::Mapping(entries) => {
            for (key, value) in entries {
                if !into.iter().any(|(name, _)| name.text == key.text) {
                    into.push((key, value));
                }
            }
            Ok(())
        }
        Yaml::Sequence(mappings) => mappings.into_iter().try_for_each(|mapping| match mapping {
            Yaml::Mapping(_) => merge(into, mapping, line),
            Yaml::Scalar(_) | Yaml::Sequence(_) => Err(YamlError::Merge { line }),
        }),
        Yaml::Scalar(_) => Err(YamlError::Merge { line }),
    }
}

/// Whether the tag makes a string of whatever follows. Tags that only say what is so anyway are ignored.
fn is_string(tag: Option<&Tag>, line: usize) -> Result<bool, YamlError> {
    let Some(tag) = tag else { return Ok(false) };
    match tag.core_suffix() {
        Some("str") => Ok(true),
        Some("int" | "float" | "bool" | "null" | "seq" | "map") => Ok(false),
        _ => Err(YamlError::Tag { line, tag: tag.original() }),
    }
}

fn size(node: &Yaml) -> usize {
    1 + match node {
        Yaml::Scalar(_) => 0,
        Yaml::Sequence(items) => items.iter().map(size).sum(),
        Yaml::Mapping(entries) => entries.iter().map(|(_, value)| 1 + size(value)).sum(),
    }
}
