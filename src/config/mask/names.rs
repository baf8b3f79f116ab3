//! Which names are those of secrets.

/// Parts of names of fields that are secret.
const SECRET_PARTS: [&str; 7] = ["pass", "pwd", "secret", "token", "credential", "apikey", "jwt"];

/// Ends of names that say where a secret is, and not what it is.
const PLACES: [&str; 7] = ["_file", "_files", "_path", "_dir", "_ref", "_url", "_endpoint"];

/// The same in headers and labels, whose names follow no rule.
const SECRET_HEADER_PARTS: [&str; 11] = [
    "auth",
    "token",
    "key",
    "secret",
    "cookie",
    "pass",
    "pwd",
    "credential",
    "sig",
    "session",
    "jwt",
];

/// Parameters of URLs that are no secrets: those of questions to a sidecar, and what exporters and federation
/// are asked with. Any other may be one: InfluxDB's `p` is a password.
const SHOWN_PARAMETERS: [&str; 15] = [
    "role",
    "namespace",
    "attach",
    "service",
    "port",
    "compat",
    "hold",
    "db",
    "module",
    "target",
    "format",
    "match[]",
    "collect[]",
    "exclude[]",
    "name[]",
];

/// What a question to a sidecar calls its selectors: `selector.pod.label`.
const SELECTOR: &str = "selector.";

/// Whether a field of that name, in lower case, holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let is_key = name == "key" || name.ends_with("_key");
    let is_place = PLACES.iter().any(|place| name.ends_with(place));
    !is_place && (is_key || SECRET_PARTS.iter().any(|part| name.contains(part)))
}

/// Whether a header or label of that name may hold a secret.
pub(super) fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_HEADER_PARTS.iter().any(|part| name.contains(part))
}

/// Whether a parameter of that name, after its escapes, may be shown.
pub(super) fn is_shown_parameter(name: &str) -> bool {
    SHOWN_PARAMETERS.contains(&name) || name.starts_with(SELECTOR)
}
