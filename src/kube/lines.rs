//! The lines of a watch.

use super::bounded::{Bounded, Piece};

/// Cuts a stream of chunks into lines.
#[derive(Debug)]
pub(super) struct LineSplitter {
    line: Bounded,
}

impl LineSplitter {
    /// With a limit for each line, in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { line: Bounded::new(limit) }
    }

    /// Takes a chunk and hands out the lines that it completes, without their ends. What is left at
    /// the end of the stream is a cut line, and is never handed out.
    pub(super) fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Piece<'_>)) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = part.strip_suffix(b"\n") else {
                self.line.push(part);
                return;
            };
            self.line.push(end);
            match self.line.piece() {
                Piece::Whole(text) if text.trim_ascii().is_empty() => {}
                line => each(line),
            }
            self.line.clear();
        }
    }

    /// Whether the beginning of a line is left over: the stream was cut.
    pub(super) fn is_cut(&self) -> bool {
        !matches!(self.line.piece(), Piece::Whole(text) if text.trim_ascii().is_empty())
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
        format!("{:?}", Piece::Whole(text.as_bytes()))
    }

    #[test]
    fn cuts_at_line_ends_only() {
        assert_eq!(lines(&["a\nb", "c\n", "\r\n", "cut"], 9), [whole("a"), whole("bc")]);
    }

    #[test]
    fn skips_what_is_too_long_and_goes_on() {
        let long = format!("{:?}", Piece::TooLong(b"12345678"));
        assert_eq!(lines(&["1234", "5678", "\nok\n"], 7), [long, whole("ok")]);
    }
}
