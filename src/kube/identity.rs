//! Which cluster this is: what a saved state must be of.
//!
//! A sidecar of a node asks for the uid of its Node. That tells clusters apart, too: a Node of the same name in
//! another cluster has another uid. The uid of the namespace `kube-system`, which is the usual answer, is a right
//! that we may lack, and would not tell that the Node was replaced. The complement has no Node, but reads all
//! Services: it asks for the uid of `default/kubernetes`, which the API server itself makes. Both are lists with
//! one name selected, as metadata: the same right as for the watch, and answered without a search.

use super::backoff::Backoff;
use super::decode::OBJECT_LIMIT;
use super::failure::Failure;
use super::impersonation::Caller;
use super::pacer::Turn;
use super::reflector::{Context, advice, delay_after};
use super::request::{self, Chunks, Form};
use crate::objects::Resource;
use crate::status::{Outcome, Phase, Verb};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// Finds it out, however long that takes. `None` if the API server answers, and it cannot be known.
pub(super) async fn find(context: &Context) -> Option<String> {
    let (resource, uri) = asked(context);
    let entry = context.board.of(resource);
    let mut backoff = Backoff::default();
    let mut caller = Caller::new(context.impersonation, context.share.node());
    loop {
        context.pacer.wait(Turn::Pods).await; // own Pods may wait for it
        let read = read(context, &uri, &caller).await;
        let outcome = read.as_ref().map_or_else(Failure::outcome, |_| Outcome::Ok);
        entry.count_request(Verb::List, outcome);
        let failure = match read {
            Ok(uid) => {
                entry.clear_trouble();
                return uid;
            }
            Err(failure) => failure,
        };
        let other_way = caller.tries_other_way(&failure);
        caller.failed(&failure);
        if other_way {
            continue;
        }
        context.pacer.failed();
        let advice = advice(&failure, &["list", "watch"], resource.name(), "");
        let message =
            format!("list {resource} for the identity of {}: {failure}{advice}", context.share);
        if failure.needs_help() {
            warn!("{message}; without it no state is kept");
            entry.clear_trouble();
            return None;
        }
        entry.set_phase(Phase::Waiting);
        if entry.set_trouble(&message) {
            warn!("{message}");
        }
        sleep(delay_after(&failure, &mut backoff, &context.timing)).await;
    }
}

fn asked(context: &Context) -> (Resource, String) {
    match context.node() {
        Some(node) => {
            let cached = "resourceVersion=0&resourceVersionMatch=NotOlderThan";
            let uri = format!("/api/v1/nodes?fieldSelector=metadata.name%3D{node}&{cached}");
            (Resource::Nodes, uri)
        }
        None => {
            let uri =
                "/api/v1/namespaces/default/services?fieldSelector=metadata.name%3Dkubernetes";
            (Resource::Services, uri.to_owned())
        }
    }
}

async fn read(context: &Context, uri: &str, caller: &Caller) -> Result<Option<String>, Failure> {
    #[derive(Deserialize)]
    struct List {
        items: Option<Vec<Item>>,
    }
    #[derive(Deserialize)]
    struct Item {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        uid: String,
    }
    let Context { client, timing, .. } = context;
    let until = Instant::now() + timing.page;
    let request = caller.asks(request::get(uri, Form::MetadataList, true)?);
    let body = request::send(client, request, timing.headers).await?.into_body();
    let text = Chunks::new(body, timing.body_silence, until).all(OBJECT_LIMIT).await?;
    let list: List =
        serde_json::from_slice(&text).map_err(|error| Failure::Garbled(error.to_string()))?;
    let first = list.items.unwrap_or_default().into_iter().next();
    Ok(first.map(|item| item.metadata.uid).filter(|uid| !uid.is_empty()))
}
