//! What is asked, from the text of a question: `pod=NAMESPACE/NAME`, and perhaps a query or a job.

use super::known::{Asking, Question};
use crate::index::EndpointsFrom;
use crate::objects::{ObjectKey, is_dns_subdomain};
use crate::sd::{self, QueryError};
use crate::targets::{Profile, Query, Role};

/// A Pod, and what it should be a target of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The Pod. Namespace and name are such as Kubernetes allows, so that they can stand in a URL.
    pub pod: ObjectKey,
    /// Of what.
    pub about: About,
}

/// What a Pod should be a target of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Of anything: role pod and role endpointslice, for a person who does not know roles.
    Anything,
    /// Of that query: its text as a path, and what it means.
    Query(String, Box<Query>),
    /// Of that job of the agent's configuration.
    Job(String),
}

/// Why a question about a Pod cannot be answered. The text is for who asked it.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// No Pod.
    #[error("no Pod is given: add pod=NAMESPACE/NAME")]
    NoPod,
    /// Not the name of one.
    #[error("{0:?} is not NAMESPACE/POD, as in shop/web-1")]
    Pod(String),
    /// More than one of what there may be one of.
    #[error("{0} is given more than once: give it once")]
    Repeated(&'static str),
    /// A job and a query.
    #[error("a job has queries of its own: give either a job or a query")]
    JobAndQuery,
    /// A parameter beside a whole query, of which it may have been meant to be a part.
    #[error(
        "the parameter {0} stands beside query=, which has parameters of its own: percent-encode the query \
         (`&` is %26), as curl -G --data-urlencode does"
    )]
    BesideQuery(String),
    /// A parameter that neither this question nor a query has.
    #[error(
        "the parameter {0} is unknown: use pod, and one of job, query, or role with the parameters of a query"
    )]
    Unknown(String),
    /// Role node.
    #[error("role node discovers the Node, and no Pods: use pod, endpointslice or endpoints")]
    RoleNode,
    /// Not a query.
    #[error("query {0:?}: {1}")]
    Query(String, #[source] QueryError),
}

// === impl Asked ===

impl Asked {
    /// Reads `pod=NAMESPACE/NAME`, and at most one of `job=NAME`, `query=/sd/ROLE?…` and `role=ROLE` with the
    /// parameters of the role.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn parse(text: Option<&str>, endpoints_from: EndpointsFrom) -> Result<Self, AskedError> {
        let (mut pod, mut job, mut query) = (None, None, None);
        let mut others = Vec::new();
        for part in text.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = form_urlencoded::parse(part.as_bytes()).next().unwrap_or_default();
            let (known, name) = match &*name {
                "pod" => (&mut pod, "pod"),
                "job" => (&mut job, "job"),
                "query" => (&mut query, "query"),
                _ => {
                    others.push(part);
                    continue;
                }
            };
            if known.replace(value.into_owned()).is_some() {
                return Err(AskedError::Repeated(name));
            }
        }
        let pod = pod_named(&pod.ok_or(AskedError::NoPod)?)?;
        if let Some(unknown) = others.iter().find_map(|part| unknown(part)) {
            return Err(AskedError::Unknown(unknown));
        }
        let about = match (job, query, &*others) {
            (None, None, []) => About::Anything,
            (Some(job), None, []) => About::Job(job),
            (None, Some(query), []) => query_of(&query, endpoints_from)?,
            (None, None, others) => {
                let (roles, others): (Vec<&str>, Vec<&str>) =
                    others.iter().partition(|part| part.starts_with("role="));
                let role = match &*roles {
                    [role] => &role["role=".len()..],
                    [] => return Err(AskedError::Query(others.join("&"), QueryError::NoRole)),
                    _ => return Err(AskedError::Repeated("role")),
                };
                query_of(&format!("{role}?{}", others.join("&")), endpoints_from)?
            }
            (None, Some(_), [beside, ..]) => return Err(AskedError::BesideQuery(name_of(beside))),
            (Some(_), ..) => return Err(AskedError::JobAndQuery),
        };
        Ok(Self { pod, about })
    }

    /// What is asked of this sidecar, if that does not depend on a configuration.
    pub fn asking<'a>(&self, profile: impl Fn(&Query) -> Profile) -> Option<Asking<'a>> {
        let question = |text: &str, query: &Query| Question {
            text: text.to_owned(),
            query: query.clone(),
            profile: profile(query),
        };
        let (about, questions) = match &self.about {
            About::Anything => {
                let roles = [Role::Pod, Role::EndpointSlice];
                let all = |role: Role| question(&format!("/sd/{}", role.name()), &Query::all(role));
                (
                    "role pod and role endpointslice, with nothing selected".to_owned(),
                    roles.map(all).to_vec(),
                )
            }
            About::Query(text, query) => (format!("the query {text}"), vec![question(text, query)]),
            About::Job(_) => return None,
        };
        Some(Asking { about, steps: Vec::new(), questions, job: None })
    }
}

