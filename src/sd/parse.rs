//! From a role and a query string to a [`Query`].
//!
//! Strict on purpose: a parameter that is unknown, malformed or without a meaning for the role is
//! refused, never ignored. An ignored selector would serve targets that nobody asked for, and a
//! Prometheus that gets an error keeps the targets that it has.

use super::fields::Kind;
use crate::index::EndpointsFrom;
use crate::selector::{FieldSelector, LabelSelector, MalformedSelector};
use crate::targets::{Attach, Profile, Query, Role, Selector, Selectors, UnknownProfile};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why a question cannot be answered. The text is for the person who wrote the URL.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No role where one must be given.
    #[error("no role is given: add role=pod, role=endpointslice, role=endpoints or role=node")]
    NoRole,
    /// A role that Prometheus does not have.
    #[error("unknown role {0:?}: use pod, endpointslice, endpoints or node")]
    UnknownRole(String),
    /// A role whose targets belong to no node.
    #[error(
        "role {0} is not local to a node, so no node's sidecar serves it: keep it in a \
         kubernetes_sd_config of one Prometheus"
    )]
    NotNodeLocal(String),
    /// A parameter that no role has.
    #[error(
        "unknown parameter {0:?}: use namespace, selector.ROLE.label, selector.ROLE.field, attach, \
         service, port, compat or hold"
    )]
    UnknownParameter(String),
    /// A parameter that other roles have.
    #[error("parameter {parameter} means nothing for role {role}: leave it out")]
    Meaningless {
        /// Its name.
        parameter: String,
        /// The role that was asked for.
        role: &'static str,
    },
    /// A parameter with one value was given more.
    #[error("parameter {0} is given more than once: give it once")]
    Repeated(String),
    /// A selector that cannot be parsed.
    #[error("parameter {parameter} is not a valid selector: {reason}")]
    Selector {
        /// The name of the parameter.
        parameter: String,
        /// What is wrong with it.
        reason: MalformedSelector,
    },
    /// A field that the API server refuses.
    #[error(
        "parameter {parameter} asks for the field {field:?}, which the API server cannot select \
         by: use {}",
        known.join(", ")
    )]
    UnknownField {
        /// The name of the parameter.
        parameter: String,
        /// The field.
        field: String,
        /// The fields that can be used.
        known: Vec<&'static str>,
    },
    /// The name of a slice, where slices are derived.
    #[error(
        "parameter selector.endpointslice.field asks for metadata.name, but slices are derived from \
         Pods and Services here (--endpoints-from=pods) and have no name: use \
         service=LABELSELECTOR, selector.endpointslice.label=kubernetes.io/service-name=SERVICE, \
         or --endpoints-from=slices"
    )]
    NamelessSlices,
    /// No valid name of a namespace.
    #[error(
        "parameter namespace has the value {0:?}, which is not the name of a namespace: use at \
         most 63 of the characters a-z, 0-9 and -, the first and the last of which is not -"
    )]
    Namespace(String),
    /// Something that cannot be attached.
    #[error(
        "parameter attach has the unknown value {0:?}: use node, namespace, deployment, job or \
         cronjob"
    )]
    Attach(String),
    /// A port without a name.
    #[error("parameter port is empty: give the name of a port, or leave the parameter out")]
    Port,
    /// An unknown profile.
    #[error("parameter compat: {0}")]
    Compat(#[from] UnknownProfile),
    /// Not `off`.
    #[error("parameter hold has the unknown value {0:?}: use hold=off, or leave the parameter out")]
    Hold(String),
    /// Bytes that are not UTF-8.
    #[error("parameter {0:?} is not valid UTF-8: encode it as UTF-8, then as percent escapes")]
    NotUtf8(String),
}

/// A parameter by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    Namespace,
    Selector(Kind, Syntax),
    Attach,
    Service,
    Port,
    Compat,
    Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    Label,
    Field,
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The question `/sd/{role}?{query}` to a sidecar whose endpoints come from there.
///
/// # Errors
/// If the role is not served, or a parameter is unknown, malformed or meaningless for it.
pub fn parse(
    role: &str,
    query: Option<&str>,
    endpoints_from: EndpointsFrom,
) -> Result<Query, QueryError> {
    parse_pairs(served_role(role)?, pairs(query), endpoints_from)
}

/// The question of a page that takes the role as one more parameter, `role`.
///
/// # Errors
/// As [`parse`]; also if there is neither a parameter `role` nor a default.
pub fn parse_with_role(
    query: Option<&str>,
    default: Option<Role>,
    endpoints_from: EndpointsFrom,
) -> Result<Query, QueryError> {
    let (roles, others): (Vec<Pair<'_>>, Vec<_>) =
        pairs(query).partition(|(name, _)| name == "role");
    let role = match &*roles {
        [] => default.ok_or(QueryError::NoRole)?,
        [(_, role)] => served_role(role)?,
        _ => return Err(QueryError::Repeated("role".to_owned())),
    };
    parse_pairs(role, others.into_iter(), endpoints_from)
}

/// Whether a query can have a parameter of that name.
pub fn is_parameter(name: &str) -> bool {
    Parameter::of_name(name).is_some()
}

fn pairs(query: Option<&str>) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}

