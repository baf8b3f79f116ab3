//! The objects of a list as protobuf, one by one, while the body comes in.
//!
//! The body is `k8s\0` and a `runtime.Unknown`, whose field `raw` is the list: its metadata is field 1 of it, and
//! each item a field 2. (`k8s.io/apimachinery/pkg/runtime/generated.proto`; every list has this form.)

use super::bounded::Piece;
use super::items::ListMeta;
use prost::Message;

/// Splits the body of a list, as [`ItemSplitter`](super::items::ItemSplitter) does with JSON, and holds no more
/// than an item and a chunk.
#[derive(Debug)]
pub(super) struct MessageSplitter {
    /// What came in and is not understood yet.
    buffer: Vec<u8>,
    /// So many bytes of what comes in are of no use.
    skip: usize,
    limit: usize,
    place: Place,
    meta: Option<ListMeta>,
    malformed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before everything.
    Magic,
    /// In the envelope.
    Unknown,
    /// In the list, of which so many bytes are left.
    List { left: usize },
}

/// What begins every body.
const MAGIC: &[u8] = b"k8s\0";
/// A number has at most ten bytes.
const LONGEST_VARINT: usize = 10;
/// The list's metadata is short; the longest thing in it is a token.
const META_LIMIT: usize = 64 * 1024;

/// `meta.v1.ListMeta`.
#[derive(Clone, PartialEq, Message)]
struct ListMetaMessage {
    #[prost(string, optional, tag = "2")]
    resource_version: Option<String>,
    #[prost(string, optional, tag = "3")]
    token: Option<String>,
}

/// The beginning of a field.
struct Field {
    number: usize,
    /// Of its beginning, in bytes.
    head: usize,
    /// Of what follows.
    body: usize,
    /// Whether it is a text or a message.
    is_delimited: bool,
}

// === impl MessageSplitter ===

