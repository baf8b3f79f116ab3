//! URLs without their secrets: what stands before the `@`, and parameters.

use super::names::is_shown_parameter;
use super::{SECRET, masked_value};

pub(super) const MARK: &str = "://";

/// What becomes of a part of a query that has no `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lone {
    Hidden,
    /// Unless others beside it have one: in a regular expression a `?` seldom begins a query.
    Shown,
}

/// Without what each URL in it has before its `@`, and without its parameters. A query goes to the end of the
/// text, as a secret may have any sign in it.
pub(super) fn masked_urls(text: &str, lone: Lone) -> String {
    let (mut masked, mut left) = (String::with_capacity(text.len()), text);
    while let Some(at) = left.find(MARK) {
        let (scheme, rest) = left.split_at(at + MARK.len());
        let next = rest.find(MARK).unwrap_or(rest.len());
        let before = userinfo(&rest[..next]);
        masked.push_str(scheme);
        if before > 0 {
            masked.push_str(SECRET);
            masked.push('@');
        }
        if rest[before..next].contains(['?', '#']) {
            return masked + &masked_query(&rest[before..], lone);
        }
        masked.push_str(&rest[before..next]);
        left = &rest[next..];
    }
    masked + left
}

/// Without the login of an address that has no scheme, such as `user:password@tcp(host:3306)/`.
pub(super) fn without_login(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((login, address)) if login.contains(':') => format!("{SECRET}@{address}"),
        _ => text.to_owned(),
    }
}

/// What comes after the host, without its parameters.
pub(super) fn masked_query(rest: &str, lone: Lone) -> String {
    let Some(at) = rest.find(['?', '#']) else { return rest.to_owned() };
    let (path, query) = rest.split_at(at + 1);
    // An anchor in a page is none.
    let is_lone_hidden = query.contains('=') || (lone == Lone::Hidden && path.ends_with('?'));
    let of = |part: &str| match part.split_once('=') {
        Some((_, "")) => part.to_owned(),
        Some((name, value)) if is_shown(&decoded(name), value) => part.to_owned(),
        Some((name, _)) => format!("{name}={SECRET}"),
        None if is_lone_hidden && !part.is_empty() => SECRET.to_owned(),
        None => part.to_owned(),
    };
    let parts: Vec<String> = query.split('&').map(of).collect();
    path.to_owned() + &parts.join("&")
}

/// Whether a parameter may be shown: it is known as no secret, and has nothing in it that could be one, such as
/// a URL with a login or with parameters of its own.
pub(super) fn is_shown(name: &str, value: &str) -> bool {
    let value = decoded(value);
    // What is escaped twice, or goes on behind its end, is not looked through.
    let is_clear = !value.contains(['@', '?', '%', '#', ';']);
    is_shown_parameter(name) && is_clear && masked_value(&value, Lone::Hidden) == value
}

/// Without escapes.
fn decoded(text: &str) -> String {
    // As the name of a parameter it would end at a `=`.
    let text = text.replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(text.as_bytes()).map(|(text, _)| text.into_owned()).collect()
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