fn served_role(name: &str) -> Result<Role, QueryError> {
    if let Some(role) = Role::ALL.into_iter().find(|role| role.name() == name) {
        return Ok(role);
    }
    Err(match name {
        "service" | "ingress" => QueryError::NotNodeLocal(name.to_owned()),
        _ => QueryError::UnknownRole(name.to_owned()),
    })
}

fn parse_pairs<'a>(
    role: Role,
    pairs: impl Iterator<Item = Pair<'a>>,
    endpoints_from: EndpointsFrom,
) -> Result<Query, QueryError> {
    let mut query = Query::all(role);
    let mut given = BTreeSet::new();
    for (name, value) in pairs {
        // What is not UTF-8 was decoded to this character; no valid value contains it.
        if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER)
        {
            return Err(QueryError::NotUtf8(name.into_owned()));
        }
        let Some(parameter) = Parameter::of_name(&name) else {
            return Err(QueryError::UnknownParameter(name.into_owned()));
        };
        if !parameter.has_meaning_for(role) {
            return Err(QueryError::Meaningless {
                parameter: name.into_owned(),
                role: role.name(),
            });
        }
        if !parameter.is_repeatable() && !given.insert(name.to_string()) {
            return Err(QueryError::Repeated(name.into_owned()));
        }
        parameter.read(&name, &value, &mut query)?;
    }
    let names_slices = query.selectors.endpointslice.field.fields().any(|f| f == "metadata.name");
    if names_slices && endpoints_from.is_pods() {
        return Err(QueryError::NamelessSlices);
    }
    Ok(query)
}

// === impl QueryError ===

impl QueryError {
    /// Whether it is the role that is not here, rather than a parameter that is wrong.
    pub fn is_about_the_role(&self) -> bool {
        matches!(self, Self::UnknownRole(_) | Self::NotNodeLocal(_))
    }
}

// === impl Parameter ===

impl Parameter {
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "namespace" => Self::Namespace,
            "attach" => Self::Attach,
            "service" => Self::Service,
            "port" => Self::Port,
            "compat" => Self::Compat,
            "hold" => Self::Hold,
            _ => {
                let (kind, syntax) = name.strip_prefix("selector.")?.split_once('.')?;
                let syntax = match syntax {
                    "label" => Syntax::Label,
                    "field" => Syntax::Field,
                    _ => return None,
                };
                Self::Selector(Kind::of_name(kind)?, syntax)
            }
        })
    }

    /// Selectors: as Prometheus allows them. A Node selector for role pod is younger than some
    /// profiles (prometheus#18006); like `attach` it is honoured under all of them.
    fn has_meaning_for(self, role: Role) -> bool {
        match (role, self) {
            (_, Self::Compat | Self::Hold)
            | (
                Role::Pod | Role::EndpointSlice | Role::Endpoints,
                Self::Namespace | Self::Attach | Self::Port,
            )
            | (Role::EndpointSlice | Role::Endpoints, Self::Service) => true,
            (Role::Pod, Self::Selector(kind, _)) => matches!(kind, Kind::Pod | Kind::Node),
            (Role::EndpointSlice, Self::Selector(kind, _)) => {
                matches!(kind, Kind::EndpointSlice | Kind::Service | Kind::Pod)
            }
            (Role::Endpoints, Self::Selector(kind, _)) => {
                matches!(kind, Kind::Endpoints | Kind::Service | Kind::Pod)
            }
            (Role::Node, Self::Selector(kind, _)) => kind == Kind::Node,
            _ => false,
        }
    }

    fn is_repeatable(self) -> bool {
        matches!(self, Self::Namespace | Self::Attach | Self::Port)
    }

    fn read(self, name: &str, value: &str, query: &mut Query) -> Result<(), QueryError> {
        match self {
            Self::Namespace if is_dns_label(value) => {
                query.namespaces.insert(value.to_owned());
            }
            Self::Namespace => return Err(QueryError::Namespace(value.to_owned())),
            Self::Selector(kind, Syntax::Label) => {
                selector_of(&mut query.selectors, kind).label = label_selector(name, value)?;
            }
            Self::Selector(kind, Syntax::Field) => {
                let field = field_selector(name, value, kind)?;
                selector_of(&mut query.selectors, kind).field = field;
            }
            Self::Attach => attach(value, &mut query.attach)?,
            Self::Service => query.service = Some(label_selector(name, value)?),
            Self::Port if value.is_empty() => return Err(QueryError::Port),
            Self::Port => {
                query.ports.insert(value.to_owned());
            }
            Self::Compat => query.compat = Some(value.parse::<Profile>()?),
            Self::Hold if value == "off" => query.hold = false,
            Self::Hold => return Err(QueryError::Hold(value.to_owned())),
        }
        Ok(())
    }
}

