//! Helpers for reading what Go's JSON encoder writes.

use serde::{Deserialize, Deserializer};

/// Go writes a nil slice, map or string pointer as `null`, which `#[serde(default)]` alone
/// refuses.
pub(super) fn null_as_default<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(input)?.unwrap_or_default())
}
