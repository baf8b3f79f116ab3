//! What label keys and values may look like: `k8s.io/apimachinery/pkg/util/validation`,
//! `IsQualifiedName` and `IsValidLabelValue`.

const NAME_LENGTH: usize = 63;
const PREFIX_LENGTH: usize = 253;

/// Which rule the label key breaks.
pub(super) fn key_error(key: &str) -> Option<&'static str> {
    match key.split_once('/') {
        None => name_error(key),
        Some((prefix, _)) if !is_dns_subdomain(prefix) => {
            Some("its prefix must be a lower-case DNS name of at most 253 bytes")
        }
        Some((_, name)) => name_error(name),
    }
}

/// Which rule the label value breaks. It may be empty.
pub(super) fn value_error(value: &str) -> Option<&'static str> {
    if value.is_empty() { None } else { name_error(value) }
}

fn name_error(name: &str) -> Option<&'static str> {
    if name.len() > NAME_LENGTH {
        return Some("it must have at most 63 bytes");
    }
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let mut bytes = name.bytes();
    let valid = bytes.clone().all(inner) && outer(bytes.clone().next()) && outer(bytes.next_back());
    (!valid).then_some(
        "it must be letters, digits, '-', '_' or '.', beginning and ending with a letter or digit",
    )
}

fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= PREFIX_LENGTH && name.split('.').all(is_dns_label)
}

fn is_dns_label(label: &str) -> bool {
    let lower_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    label.bytes().all(|byte| lower_alphanumeric(byte) || byte == b'-')
        && label.bytes().next().is_some_and(lower_alphanumeric)
        && label.bytes().next_back().is_some_and(lower_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let long = "a".repeat(64);
        for (key, valid) in [
            ("a", true),
            ("app.kubernetes.io/name", true),
            ("x_Y-z.0", true),
            (&long[..63], true),
            (&long, false),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a/b/c", false),
            ("A.io/b", false),
            ("a..b/c", false),
            ("-a", false),
            ("a-", false),
            ("ä", false),
            ("a b", false),
        ] {
            assert_eq!(key_error(key).is_none(), valid, "{key:?}");
        }
    }

    #[test]
    fn values() {
        for (value, valid) in [("", true), ("a.b", true), ("a/b", false), ("-1", false)] {
            assert_eq!(value_error(value).is_none(), valid, "{value:?}");
        }
    }
}
