//! What commands say. A reader that has read enough, as `head` does, is no failure.

use super::error::CommandError;
use std::io::{self, ErrorKind, Write};

/// Prints the command's result on standard output.
///
/// # Errors
/// If it cannot be written, unless because nobody reads it any more.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    to(&mut io::stdout().lock(), text).map_err(|error| {
        CommandError::Failure(format!("the result cannot be written to standard output: {error}"))
    })
}

/// Says a line beside the result, on standard error. There is no other place to complain if that fails.
pub fn remark(line: &str) {
    let _ = to(&mut io::stderr().lock(), &format!("{line}\n"));
}

fn to(out: &mut impl Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_a_closed_pipe_is_no_failure() {
        for (kind, fails) in [(ErrorKind::BrokenPipe, false), (ErrorKind::StorageFull, true)] {
            assert_eq!(to(&mut Failing(kind), "text").is_err(), fails, "{kind}");
        }
    }
}
