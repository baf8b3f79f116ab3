//! A list or an object as the API server writes it, once: for commands that end.

use super::failure::Failure;
use super::request::{self, Chunks, Form};
use super::timing::Timing;
use serde::Deserialize;
use tokio::time::Instant;

/// The pages of a list, each a JSON text.
#[derive(Debug)]
pub struct Listed(pub Vec<String>);

/// Why something is not known.
#[derive(Debug, thiserror::Error)]
pub enum NotListed {
    /// The server has no such kind, or no such object.
    #[error("the API server has no {0}")]
    Absent(String),
    /// No right to read it.
    #[error("no right to {verb} {path}: {message}")]
    Forbidden {
        /// The verb that is missing.
        verb: &'static str,
        /// What was asked for.
        path: String,
        /// The server's words.
        message: String,
    },
    /// No answer.
    #[error("GET {path}: {message}")]
    Unreachable {
        /// What was asked for.
        path: String,
        /// What went wrong.
        message: String,
    },
    /// An answer that is of no use.
    #[error("GET {path}: {message}")]
    Failed {
        /// What was asked for.
        path: String,
        /// What went wrong.
        message: String,
    },
}

/// Pages of so many objects; larger ones are slower to come and no cheaper.
const PAGE: usize = 500;
/// A page of the largest objects that there can be would have more. None has.
const LARGEST: usize = 256 << 20;

/// What of a page says whether there is another.
#[derive(Deserialize)]
struct Page {
    metadata: PageMeta,
}

#[derive(Deserialize)]
struct PageMeta {
    #[serde(default, rename = "continue")]
    token: String,
}

/// All objects of a kind, at a path such as `/api/v1/services`. In all it takes no longer than a page may
/// ([`Timing::page`]).
///
/// # Errors
/// If the kind is not there, may not be listed, or the server does not answer in time.
pub async fn list(client: &kube::Client, path: &str) -> Result<Listed, NotListed> {
    let until = Instant::now() + Timing::default().page;
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &PAGE.to_string());
        if !token.is_empty() {
            query.append_pair("continue", &token);
        }
        let uri = format!("{path}?{}", query.finish());
        let text =
            text(client, &uri, until).await.map_err(|failure| named(failure, "list", path))?;
        let page: Page = serde_json::from_str(&text).map_err(|error| NotListed::Failed {
            path: path.to_owned(),
            message: format!("the answer is no list: {error}"),
        })?;
        pages.push(text);
        let next = page.metadata.token;
        if next.is_empty() {
            return Ok(Listed(pages));
        }
        // Something that ignores the query gives the same page for ever.
        if next == token {
            let message = "the same page comes again".to_owned();
            return Err(NotListed::Failed { path: path.to_owned(), message });
        }
        token = next;
    }
}

/// One object, as JSON.
///
/// # Errors
/// If it is not there, may not be read, or the server does not answer in time.
pub async fn get(client: &kube::Client, path: &str) -> Result<String, NotListed> {
    let until = Instant::now() + Timing::default().page;
    text(client, path, until).await.map_err(|failure| named(failure, "get", path))
}

async fn text(client: &kube::Client, uri: &str, until: Instant) -> Result<String, Failure> {
    let timing = Timing::default();
    let request = request::get(uri, Form::Full, true)?;
    let left = until.saturating_duration_since(Instant::now());
    let answer = request::send(client, request, timing.headers.min(left)).await?;
    let bytes = Chunks::new(answer.into_body(), timing.body_silence, until).all(LARGEST).await?;
    String::from_utf8(bytes).map_err(|_| Failure::Garbled("it is not UTF-8 text".to_owned()))
}

fn named(failure: Failure, verb: &'static str, path: &str) -> NotListed {
    match failure {
        Failure::Status { code: 404, .. } => NotListed::Absent(path.to_owned()),
        Failure::Status { code: 403, message, .. } => {
            NotListed::Forbidden { verb, path: path.to_owned(), message }
        }
        failure @ (Failure::Connection(_) | Failure::NoAnswer { .. } | Failure::Silence { .. }) => {
            NotListed::Unreachable { path: path.to_owned(), message: failure.to_string() }
        }
        failure => NotListed::Failed { path: path.to_owned(), message: failure.to_string() },
    }
}
