//! From [`Yaml`] to text that Prometheus reads as what was read.

use super::{Scalar, Yaml};
use std::fmt;

/// In block style, with two spaces for each level, as prometheus-operator writes. Ends with a line feed.
impl fmt::Display for Yaml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(_) => writeln!(f, "{}", Inline(self)),
            Self::Sequence(items) if items.is_empty() => writeln!(f, "{}", Inline(self)),
            Self::Mapping(entries) if entries.is_empty() => writeln!(f, "{}", Inline(self)),
            Self::Sequence(items) => write_items(f, items, 0),
            Self::Mapping(entries) => write_entries(f, entries, 0),
        }
    }
}

/// What stands on one line.
struct Inline<'a>(&'a Yaml);

impl fmt::Display for Inline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Yaml::Scalar(scalar) => write_scalar(f, scalar),
            Yaml::Sequence(_) => f.write_str("[]"),
            Yaml::Mapping(_) => f.write_str("{}"),
        }
    }
}

/// The entries of a mapping. The first stands where the line has been begun.
fn write_entries(
    f: &mut fmt::Formatter<'_>,
    entries: &[(Scalar, Yaml)],
    indent: usize,
) -> fmt::Result {
    for (number, (key, value)) in entries.iter().enumerate() {
        if number > 0 {
            write!(f, "{:indent$}", "")?;
        }
        write_scalar(f, key)?;
        f.write_str(":")?;
        match value {
            Yaml::Sequence(items) if !items.is_empty() => {
                write!(f, "\n{:indent$}", "")?;
                write_items(f, items, indent)?;
            }
            Yaml::Mapping(entries) if !entries.is_empty() => {
                let deeper = indent + 2;
                write!(f, "\n{:deeper$}", "")?;
                write_entries(f, entries, deeper)?;
            }
            inline => writeln!(f, " {}", Inline(inline))?,
        }
    }
    Ok(())
}

/// The items of a list. The first stands where the line has been begun.
fn write_items(f: &mut fmt::Formatter<'_>, items: &[Yaml], indent: usize) -> fmt::Result {
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            write!(f, "{:indent$}", "")?;
        }
        f.write_str("- ")?;
        match item {
            Yaml::Sequence(items) if !items.is_empty() => write_items(f, items, indent + 2)?,
            Yaml::Mapping(entries) if !entries.is_empty() => write_entries(f, entries, indent + 2)?,
            inline => writeln!(f, "{}", Inline(inline))?,
        }
    }
    Ok(())
}

fn write_scalar(f: &mut fmt::Formatter<'_>, scalar: &Scalar) -> fmt::Result {
    if scalar.is_null() {
        f.write_str("null")
    } else if scalar.quoted {
        write_quoted(f, &scalar.text)
    } else {
        f.write_str(&scalar.text)
    }
}

/// Between double quotes, where every character has a way to be written.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            c if !is_printable(c) => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// Whether a character may stand as itself: all but what YAML calls not printable, and what it takes for the
/// end of a line.
pub(super) fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
