//! The http_sd listener: `/sd/{role}`, the debug pages, and a page that says what there is.

use super::app::App;
use super::caller::{header, refuse_query};
use super::host::means_us;
use super::response::{self, Answer};
use super::serve::Routes;
use super::{debug, debug_agent, debug_changes, explain, pages, site};
use crate::sd::{self, Question};
use http::header::{CACHE_CONTROL, HOST, HeaderMap, HeaderValue, IF_NONE_MATCH, USER_AGENT, VARY};
use http::request::Parts;
use http::{StatusCode, Version};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Serves targets. For loopback: targets carry the annotations of Pods.
#[derive(Debug)]
pub struct HttpSd(pub Arc<App>);

/// The longest path and query. A query that names 500 namespaces has about 12 KiB.
const URL: usize = 32 * 1024;

const INDEX: &str = "\
/sd/pod             targets of role pod
/sd/endpointslice   targets of role endpointslice
/sd/endpoints       targets of role endpoints
/sd/node            targets of role node
  with namespace=, selector.ROLE.label=, selector.ROLE.field=, attach=, service=, port=, compat=, hold=

/debug/targets?role=ROLE      the same, with the objects that each target came from
/debug/unassigned             endpoints that belong to no node, of role endpointslice or of role=endpoints
/debug/explain?pod=NS/NAME    why a Pod is, or is not, a target; with job=NAME, or query=, or role=ROLE and what goes with it
/debug/watches                what is watched, and how it is doing
/debug/jobs                   what became of the jobs of the agent's configuration
/debug/changes                what came lately, and what it did to targets
/debug/config                 the agent's configuration, without secrets
";

// === impl HttpSd ===

impl Routes for HttpSd {
    async fn answer(&self, request: Parts, local: SocketAddr) -> Answer {
        let mut answer = self.route(&request, local).await;
        site::keep_from_others(&mut answer);
        if is_for_people(request.uri.path()) {
            // A browser gets something else there, and neither of the two is kept: it can say what only who
            // reaches this listener may know.
            answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
            answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        answer
    }

    fn connections(&self, open: usize) {
        self.0.connections.store(open as u64, Ordering::Relaxed);
    }
}

impl HttpSd {
    async fn route(&self, request: &Parts, local: SocketAddr) -> Answer {
        if let Some(refusal) = refuse_host(request, local) {
            return refusal;
        }
        let target = request.uri.path_and_query().map_or("", |target| target.as_str());
        if target.len() > URL {
            return response::text(
                StatusCode::URI_TOO_LONG,
                format!("the URL has {} bytes: {URL} are the most", target.len()),
            );
        }
        if let Some(refusal) = response::refuse_other_methods(&request.method) {
            return refusal;
        }
        if site::is_of_another(&request.headers, request.uri.path()) {
            let reason =
                "a page of another site asks: copy this address into the browser's address bar";
            return response::text(StatusCode::FORBIDDEN, reason);
        }
        let page = pages::page(&self.0, request).await;
        if let Some(answer) = page.or_else(|| pages::asset(request.uri.path())) {
            return answer;
        }
        self.data(request).await
    }

    /// What is there for programs.
    async fn data(&self, request: &Parts) -> Answer {
        let query = request.uri.query();
        match request.uri.path() {
            "/" => {
                let share = &self.0.snapshots.load().share;
                let text = format!(
                    "nodelocal-sd: the Prometheus targets of {share}\n\n{}",
                    INDEX.trim_end()
                );
                response::text(StatusCode::OK, text)
            }
            "/debug/targets" => debug::targets(&self.0, query, &request.headers).await,
            "/debug/unassigned" => debug::unassigned(&self.0, query, &request.headers).await,
            "/debug/explain" => explain::json(&self.0, query, &request.headers).await,
            "/debug/watches" => debug::watches(&self.0),
            "/debug/jobs" => debug_agent::jobs(&self.0),
            "/debug/changes" => debug_changes::changes(&self.0),
            "/debug/config" => debug_agent::config(&self.0),
            path => match path.strip_prefix("/sd/") {
                Some(role) => self.targets(role, request).await,
                None => response::text(
                    StatusCode::NOT_FOUND,
                    format!("{path} is not served: / lists what is"),
                ),
            },
        }
    }

    async fn targets(&self, role: &str, request: &Parts) -> Answer {
        let endpoints_from = self.0.snapshots.load().endpoints_from;
        let answer = match sd::parse(role, request.uri.query(), endpoints_from) {
            Ok(query) => {
                let profile = self.0.compat.profile(&query, header(&request.headers, USER_AGENT));
                let may_hold = query.hold;
                let question = Question::new(query, profile);
                match self.0.long_poll.answer(request, question, may_hold).await {
                    Ok(rendered) => deliver(&rendered, &request.headers),
                    Err(not_synced) => response::not_ready(not_synced.to_string()),
                }
            }
            Err(error) => refuse_query(&error),
        };
        self.0.count_query(role, answer.status().as_u16());
        answer
    }
}

fn deliver(rendered: &sd::Rendered, headers: &HeaderMap) -> Answer {
    let mut answer = response::json(rendered.body.clone());
    response::unless_known(&mut answer, &rendered.tag.to_string(), header(headers, IF_NONE_MATCH));
    answer
}

/// Whether there is a page at that path, or could be.
fn is_for_people(path: &str) -> bool {
    path == "/" || path.starts_with("/debug/")
}

fn refuse_host(request: &Parts, local: SocketAddr) -> Option<Answer> {
    let bad = |reason: &str| Some(response::text(StatusCode::BAD_REQUEST, reason));
    let mut hosts = request.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return bad("the request has more than one Host header");
    }
    // A request line with a full URL overrides the header.
    let host = match request.uri.authority() {
        Some(authority) => authority.as_str(),
        None => match host {
            Some(host) => host.to_str().unwrap_or("?"),
            None if request.version < Version::HTTP_11 => return None, // had no such header yet
            None => return bad("the request has no Host header"),
        },
    };
    (!means_us(host, local)).then(|| {
        let host = host.escape_debug();
        let reason = format!("host {host} is not this listener: use localhost or its address");
        response::text(StatusCode::MISDIRECTED_REQUEST, reason)
    })
}
