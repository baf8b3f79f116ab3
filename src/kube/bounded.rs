//! A text of bounded length: a line of a watch, an item of a list.

/// Collects a text. One over the limit is skipped while it comes in: memory stays bounded, and only
/// its beginning is kept, which names the object.
#[derive(Debug)]
pub(super) struct Bounded {
    text: Vec<u8>,
    limit: usize,
    too_long: bool,
}

/// A collected text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The beginning of one that is over the limit.
    TooLong(&'a [u8]),
}

/// How much of something that is too long is kept; metadata comes first.
const KEPT: usize = 64 * 1024;

impl Bounded {
    /// With a limit in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { text: Vec::new(), limit, too_long: false }
    }

    /// Adds to the text.
    pub(super) fn push(&mut self, more: &[u8]) {
        if self.too_long || self.text.len() + more.len() > self.limit {
            let room = KEPT.saturating_sub(self.text.len());
            self.text.extend_from_slice(&more[..room.min(more.len())]);
            self.text.truncate(KEPT);
            self.too_long = true;
        } else {
            self.text.extend_from_slice(more);
        }
    }

    /// What has been collected.
    pub(super) fn piece(&self) -> Piece<'_> {
        if self.too_long { Piece::TooLong(&self.text) } else { Piece::Whole(&self.text) }
    }

    /// Begins the next text.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT); // one large object must not stay paid for
        self.too_long = false;
    }
}
