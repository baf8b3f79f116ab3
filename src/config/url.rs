//! The URL that asks this sidecar what a `kubernetes_sd_config` asks the API server.

use super::discovery::Discovery;
use super::narrowing::Narrowing;
use super::variables::{Piece, pieces};

/// The URL below `sd_url`, which has no `/` at its end. Variables stay as they are, for config-reloader.
pub(super) fn url(sd_url: &str, discovery: &Discovery, narrowing: &Narrowing) -> String {
    let mut parameters: Vec<(String, &str)> = Vec::new();
    for namespace in &discovery.namespaces {
        parameters.push(("namespace".to_owned(), namespace));
    }
    for selector in &discovery.selectors {
        for (syntax, value) in [("label", &selector.label), ("field", &selector.field)] {
            if !value.is_empty() {
                parameters.push((format!("selector.{}.{syntax}", selector.role), value));
            }
        }
    }
    for attach in &discovery.attach {
        parameters.push(("attach".to_owned(), attach));
    }
    if let Some(service) = &narrowing.service {
        parameters.push(("service".to_owned(), service));
    }
    for port in &narrowing.ports {
        parameters.push(("port".to_owned(), port));
    }
    let mut url = format!("{sd_url}/sd/{}", discovery.role);
    for (number, (name, value)) in parameters.iter().enumerate() {
        url.push(if number == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        push_encoded(&mut url, value);
    }
    url
}

fn push_encoded(url: &mut String, value: &str) {
    for piece in pieces(value) {
        match piece {
            Piece::Text(text) => url.extend(form_urlencoded::byte_serialize(text.as_bytes())),
            Piece::Variable(variable) => url.push_str(variable),
        }
    }
}
