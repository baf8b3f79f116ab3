//! A watch's lines, of bounded length.

/// Cuts a stream of chunks into lines. A line over the limit is skipped while it is read: memory
/// stays bounded, and only the beginning is kept, which names the object.
#[derive(Debug)]
pub(super) struct LineSplitter {
    line: Vec<u8>,
    limit: usize,
    too_long: bool,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The beginning of one that is over the limit.
    TooLong(&'a [u8]),
}

/// How much of something that is too long is kept; metadata comes first and names it.
pub(super) const KEPT_OF_TOO_LONG: usize = 64 * 1024;

impl LineSplitter {
    /// With a limit for each line, in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { line: Vec::new(), limit, too_long: false }
    }

    /// Takes a chunk and hands out the lines that it completes. What is left at the end of the
    /// stream is a cut line, and is never handed out.
    pub(super) fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Line<'_>)) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if self.too_long || self.line.len() + text.len() > self.limit {
                let room = KEPT_OF_TOO_LONG.saturating_sub(self.line.len());
                self.line.extend_from_slice(&text[..room.min(text.len())]);
                self.line.truncate(KEPT_OF_TOO_LONG);
                self.too_long = true;
            } else {
                self.line.extend_from_slice(text);
            }
            if ended {
                if self.too_long {
                    each(Line::TooLong(&self.line));
                } else if !self.line.trim_ascii().is_empty() {
                    each(Line::Whole(&self.line));
                }
                self.line.clear();
                self.line.shrink_to(KEPT_OF_TOO_LONG); // one large object must not stay paid for
                self.too_long = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&str], limit: usize) -> Vec<String> {
        let mut splitter = LineSplitter::new(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk.as_bytes(), |line| lines.push(format!("{line:?}")));
        }
        lines
    }

    fn whole(text: &str) -> String {
        format!("{:?}", Line::Whole(text.as_bytes()))
    }

    #[test]
    fn cuts_at_line_ends_only() {
        assert_eq!(lines(&["a\nb", "c\n", "\r\n", "cut"], 9), [whole("a"), whole("bc")]);
    }

    #[test]
    fn skips_what_is_too_long_and_goes_on() {
        let long = format!("{:?}", Line::TooLong(b"12345678"));
        assert_eq!(lines(&["1234", "5678", "\nok\n"], 7), [long, whole("ok")]);
    }
}
