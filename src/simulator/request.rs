//! From a request head to what it asks for, with the API server's checks of options.

use super::kind::Kind;
use super::representation::Representation;
use super::selection::Selection;
use super::status::Status;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};
use http::request::Parts;
use http::{Method, Uri};
use std::borrow::Cow;
use std::time::Duration;

/// What is done with a resource; `Other` is discovery and health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One object by name.
    Get,
    /// All objects.
    List,
    /// A stream of changes.
    Watch,
    /// Anything that is not about a resource.
    Other,
}

/// Where a request goes, before its options are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) verb: Verb,
    /// Nothing for `Verb::Other`.
    pub(super) kind: Option<&'static Kind>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
}

/// The options of a list or a watch.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) representation: Representation,
    pub(super) gzip: bool,
    pub(super) selection: Selection,
    /// Nothing means the most recent version; 0 means any.
    pub(super) resource_version: Option<u64>,
    pub(super) version_match: Option<VersionMatch>,
    pub(super) limit: Option<usize>,
    pub(super) continue_token: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) bookmarks: bool,
    pub(super) send_initial_events: Option<bool>,
}

/// `resourceVersionMatch`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VersionMatch {
    NotOlderThan,
    Exact,
}

// === impl Route ===

impl Route {
    /// Any path has a route; what is not a resource is `Verb::Other`.
    pub(super) fn of(uri: &Uri) -> Self {
        let other = Self { verb: Verb::Other, kind: None, namespace: None, name: None };
        let segments: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let (group, rest) = match segments.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, "v1", rest @ ..] => (*group, rest),
            _ => return other,
        };
        let (namespace, plural, name) = match rest {
            [plural] => (None, *plural, None),
            ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
            ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
            [plural, name] => (None, *plural, Some(*name)),
            _ => return other,
        };
        let Some(kind) = Kind::of_url(group, plural) else {
            return other;
        };
        let scope_fits = if kind.namespaced {
            namespace.is_some() || name.is_none()
        } else {
            namespace.is_none()
        };
        if !scope_fits {
            return other;
        }
        let watch = query(uri).any(|(key, value)| key == "watch" && is_true(&value));
        Self {
            verb: match name {
                _ if watch => Verb::Watch,
                Some(_) => Verb::Get,
                None => Verb::List,
            },
            kind: Some(kind),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        }
    }

    /// The plural name of the resource, or nothing for `Verb::Other`.
    pub(super) fn resource(&self) -> &'static str {
        self.kind.map_or("", |kind| kind.plural)
    }
}

// === impl Options ===

impl Options {
    /// The options of a request for objects of `kind`.
    pub(super) fn of(head: &Parts, route: &Route, kind: &Kind) -> Result<Self, Status> {
        if head.method != Method::GET {
            return Err(Status::new(
                405,
                "the server does not allow this method on the requested resource",
            ));
        }
        let mut options = Self {
            representation: Representation::accepted(&header(&head.headers, &ACCEPT)).ok_or_else(
                || {
                    Status::new(
                        406,
                        "only the following media types are accepted: application/json",
                    )
                },
            )?,
            gzip: header(&head.headers, &ACCEPT_ENCODING).contains("gzip"),
            ..Self::default()
        };
        let (mut labels, mut fields) = (Cow::default(), Cow::default());
        for (key, value) in query(&head.uri).filter(|(_, value)| !value.is_empty()) {
            match &*key {
                "labelSelector" => labels = value,
                "fieldSelector" => fields = value,
                "resourceVersion" => options.resource_version = Some(number(&key, &value)?),
                "resourceVersionMatch" => {
                    options.version_match = Some(VersionMatch::parse(&value)?);
                }
                "limit" => {
                    let limit: u64 = number(&key, &value)?;
                    options.limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
                }
                "continue" => options.continue_token = Some(value.into_owned()),
                "timeoutSeconds" => {
                    options.timeout = Some(Duration::from_secs(number(&key, &value)?));
                }
                "allowWatchBookmarks" => options.bookmarks = is_true(&value),
                "sendInitialEvents" => options.send_initial_events = Some(is_true(&value)),
                _ => {} // the API server ignores unknown parameters too
            }
        }
        options.selection = Selection::parse(kind, route, &labels, &fields)?;
        Ok(options)
    }

    /// The rules of `ValidateListOptions` (`k8s.io/apimachinery`, `meta/internalversion`).
    pub(super) fn check(&self, verb: Verb, watch_list: bool) -> Result<(), Status> {
        let invalid = |message: &str| Err(Status::new(422, message));
        let version_match = self.version_match.is_some();
        if verb == Verb::Watch {
            return match self.send_initial_events {
                Some(_) if !watch_list => invalid(
                    "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless \
                     the WatchList feature gate is enabled",
                ),
                Some(_) if self.version_match != Some(VersionMatch::NotOlderThan) => invalid(
                    "resourceVersionMatch: Forbidden: sendInitialEvents requires setting \
                     resourceVersionMatch to NotOlderThan",
                ),
                Some(true) if !self.bookmarks => invalid(
                    "allowWatchBookmarks: Forbidden: sendInitialEvents requires \
                     allowWatchBookmarks to be true",
                ),
                None if version_match => invalid(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch \
                     unless sendInitialEvents is provided",
                ),
                _ => Ok(()),
            };
        }
        if self.send_initial_events.is_some() {
            return invalid(
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
            );
        }
        if version_match && self.continue_token.is_some() {
            return invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue \
                 is provided",
            );
        }
        match (self.version_match, self.resource_version) {
            (Some(_), None) => invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless \
                 resourceVersion is provided",
            ),
            (Some(VersionMatch::Exact), Some(0)) => invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"Exact\" is forbidden for \
                 resourceVersion \"0\"",
            ),
            _ => Ok(()),
        }
    }
}

// === impl VersionMatch ===

impl VersionMatch {
    fn parse(text: &str) -> Result<Self, Status> {
        match text {
            "NotOlderThan" => Ok(Self::NotOlderThan),
            "Exact" => Ok(Self::Exact),
            _ => Err(Status::new(
                422,
                format!(
                    "resourceVersionMatch: Unsupported value: {text:?}: supported values: \"Exact\", \"NotOlderThan\""
                ),
            )),
        }
    }
}

fn query(uri: &Uri) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
}

fn header(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn number(key: &str, value: &str) -> Result<u64, Status> {
    value.parse().map_err(|_| Status::new(400, format!("{key}: Invalid value: {value:?}")))
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1" | "True" | "t" | "T" | "TRUE")
}
