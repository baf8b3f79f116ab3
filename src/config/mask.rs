//! A configuration for other eyes: without its secrets.
//!
//! Prometheus shows `<secret>` for the fields that it knows as secret. What they are depends on its version,
//! and there are plain fields in which people write secrets all the same (`params`, `headers`). So it is the
//! name that decides here: whatever is called like a secret is hidden, and so is what a URL has before its `@`
//! or in a parameter that is called so. A little too much is hidden rather than anything too little.

use crate::yaml::{Scalar, Yaml};

/// What stands for a secret, as in Prometheus.
const SECRET: &str = "<secret>";

/// Parts of names of what is secret.
const SECRET_PARTS: [&str; 7] =
    ["password", "passwd", "passphrase", "secret", "token", "credential", "apikey"];

/// Ends of names that say where a secret is, and not what it is.
const PLACES: [&str; 8] = ["_file", "_files", "_path", "_dir", "_ref", "_url", "_endpoint", "_id"];

/// The same in headers and parameters, whose names follow no rule.
const SECRET_HEADER_PARTS: [&str; 8] =
    ["auth", "token", "key", "secret", "cookie", "password", "credential", "sig"];

/// A copy without secrets.
#[must_use]
pub fn masked(yaml: &Yaml) -> Yaml {
    match yaml {
        Yaml::Scalar(scalar) => Yaml::Scalar(masked_scalar(scalar)),
        Yaml::Sequence(items) => Yaml::Sequence(items.iter().map(masked).collect()),
        Yaml::Mapping(entries) => {
            let target = yaml.get("target_label").and_then(Yaml::text).unwrap_or_default();
            let of = |(key, value): &(Scalar, Yaml)| {
                let name = key.text.to_ascii_lowercase();
                let value = match &*name {
                    // Each header by its own name.
                    "headers" | "http_headers" | "params" => masked_named(value),
                    "proxy_connect_header" => hidden(value),
                    // A rule that makes a parameter or header of what it says.
                    "replacement" if is_secret_header(target) => hidden(value),
                    name if is_secret(name) => hidden(value),
                    _ => masked(value),
                };
                (key.clone(), value)
            };
            Yaml::Mapping(entries.iter().map(of).collect())
        }
    }
}

/// A text for people, such as the reason for something, without what URLs in it say before their `@` or in
/// secret parameters.
#[must_use]
pub fn masked_text(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(masked_urls);
    words.collect()
}

/// Headers or parameters by name: whatever is below a name that looks secret is hidden, and else what is
/// called secret.
fn masked_named(named: &Yaml) -> Yaml {
    let Yaml::Mapping(entries) = named else { return masked(named) };
    let of = |(name, value): &(Scalar, Yaml)| {
        let value = if is_secret_header(&name.text) { hidden(value) } else { masked(value) };
        (name.clone(), value)
    };
    Yaml::Mapping(entries.iter().map(of).collect())
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

fn is_secret(name: &str) -> bool {
    let is_key = name == "key" || name.ends_with("_key");
    let is_place = PLACES.iter().any(|place| name.ends_with(place));
    !is_place && (is_key || SECRET_PARTS.iter().any(|part| name.contains(part)))
}

fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_HEADER_PARTS.iter().any(|part| name.contains(part))
}

fn masked_scalar(scalar: &Scalar) -> Scalar {
    if scalar.text.contains("PRIVATE KEY-----") {
        return Scalar::plain(SECRET);
    }
    Scalar { text: masked_urls(&scalar.text), quoted: scalar.quoted }
}

/// Without what each URL has before its `@` and in its secret parameters.
fn masked_urls(text: &str) -> String {
    const MARK: &str = "://";
    let Some(at) = text.find(MARK) else { return text.to_owned() };
    let (scheme, rest) = text.split_at(at + MARK.len());
    let next = rest.find(MARK).unwrap_or(rest.len());
    let before = userinfo(&rest[..next]);
    let mask = if before > 0 { format!("{SECRET}@") } else { String::new() };
    format!("{scheme}{mask}{}{}", masked_query(&rest[before..next]), masked_urls(&rest[next..]))
}

/// Where what stands before the host ends: behind an `@`. A password may have signs in it that it should not
/// have; then what looks like a host has something else than a port after its colon.
fn userinfo(rest: &str) -> usize {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_cut = !port.bytes().all(|c| c.is_ascii_digit()) && !port.ends_with(']');
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let within = if authority.contains('@') {
        authority
    } else if is_cut {
        rest
    } else {
        path
    };
    within.rfind('@').map_or(0, |at| at + 1)
}

