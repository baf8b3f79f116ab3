//! A configuration for other eyes: without its secrets.
//!
//! Prometheus shows `<secret>` for the fields that it knows as secret. What they are depends on its version,
//! and there are plain fields in which people write secrets all the same (`params`, `headers`). So it is the
//! name that decides here: whatever is called like a secret is hidden ([`names`]). Names of parameters say too
//! little: of those, only the ones that are known as no secrets are shown ([`url`]). A little too much is hidden
//! rather than anything too little.
//!
//! Not seen: a secret in the path of a URL, or as a plain text under a name of its own.

mod names;
mod url;

#[cfg(test)]
mod tests;

use crate::yaml::{Scalar, Yaml};
use names::{is_secret, is_secret_header};
use url::{Lone, MARK, is_shown, masked_query, masked_urls, without_login};

/// What stands for a secret, as in Prometheus.
const SECRET: &str = "<secret>";

/// What labels of targets are called that become parameters.
const PARAMETER: &str = "__param_";

/// How the values of `Authorization` begin, in lower case.
const SCHEMES: [&str; 3] = ["bearer ", "basic ", "token "];

/// How a password begins in a connection string, in lower case.
const ASSIGNMENTS: [&str; 3] = ["password=", "passwd=", "pwd="];

/// A copy without secrets.
#[must_use]
pub fn masked(yaml: &Yaml) -> Yaml {
    match yaml {
        Yaml::Scalar(scalar) => masked_scalar(scalar, Lone::Hidden),
        Yaml::Sequence(items) => Yaml::Sequence(items.iter().map(masked).collect()),
        Yaml::Mapping(entries) => {
            let of = |(key, value): &(Scalar, Yaml)| (key.clone(), masked_field(yaml, key, value));
            Yaml::Mapping(entries.iter().map(of).collect())
        }
    }
}

/// A text for people, such as the reason for something, without what URLs in it say before their `@` or in
/// their parameters.
#[must_use]
pub fn masked_text(text: &str) -> String {
    let of = |word: &str| {
        // What ends a word of a sentence is not the URL's.
        let url = word.trim_end_matches(|c: char| c.is_whitespace() || "\"'`)]},;.:".contains(c));
        masked_urls(url, Lone::Hidden) + &word[url.len()..]
    };
    text.split_inclusive(char::is_whitespace).map(of).collect()
}

/// The value of that key of a mapping.
fn masked_field(mapping: &Yaml, key: &Scalar, value: &Yaml) -> Yaml {
    let name = key.text.to_ascii_lowercase();
    match &*name {
        "headers" | "http_headers" => masked_entries(value, |name, value| {
            if is_secret_header(name) { hidden(value) } else { masked(value) }
        }),
        "params" => masked_entries(value, masked_parameter),
        "proxy_connect_header" | "endpoint_params" => hidden(value),
        // A rule that makes a parameter or header of what it says, or looks for one.
        "replacement" => {
            let target = mapping.get("target_label").and_then(Yaml::text).unwrap_or_default();
            match target.strip_prefix(PARAMETER) {
                Some(parameter) => masked_parameter(parameter, value),
                None if is_secret_header(target) => hidden(value),
                None => masked(value),
            }
        }
        "regex" => match value {
            Yaml::Scalar(_) if looks_at_secrets(mapping) => hidden(value),
            Yaml::Scalar(scalar) => masked_scalar(scalar, Lone::Shown),
            _ => masked(value),
        },
        name if is_secret(name) => hidden(value),
        name => match name.strip_prefix(PARAMETER) {
            Some(parameter) => masked_parameter(parameter, value),
            None => masked(value),
        },
    }
}

/// Whether a rule looks at a parameter that is not shown.
fn looks_at_secrets(rule: &Yaml) -> bool {
    let labels = rule.get("source_labels").and_then(Yaml::items).unwrap_or_default();
    let mut parameters = labels.iter().filter_map(|label| label.text()?.strip_prefix(PARAMETER));
    parameters.any(|parameter| !is_shown(parameter, ""))
}

fn masked_entries(named: &Yaml, of: impl Fn(&str, &Yaml) -> Yaml) -> Yaml {
    let Yaml::Mapping(entries) = named else { return masked(named) };
    let entries = entries.iter().map(|(name, value)| (name.clone(), of(&name.text, value)));
    Yaml::Mapping(entries.collect())
}

/// One value of a parameter, or several.
fn masked_parameter(name: &str, value: &Yaml) -> Yaml {
    match value {
        Yaml::Scalar(scalar) if is_shown(name, &scalar.text) => value.clone(),
        Yaml::Sequence(items) => {
            Yaml::Sequence(items.iter().map(|item| masked_parameter(name, item)).collect())
        }
        Yaml::Scalar(_) | Yaml::Mapping(_) => hidden(value),
    }
}

/// With no scalar left but empty ones and keys.
fn hidden(yaml: &Yaml) -> Yaml {
    match yaml {
        Yaml::Scalar(scalar) if scalar.is_null() || scalar.text.is_empty() => yaml.clone(),
        Yaml::Scalar(_) => Yaml::Scalar(Scalar::plain(SECRET)),
        Yaml::Sequence(items) => Yaml::Sequence(items.iter().map(hidden).collect()),
        Yaml::Mapping(entries) => {
            Yaml::Mapping(entries.iter().map(|(key, value)| (key.clone(), hidden(value))).collect())
        }
    }
}

fn masked_scalar(scalar: &Scalar, lone: Lone) -> Yaml {
    let text = masked_value(&scalar.text, lone);
    // Ours needs no quotes, whatever was there before.
    let quoted = scalar.quoted && text != SECRET;
    Yaml::Scalar(Scalar { text, quoted })
}

/// A value whose name says nothing about it.
fn masked_value(text: &str, lone: Lone) -> String {
    let lower = text.to_ascii_lowercase();
    let is_secret =
        text.contains("PRIVATE KEY-----") || SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
    if is_secret {
        SECRET.to_owned()
    } else if text.contains(MARK) {
        masked_urls(text, lone)
    } else if ASSIGNMENTS.iter().any(|assignment| lower.contains(assignment)) {
        SECRET.to_owned()
    } else {
        // A path with a query, or an address.
        masked_query(&without_login(text), Lone::Shown)
    }
}
