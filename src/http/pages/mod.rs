//! The debug pages, for browsers: the same as the JSON at the same addresses, for people.
//!
//! Rendered here, so they work without a script; the one script there is asks for the page again every two
//! seconds while somebody looks, and changes what has changed. Nothing is kept for them.
//!
//! Whatever comes from a cluster is text: [`html::Html`] has no other way in for it.

mod assets;
mod changes;
mod config;
mod explain;
mod html;
mod jobs;
mod layout;
mod negotiation;
mod overview;
mod parts;
mod question;
mod reasons;
mod target_list;
mod targets;
mod watches;

pub(super) use assets::asset;

use super::app::App;
use super::caller::header;
use super::response::Answer;
use http::header::{ACCEPT, IF_NONE_MATCH};
use http::request::Parts;

/// The page of that request, if it is a browser's and there is one.
pub(super) async fn page(app: &App, request: &Parts) -> Option<Answer> {
    if !negotiation::prefers_page(header(&request.headers, ACCEPT)) {
        return None;
    }
    let (query, headers) = (request.uri.query(), &request.headers);
    let page = match request.uri.path() {
        "/" => overview::overview(app),
        "/debug/targets" => targets::targets(app, query, headers).await,
        "/debug/unassigned" => targets::unassigned(app, query, headers).await,
        "/debug/explain" => explain::explain(app, query, headers).await,
        "/debug/watches" => watches::watches(app),
        "/debug/jobs" => jobs::jobs(app, query),
        "/debug/changes" => changes::changes(app, query),
        "/debug/config" => config::config(app),
        _ => return None,
    };
    Some(page.answer(app, header(headers, IF_NONE_MATCH)))
}