impl MessageSplitter {
    /// With a limit for each item, in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            skip: 0,
            limit,
            place: Place::Magic,
            meta: None,
            malformed: false,
        }
    }

    /// Takes a chunk and hands out the items that it completes.
    pub(super) fn push(&mut self, mut chunk: &[u8], mut each: impl FnMut(Piece<'_>)) {
        let skipped = self.skip.min(chunk.len());
        self.skip -= skipped;
        chunk = &chunk[skipped..];
        if self.malformed || chunk.is_empty() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(chunk);
        let mut at = 0;
        while at < buffer.len() {
            match self.step(&buffer[at..], &mut each) {
                Some(taken) => at += taken,
                None => break,
            }
            let skipped = self.skip.min(buffer.len() - at);
            self.skip -= skipped;
            at += skipped;
        }
        buffer.drain(..at);
        self.buffer = buffer;
    }

    /// The list's metadata, once the body has ended.
    ///
    /// # Errors
    /// Says why the body is no complete list.
    pub(super) fn finish(self) -> Result<ListMeta, String> {
        if self.malformed {
            return Err("it is not a list of messages".to_owned());
        }
        let is_over = matches!(self.place, Place::Unknown | Place::List { left: 0 });
        let is_complete = is_over && self.buffer.is_empty() && self.skip == 0;
        self.meta.filter(|_| is_complete).ok_or_else(|| "not a complete list".to_owned())
    }

    /// How many bytes of the beginning of `rest` are done with; `None` if more must come in first.
    fn step(&mut self, rest: &[u8], each: &mut impl FnMut(Piece<'_>)) -> Option<usize> {
        let left = match self.place {
            Place::Magic => {
                let has = rest.len().min(MAGIC.len());
                self.malformed = rest[..has] != MAGIC[..has];
                self.place = if has == MAGIC.len() { Place::Unknown } else { Place::Magic };
                return (has == MAGIC.len() && !self.malformed).then_some(has);
            }
            Place::List { left: 0 } => {
                self.place = Place::Unknown;
                return Some(0);
            }
            Place::List { left } => Some(left),
            Place::Unknown => None,
        };
        let field = match field(rest) {
            Ok(field) => field?,
            Err(()) => {
                self.malformed = true;
                return None;
            }
        };
        let whole = field.head.checked_add(field.body);
        let fits = whole.filter(|whole| left.is_none_or(|left| *whole <= left));
        let Some(whole) = fits else {
            self.malformed = true;
            return None;
        };
        let taken = match (left, field.number) {
            (None, 2) if field.is_delimited => {
                // A second list would be none.
                self.malformed = self.meta.is_some();
                self.meta = Some(ListMeta::default());
                self.place = Place::List { left: field.body };
                return Some(field.head);
            }
            (Some(_), 1) if field.is_delimited => self.take_meta(&field, rest)?,
            (Some(_), 2) if field.is_delimited => self.take_item(&field, rest, each)?,
            _ => field.head,
        };
        if let Some(left) = left {
            self.place = Place::List { left: left - whole };
        }
        self.skip = whole - taken;
        Some(taken)
    }

    fn take_meta(&mut self, field: &Field, rest: &[u8]) -> Option<usize> {
        self.malformed |= field.body > META_LIMIT;
        let message = rest.get(field.head..field.head + field.body)?;
        match ListMetaMessage::decode(message) {
            Ok(ListMetaMessage { resource_version, token }) => {
                self.meta = Some(ListMeta { resource_version, token });
            }
            Err(_) => self.malformed = true,
        }
        Some(field.head + field.body)
    }

    fn take_item(
        &mut self,
        field: &Field,
        rest: &[u8],
        each: &mut impl FnMut(Piece<'_>),
    ) -> Option<usize> {
        if field.body > self.limit {
            each(Piece::TooLong(&rest[field.head..]));
            return Some(field.head);
        }
        let item = rest.get(field.head..field.head + field.body)?;
        each(Piece::Whole(item));
        Some(field.head + field.body)
    }
}

/// The field that a text begins with; nothing, if it is not all there.
fn field(text: &[u8]) -> Result<Option<Field>, ()> {
    let Some((key, head)) = varint(text)? else { return Ok(None) };
    let number = key >> 3;
    let fixed = |body| Ok(Some(Field { number, head, body, is_delimited: false }));
    match key & 7 {
        kind @ (0 | 2) => Ok(varint(&text[head..])?.map(|(value, size)| {
            let is_delimited = kind == 2;
            let body = if is_delimited { value } else { 0 };
            Field { number, head: head + size, body, is_delimited }
        })),
        1 => fixed(8),
        5 => fixed(4),
        _ => Err(()),
    }
}

/// A number, and how many bytes it has.
fn varint(text: &[u8]) -> Result<Option<(usize, usize)>, ()> {
    let mut value: u64 = 0;
    for (at, byte) in text.iter().take(LONGEST_VARINT).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32).unwrap_or_default();
        if byte & 0x80 == 0 {
            return usize::try_from(value).map(|value| Some((value, at + 1))).map_err(|_| ());
        }
    }
    if text.len() < LONGEST_VARINT { Ok(None) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    use super::super::items::ItemSplitter;
    use super::*;
    use crate::objects::Service;

    /// A field that is a text.
    fn delimited(number: u8, body: &[u8]) -> Vec<u8> {
        let mut text = vec![number << 3 | 2];
        prost::encode_length_delimiter(body.len(), &mut text).unwrap();
        text.extend_from_slice(body);
        text
    }

    fn list(items: &[&[u8]]) -> Vec<u8> {
        let meta = ListMetaMessage { resource_version: Some("7".to_owned()), token: None };
        let mut raw = delimited(1, &meta.encode_to_vec());
        raw.extend(items.iter().flat_map(|item| delimited(2, item)));
        raw.extend([3 << 3, 0x96, 1]); // a number that we do not know
        let mut body = MAGIC.to_vec();
        body.extend(delimited(1, &delimited(1, b"v1")));
        body.extend(delimited(2, &raw));
        body.extend(delimited(3, b""));
        body.extend([4 << 3 | 5, 1, 2, 3, 4, 5 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]);
        body
    }

    fn split(body: &[u8], chunk: usize, limit: usize) -> (Vec<String>, Result<ListMeta, String>) {
        let mut splitter = MessageSplitter::new(limit);
        let mut items = Vec::new();
        for chunk in body.chunks(chunk) {
            splitter.push(chunk, |item| {
                items.push(match item {
                    Piece::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                    Piece::TooLong(_) => "long".to_owned(),
                });
            });
        }
        (items, splitter.finish())
    }

    #[test]
    fn finds_the_items_however_the_body_is_cut() {
        let long = "x".repeat(300);
        let body = list(&[b"one", b"", long.as_bytes()]);
        for chunk in 1..=body.len() {
            let (items, meta) = split(&body, chunk, 1000);
            assert_eq!(items, ["one", "", &long], "{chunk}");
            let version = Some("7".to_owned());
            assert_eq!(meta, Ok(ListMeta { resource_version: version, token: None }), "{chunk}");
        }
    }

    #[test]
    fn an_item_over_the_limit_does_not_stop_the_others() {
        let body = list(&[b"one", &[b'x'; 300], b"two"]);
        for chunk in [1, 7, 100, 1000] {
            let (items, meta) = split(&body, chunk, 10);
            assert_eq!(items, ["one", "long", "two"], "{chunk}");
            assert!(meta.is_ok());
        }
    }

    #[test]
    fn a_body_that_is_no_complete_list_is_an_error() {
        let body = list(&[b"one", b"two"]);
        // From where the list ends on, the rest are fields of the envelope, each of which may be missing.
        let list_ends = body.len() - 2 - 5 - 9;
        for end in 0..list_ends {
            assert!(split(&body[..end], 5, 1000).1.is_err(), "{end}");
        }
        let mut too_long = list(&[b"one"]);
        let at = too_long.windows(3).position(|text| text == b"one").unwrap();
        too_long[at - 1] = 0x7f; // beyond the list
        for body in [&too_long[..], b"{\"items\":[]}", b"k8s\0\x13", &[0xff; 30], b"k8s\0"] {
            assert!(split(body, 3, 1000).1.is_err(), "{body:?}");
        }
        let twice = [&body[..], &delimited(2, b"")].concat();
        assert!(split(&twice, 5, 1000).1.is_err());
    }

    /// A page of a real API server (1.37.2), with Services of every kind, in both forms.
    #[test]
    fn says_the_same_as_json() {
        let mut as_json = Vec::new();
        let mut items = ItemSplitter::new(usize::MAX);
        items.push(include_bytes!("testdata/services.json"), |item| {
            let Piece::Whole(text) = item else { unreachable!("no limit") };
            as_json.push(serde_json::from_slice::<Service>(text).unwrap());
        });
        let mut as_protobuf = Vec::new();
        let mut keys = Vec::new();
        let mut messages = MessageSplitter::new(usize::MAX);
        messages.push(include_bytes!("testdata/services.pb"), |item| {
            let Piece::Whole(text) = item else { unreachable!("no limit") };
            as_protobuf.push(Service::from_protobuf(text).unwrap());
            keys.push(Service::key_from_protobuf(text).unwrap());
        });
        assert_eq!(as_protobuf, as_json);
        assert_eq!(keys, as_json.iter().map(|of| of.meta.key.clone()).collect::<Vec<_>>());
        assert_eq!(messages.finish(), items.finish());
        assert!(as_json.len() > 8);
    }
}