/// What comes after the host, with parameters hidden that are called like a secret.
fn masked_query(rest: &str) -> String {
    let Some((path, query)) = rest.split_once('?') else { return rest.to_owned() };
    let of = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if is_secret_header(name) && !value.is_empty() => {
            let end = value.find(|c: char| c.is_whitespace() || "\"')]}".contains(c));
            format!("{name}={SECRET}{}", end.map_or("", |end| &value[end..]))
        }
        _ => pair.to_owned(),
    };
    let pairs: Vec<String> = query.split('&').map(of).collect();
    format!("{path}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn shown(text: &str) -> String {
        masked(&yaml::read(text).unwrap()).to_string()
    }

    /// Every field that Prometheus 3.16 takes for a secret, and those of its discoveries.
    #[test]
    fn no_secret_of_any_field_is_left() {
        for field in [
            "basic_auth: {username: u, password: SECRET}",
            "authorization: {type: Bearer, credentials: SECRET}",
            "bearer_token: SECRET",
            "oauth2: {client_id: c, client_secret: SECRET, token_url: \"https://a/b\"}",
            "oauth2: {client_certificate_key: SECRET}",
            "oauth2: {client_certificate_key_id: x, endpoint_params: {client_secret: SECRET}}",
            "oauth2: {token_url: \"https://u:SECRET@a/b\"}",
            "oauth2: {token_url: \"https://SECRET@a/b?x=y\"}",
            "tls_config: {cert: c, key: SECRET}",
            "tls_config: {key: \"-----BEGIN PRIVATE KEY-----\\nSECRET\"}",
            "tls_config: {cert: \"-----BEGIN EC PRIVATE KEY-----\\nSECRET\"}",
            "http_headers: {X-Thing: {secrets: [SECRET, SECRET]}}",
            "http_headers: {X-Api-Key: {values: [SECRET]}}",
            "http_headers: {Cookie: {values: [SECRET]}}",
            "headers: {Authorization: SECRET}",
            "headers: {X-Auth: SECRET}",
            "proxy_connect_header: {Proxy-Authorization: [SECRET]}",
            "proxy_url: http://u:SECRET@proxy:3128",
            "url: https://u:SE/SECRET@host/write",
            "url: https://u:SE?SECRET@host/write",
            "url: https://u:SE SECRET@host/write",
            "urls: \"https://u:p@a/b,https://u:SECRET@c\"",
            "url: https://a/?to=https://u:SECRET@c",
            "url: https://host/write?token=SECRET",
            "url: https://host/write?a=b&api_key=SECRET&c=d",
            "sigv4: {access_key: a, secret_key: SECRET}",
            "azuread: {oauth: {client_id: a, client_secret: SECRET}}",
            "ec2_sd_configs: [{access_key: a, secret_key: SECRET}]",
            "consul_sd_configs: [{token: SECRET, password: SECRET}]",
            "openstack_sd_configs: [{password: SECRET, application_credential_secret: SECRET}]",
            "ovhcloud_sd_configs: [{application_key: a, application_secret: SECRET, consumer_key: SECRET}]",
            "scaleway_sd_configs: [{secret_key: SECRET}]",
            "marathon_sd_configs: [{auth_token: SECRET}]",
            "stackit_sd_configs: [{private_key: SECRET, service_account_key: SECRET}]",
            "params: {token: [SECRET], api-key: [SECRET]}",
            "relabel_configs: [{target_label: __param_token, replacement: SECRET}]",
            "Password: SECRET",
            "a: &x {password: SECRET}\nb: *x",
            "password: |\n  SECRET\n  SECRET",
            "password: [a, {b: SECRET}]",
            "static_configs: [{targets: [\"http://u:SECRET@h:80\"]}]",
            "anything_new: {its_secret: SECRET, its_token: SECRET}",
        ] {
            for text in [
                field.to_owned(),
                format!(
                    "scrape_configs:\n- job_name: a\n  x:\n  - {}\n",
                    field.replace('\n', "\n    ")
                ),
            ] {
                let shown = shown(&text);
                assert!(shown.contains(SECRET), "nothing is hidden: {text}{shown}");
                assert!(!shown.contains("SECRET"), "{text}\n{shown}");
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "basic_auth:\n  username: u\n  password_file: /etc/p\n",
            "authorization:\n  type: Bearer\n  credentials_file: /var/run/secrets/token\n",
            "oauth2:\n  client_id: c\n  client_secret_file: f\n  token_url: https://a/b?c=d\n",
            "tls_config:\n  ca_file: a\n  cert_file: b\n  key_file: c\n",
            "url: http://[::1]:9090/a?b=c\n",
            "headers:\n  X-Scope-OrgID: shop\n",
            "params:\n  module:\n  - http_2xx\n  match[]:\n  - \"{job=~\\\".+\\\"}\"\n",
            "relabel_configs:\n- source_labels:\n  - __meta_kubernetes_pod_label_app\n  target_label: app\n  replacement: $1\n",
            "http_sd_configs:\n- url: http://127.0.0.1:9911/sd/pod?namespace=a@b\n",
            "password: null\n",
            "bearer_token: \"\"\n",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn texts_for_people() {
        for (text, expected) in [
            (
                "role pod of another cluster (https://u:p@host:6443/x); if",
                "role pod of another cluster (https://<secret>@host:6443/x); if",
            ),
            ("see https://host/?token=abc) or", "see https://host/?token=<secret>) or"),
            ("mail a@b.example, no URL", "mail a@b.example, no URL"),
        ] {
            assert_eq!(masked_text(text), expected);
        }
    }
}