/// The name of the parameter, if no query has one of that name.
fn unknown(part: &str) -> Option<String> {
    let name = name_of(part);
    (name != "role" && !sd::is_parameter(&name)).then_some(name)
}

fn name_of(part: &str) -> String {
    let pair = form_urlencoded::parse(part.as_bytes()).next();
    pair.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn pod_named(text: &str) -> Result<ObjectKey, AskedError> {
    text.split_once('/')
        .filter(|(namespace, name)| is_dns_subdomain(namespace) && is_dns_subdomain(name))
        .map(|(namespace, name)| ObjectKey::new(namespace, name))
        .ok_or_else(|| AskedError::Pod(text.to_owned()))
}

/// A role and its parameters, alone or as part of a URL.
fn query_of(text: &str, endpoints_from: EndpointsFrom) -> Result<About, AskedError> {
    let asked = text.split_once("/sd/").map_or(text, |(_, asked)| asked).trim_end_matches('?');
    let (role, query) = asked.split_once('?').map_or((asked, None), |(role, q)| (role, Some(q)));
    let parsed = sd::parse(role, query, endpoints_from)
        .map_err(|error| AskedError::Query(asked.to_owned(), error))?;
    if !parsed.role.finds_pods() {
        return Err(AskedError::RoleNode);
    }
    Ok(About::Query(format!("/sd/{asked}"), Box::new(parsed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Asked, String> {
        Asked::parse(Some(text), EndpointsFrom::Slices).map_err(|error| error.to_string())
    }

    #[test]
    fn ways_to_ask() {
        for (text, expected) in [
            ("pod=shop/web-1", "anything"),
            ("pod=shop%2Fweb-1&job=a%20b", "job a b"),
            ("pod=shop/web-1&role=pod", "/sd/pod"),
            ("role=pod&namespace=shop&pod=shop/web-1&port=a", "/sd/pod?namespace=shop&port=a"),
            (
                "pod=shop/web-1&query=/sd/pod%3Fnamespace=shop%26port=a",
                "/sd/pod?namespace=shop&port=a",
            ),
            ("pod=shop/web-1&query=http://127.0.0.1:9911/sd/endpoints", "/sd/endpoints"),
            ("pod=shop/web-1&query=endpoints", "/sd/endpoints"),
        ] {
            let asked = parse(text).unwrap();
            assert_eq!(asked.pod, ObjectKey::new("shop", "web-1"));
            let about = match asked.about {
                About::Anything => "anything".to_owned(),
                About::Query(text, _) => text,
                About::Job(name) => format!("job {name}"),
            };
            assert_eq!(about, expected, "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, expected) in [
            ("", "no Pod is given"),
            ("role=pod", "no Pod is given"),
            ("pod=web-1", "is not NAMESPACE/POD"),
            ("pod=shop/web/1", "is not NAMESPACE/POD"),
            ("pod=shop/..%2Fnodes", "is not NAMESPACE/POD"),
            ("pod=Shop/web", "is not NAMESPACE/POD"),
            ("pod=a/b&pod=a/c", "pod is given more than once"),
            ("pod=a/b&job=x&role=pod", "give either a job or a query"),
            ("pod=a/b&job=x&query=pod", "give either a job or a query"),
            ("pod=a/b&query=/sd/pod?namespace=a&port=b", "the parameter port stands beside query="),
            ("pod=a/b&foo=pod", "the parameter foo is unknown"),
            ("pod=a/b&role=pod&foo=1", "the parameter foo is unknown"),
            ("pod=a/b&query=pod&foo=1", "the parameter foo is unknown"),
            ("pod=a/b&job=x&foo=1", "the parameter foo is unknown"),
            ("pod=a/b&namespace=a", "no role is given"),
            ("pod=a/b&role=pod&role=pod", "role is given more than once"),
            ("pod=a/b&role=node", "role node discovers the Node"),
            ("pod=a/b&query=service", "not local to a node"),
            ("pod=a/b&query=pod?nodes=1", "unknown parameter"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
