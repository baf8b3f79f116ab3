//! From the bytes of a file to the text of a configuration. prometheus-operator's are gzipped.

use flate2::read::MultiGzDecoder;
use std::io::Read;

/// Why bytes are no text.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The compressed stream is broken or cut off.
    #[error("it is gzipped, and cannot be unpacked: {0}")]
    Gzip(#[source] std::io::Error),
    /// More than a configuration can be.
    #[error("it has more than {} MiB, unpacked", MOST_BYTES >> 20)]
    TooLarge,
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    NotUtf8,
}

/// A Secret holds 1 MiB, and configurations shrink to a twentieth: this is beyond what one can be.
const MOST_BYTES: u64 = 64 << 20;

/// The text in plain or gzipped bytes.
///
/// # Errors
/// If the bytes are cut off, not text, or far too many.
pub fn text(bytes: Vec<u8>) -> Result<String, InputError> {
    let mut unpacked = Vec::new();
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut decoder = MultiGzDecoder::new(&*bytes).take(MOST_BYTES + 1);
        decoder.read_to_end(&mut unpacked).map_err(InputError::Gzip)?;
        unpacked
    } else {
        bytes
    };
    if bytes.len() as u64 > MOST_BYTES {
        return Err(InputError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| InputError::NotUtf8)
}