fn attach(value: &str, attach: &mut Attach) -> Result<(), QueryError> {
    let asked = match value {
        "node" => &mut attach.node,
        "namespace" => &mut attach.namespace,
        "deployment" => &mut attach.deployment,
        "job" => &mut attach.job,
        "cronjob" => &mut attach.cronjob,
        _ => return Err(QueryError::Attach(value.to_owned())),
    };
    *asked = true;
    Ok(())
}

/// Where the selector of that kind belongs.
fn selector_of(selectors: &mut Selectors, kind: Kind) -> &mut Selector {
    match kind {
        Kind::Pod => &mut selectors.pod,
        Kind::Service => &mut selectors.service,
        Kind::EndpointSlice => &mut selectors.endpointslice,
        Kind::Endpoints => &mut selectors.endpoints,
        Kind::Node => &mut selectors.node,
    }
}

fn label_selector(name: &str, value: &str) -> Result<LabelSelector, QueryError> {
    LabelSelector::parse(value)
        .map_err(|reason| QueryError::Selector { parameter: name.to_owned(), reason })
}

fn field_selector(name: &str, value: &str, kind: Kind) -> Result<FieldSelector, QueryError> {
    let selector = FieldSelector::parse(value)
        .map_err(|reason| QueryError::Selector { parameter: name.to_owned(), reason })?;
    let known = kind.fields();
    let unknown = selector.fields().find(|field| !known.contains(field));
    if let Some(field) = unknown {
        return Err(QueryError::UnknownField {
            parameter: name.to_owned(),
            field: field.to_owned(),
            known,
        });
    }
    Ok(selector)
}

/// RFC 1123, as the API server checks the names of namespaces.
fn is_dns_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_arrives() {
        let query = parse(
            "endpointslice",
            Some(
                "namespace=b&namespace=a&attach=node&attach=cronjob&port=web&port=m%2Fx&compat=3.5&hold=off",
            ),
            EndpointsFrom::default(),
        )
        .unwrap();
        assert_eq!(
            query,
            Query {
                namespaces: ["a".to_owned(), "b".to_owned()].into(),
                attach: Attach { node: true, cronjob: true, ..Attach::default() },
                ports: ["web".to_owned(), "m/x".to_owned()].into(),
                compat: Some(Profile::V3_5),
                hold: false,
                ..Query::all(Role::EndpointSlice)
            }
        );
        let from = EndpointsFrom::default();
        assert_eq!(parse("node", None, from).unwrap(), Query::all(Role::Node));
    }

    #[test]
    fn each_selector_goes_to_its_kind() {
        let query = parse(
            "endpoints",
            Some(
                "selector.endpoints.label=a&selector.service.label=b&selector.pod.field=status.podIP%3Dc",
            ),
            EndpointsFrom::Slices,
        )
        .unwrap();
        let label =
            |text| Selector { label: LabelSelector::parse(text).unwrap(), ..Selector::default() };
        let pod = Selector {
            field: FieldSelector::parse("status.podIP=c").unwrap(),
            ..Selector::default()
        };
        assert_eq!(
            query.selectors,
            Selectors { endpoints: label("a"), service: label("b"), pod, ..Selectors::default() }
        );
    }

    #[test]
    fn equal_questions_are_equal_values() {
        for (one, other) in [
            ("namespace=a&namespace=b", "namespace=b&namespace=a&namespace=b"),
            ("attach=node&port=x", "port=%78&attach=node"),
            ("", "&"),
        ] {
            let read = |query| parse("pod", Some(query), EndpointsFrom::Slices).unwrap();
            assert_eq!(read(one), read(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_role_may_be_a_parameter() {
        let from = EndpointsFrom::Slices;
        let read =
            |query, default| parse_with_role(query, default, from).map_err(|e| e.to_string());
        let parsed = parse("pod", Some("port=x"), from).unwrap();
        assert_eq!(read(Some("port=x&role=pod"), None), Ok(parsed));
        assert_eq!(read(None, Some(Role::Node)), Ok(Query::all(Role::Node)));
        for (query, part) in [
            (None, "no role"),
            (Some("role=pod&role=pod"), "more than once"),
            (Some("role=pods"), "unknown role"),
        ] {
            let error = read(query, None).unwrap_err();
            assert!(error.contains(part), "{query:?}: {error}");
        }
    }

    #[test]
    fn derived_slices_cannot_be_named() {
        let by_name = "selector.endpointslice.field=metadata.namespace=a,metadata.name!=b";
        let by_namespace = "selector.endpointslice.field=metadata.namespace=a";
        for (query, from, is_good) in [
            (by_name, EndpointsFrom::default(), false),
            (by_name, EndpointsFrom::Slices, true),
            (by_namespace, EndpointsFrom::default(), true),
        ] {
            let parsed = parse("endpointslice", Some(query), from);
            assert_eq!(parsed.is_ok(), is_good, "{query} {from:?}");
        }
    }

    #[test]
    fn names_of_namespaces() {
        for name in ["a", "0", "a-b", &"x".repeat(63)] {
            assert!(is_dns_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", "a b", "ä", &"x".repeat(64)] {
            assert!(!is_dns_label(name), "{name}");
        }
    }
}
