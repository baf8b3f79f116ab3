//! The objects of a list, one by one, while the body comes in.

use super::bounded::{Bounded, Piece};
use serde::Deserialize;

/// Splits the body of a list into its items without ever holding more than one of them, and
/// without a notion of what they are. So a large list costs the memory of its largest object, and
/// one object that cannot be read, or is too long, does not take the others with it.
#[derive(Debug)]
pub(super) struct ItemSplitter {
    /// Everything outside the list of items: the list's own metadata.
    envelope: Vec<u8>,
    item: Bounded,
    depth: usize,
    in_string: bool,
    escaped: bool,
    place: Place,
    malformed: bool,
}

/// The metadata of a list.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMeta {
    pub(super) resource_version: Option<String>,
    /// The token for the next page; empty on the last one.
    #[serde(rename = "continue")]
    pub(super) token: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Outside the items; the number is where in the envelope the last string began.
    Envelope { key_at: usize },
    /// Between two items.
    Items,
    /// In an item.
    Item,
}

/// A list's own fields are few; more than this is no Kubernetes list.
const ENVELOPE_LIMIT: usize = 1024 * 1024;
/// The depth inside the list of items: `{"items":[` are two.
const ITEMS_DEPTH: usize = 2;

// === impl ItemSplitter ===

impl ItemSplitter {
    /// With a limit for each item, in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            envelope: Vec::new(),
            item: Bounded::new(limit),
            depth: 0,
            in_string: false,
            escaped: false,
            place: Place::Envelope { key_at: 0 },
            malformed: false,
        }
    }

    /// Takes a chunk and hands out the items that it completes.
    pub(super) fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Piece<'_>)) {
        let mut item_from = 0; // where in this chunk the current item goes on
        for (at, &byte) in chunk.iter().enumerate() {
            if self.malformed {
                return;
            }
            let was = self.place;
            self.step(byte);
            match (was, self.place) {
                (Place::Items, Place::Item) => item_from = at,
                (Place::Item, Place::Items) => {
                    self.item.push(&chunk[item_from..=at]);
                    each(self.item.piece());
                    self.item.clear();
                }
                _ => {}
            }
        }
        if self.place == Place::Item {
            self.item.push(&chunk[item_from..]);
        }
    }

    /// The list's metadata, once the body has ended.
    ///
    /// # Errors
    /// Says why the body is no complete list.
    pub(super) fn finish(self) -> Result<ListMeta, String> {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(default)]
            metadata: ListMeta,
        }
        if self.malformed {
            return Err("it is not a list of objects".to_owned());
        }
        serde_json::from_slice(&self.envelope)
            .map(|envelope: Envelope| envelope.metadata)
            .map_err(|error| format!("not a complete list: {error}"))
    }

    fn step(&mut self, byte: u8) {
        match self.place {
            Place::Envelope { .. } => {
                self.envelope.push(byte);
                self.malformed = self.envelope.len() > ENVELOPE_LIMIT;
            }
            // Only objects, what separates them, and the end may stand here.
            Place::Items if !matches!(byte, b'{' | b',' | b']') => {
                self.malformed |= !byte.is_ascii_whitespace();
                return;
            }
            Place::Items | Place::Item => {}
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if let Place::Envelope { key_at } = &mut self.place {
                    *key_at = self.envelope.len() - 1;
                }
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.opened(byte);
            }
            b'}' | b']' => {
                self.malformed |= self.depth == 0;
                self.depth = self.depth.saturating_sub(1);
                self.closed(byte);
            }
            _ => {}
        }
    }

    fn opened(&mut self, byte: u8) {
        match self.place {
            Place::Envelope { key_at } if byte == b'[' && self.depth == ITEMS_DEPTH => {
                let key = self.envelope[key_at..].split(|b| *b == b':').next().unwrap_or_default();
                if key.trim_ascii() == b"\"items\"" {
                    self.place = Place::Items;
                }
            }
            Place::Items => self.place = Place::Item,
            _ => {}
        }
    }

    fn closed(&mut self, byte: u8) {
        match self.place {
            Place::Item if self.depth == ITEMS_DEPTH => self.place = Place::Items,
            Place::Items => {
                self.envelope.push(byte);
                self.place = Place::Envelope { key_at: self.envelope.len() };
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &str, chunk: usize, limit: usize) -> (Vec<String>, Result<ListMeta, String>) {
        let mut splitter = ItemSplitter::new(limit);
        let mut items = Vec::new();
        for chunk in body.as_bytes().chunks(chunk) {
            splitter.push(chunk, |item| {
                items.push(match item {
                    Piece::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                    Piece::TooLong(text) => format!("long {}", text.len()),
                });
            });
        }
        (items, splitter.finish())
    }

    const LIST: &str = r#"{"kind":"PodList","items_":[1],"metadata":{"resourceVersion":"7","x":["items"]},
        "items": [ {"a":"}]\\\"","b":[{}]} , {"items":[{}]},{}] ,"z":1}"#;

    #[test]
    fn finds_the_items_however_the_body_is_cut() {
        for chunk in 1..LIST.len() {
            let (items, meta) = split(LIST, chunk, 1000);
            assert_eq!(items, [r#"{"a":"}]\\\"","b":[{}]}"#, r#"{"items":[{}]}"#, "{}"], "{chunk}");
            let version = Some("7".to_owned());
            assert_eq!(meta, Ok(ListMeta { resource_version: version, token: None }), "{chunk}");
        }
    }

    #[test]
    fn an_item_over_the_limit_does_not_stop_the_others() {
        let (items, meta) = split(LIST, 5, 20);
        assert_eq!(items, ["long 23", r#"{"items":[{}]}"#, "{}"]);
        assert!(meta.is_ok());
    }

    #[test]
    fn a_body_that_is_no_complete_list_is_an_error() {
        for body in ["", "{", r#"{"items":[{}"#, r#"{"items":[7]}"#, "<html>", r#"{"items":[{}]"#] {
            assert!(split(body, 3, 1000).1.is_err(), "{body}");
        }
        assert_eq!(split(r#"{"items":null}"#, 3, 1000), (vec![], Ok(ListMeta::default())));
    }
}
