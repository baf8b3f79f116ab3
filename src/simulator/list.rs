//! Lists: versions and pages.

use super::kind::Kind;
use super::request::{Options, VersionMatch};
use super::status::Status;
use super::store::Store;
use crate::objects::ObjectKey;
use serde_json::{Value, json};
use std::sync::Arc;

/// Where a page starts: the version of the first page and the last object of the one before.
#[derive(Debug, PartialEq, Eq)]
struct Continue {
    version: u64,
    last: ObjectKey,
}

/// The version that the caller wants at least, if it names one that can be waited for.
pub(super) fn awaited_version(options: &Options) -> u64 {
    match options.continue_token {
        Some(_) => 0,
        None => options.resource_version.unwrap_or(0),
    }
}

/// One page as JSON text.
pub(super) fn render(
    store: &Store,
    kind: &Kind,
    options: &Options,
    bad: &[Value],
) -> Result<Vec<u8>, Status> {
    let (version, after, limit) = page(store, options)?;
    let expired = || match after {
        Some(_) => Status::expired_continue(),
        None => Status::expired(version, store.floor()),
    };
    let objects = store.at(kind, version).ok_or_else(expired)?;
    let mut rest = objects
        .iter()
        .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
        .filter(|(_, object)| options.selection.matches(kind, object));
    let page: Vec<(&ObjectKey, &Arc<Value>)> = rest.by_ref().take(limit).collect();
    let remaining = rest.count();

    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some((last, _)) = page.last()
        && remaining > 0
    {
        let last = (*last).clone();
        metadata["continue"] = json!(Continue { version, last }.token());
        if !options.selection.has_selectors() {
            metadata["remainingItemCount"] = json!(remaining);
        }
    }
    let items = page.into_iter().map(|(_, object)| &**object);
    let items = items.chain(bad);
    Ok(options.representation.list(kind, &metadata, items))
}

/// The version to read at, the object to start behind, and the number of objects
/// (`k8s.io/apiserver`, "resource versions" in the API concepts).
fn page(store: &Store, options: &Options) -> Result<(u64, Option<ObjectKey>, usize), Status> {
    let limit = options.limit.unwrap_or(usize::MAX);
    if let Some(token) = &options.continue_token {
        if options.resource_version.is_some_and(|version| version > 0) {
            return Err(Status::new(
                400,
                "specifying resource version is not allowed when using continue",
            ));
        }
        let Continue { version, last } =
            Continue::parse(token).ok_or_else(|| Status::new(400, "continue key is not valid"))?;
        // A version that is still to come: the server behind the token was another one.
        if version > store.version() {
            return Err(Status::expired_continue());
        }
        return Ok((version, Some(last), limit));
    }
    match options.resource_version {
        // The watch cache answers, and it knows no pages.
        Some(0) => Ok((store.version(), None, usize::MAX)),
        Some(version) if version > store.version() => {
            Err(Status::version_too_large(version, store.version()))
        }
        Some(version) => {
            // Without a match rule, a limit makes it an exact read; an old quirk that stayed.
            let exact = options.version_match == Some(VersionMatch::Exact)
                || options.version_match.is_none() && options.limit.is_some();
            let version = if exact { version } else { store.version() };
            Ok((version, None, limit))
        }
        None => Ok((store.version(), None, limit)),
    }
}

// === impl Continue ===

impl Continue {
    fn token(&self) -> String {
        let Self { version, last } = self;
        format!("{version}/{}/{}", last.namespace, last.name)
    }

    fn parse(token: &str) -> Option<Self> {
        let mut parts = token.splitn(3, '/');
        Some(Self {
            version: parts.next()?.parse().ok()?,
            last: ObjectKey::new(parts.next()?, parts.next()?),
        })
    }
}
