//! Versions of prometheus-operator.

use std::fmt;
use std::str::FromStr;

/// A released version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// Not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version of prometheus-operator is three numbers, such as {}", Version::NEWEST)]
pub struct VersionError;

// === impl Version ===

impl Version {
    /// The newest one whose fields are known here.
    pub const NEWEST: Self = Self(0, 93, 1);
}

/// With or without a `v` before it.
impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = numbers.split('.').map(|number| {
            let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            if digits { number.parse().map_err(|_| VersionError) } else { Err(VersionError) }
        });
        let mut next = || numbers.next().ok_or(VersionError)?;
        let version = Self(next()?, next()?, next()?);
        if numbers.next().is_some() { Err(VersionError) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, patch) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!("0.93.1".parse(), Ok(Version::NEWEST));
        assert_eq!("v0.85.0".parse(), Ok(Version(0, 85, 0)));
        assert!(Version(0, 9, 9) < Version(0, 85, 0));
        for bad in ["", "0", "0.93", "0.93.1.2", "0.93.x", "0.93.-1", "0.93.+1", "vv0.9.1", "0..1"]
        {
            assert_eq!(bad.parse::<Version>(), Err(VersionError), "{bad}");
        }
    }
}
