//! Reading one Pod that is not on this node, for somebody who wonders where it is.
//!
//! Anybody who reaches the debug pages can ask, so it is bounded: one read at a time, then a pause; each is remembered
//! for a while; and none takes from the budget what the watches may need.

use super::decode::OBJECT_LIMIT;
use super::failure::Failure;
use super::impersonation::Impersonation;
use super::pacer::Turn;
use super::reflector::{Context, advice};
use super::request::{self, Chunks, Form};
use crate::explain::Elsewhere;
use crate::objects::{ObjectKey, Pod, Resource};
use crate::status::{Outcome, Verb};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// Asks where Pods are. Each answer comes within the deadlines of one request.
#[derive(Clone, Debug)]
pub struct Lookups(mpsc::Sender<Asked>);

/// The other end of [`Lookups`].
#[derive(Debug)]
pub struct LookupQueue(mpsc::Receiver<Asked>);

type Asked = (ObjectKey, oneshot::Sender<Elsewhere>);

/// Between two reads.
const PAUSE: Duration = Duration::from_secs(2);

/// For how long an answer is good.
const REMEMBERED: Duration = Duration::from_secs(30);

/// How many may wait. More are told to come back.
const WAITING: usize = 8;

// === impl Lookups ===

impl Lookups {
    /// Both ends.
    pub fn new() -> (Self, LookupQueue) {
        let (ask, asked) = mpsc::channel(WAITING);
        (Self(ask), LookupQueue(asked))
    }

    /// Where that Pod is, as far as it can be found out.
    pub async fn find(&self, pod: &ObjectKey) -> Elsewhere {
        let (tell, told) = oneshot::channel();
        match self.0.try_send((pod.clone(), tell)) {
            Ok(()) => told.await.unwrap_or_else(|_| ending()),
            Err(TrySendError::Full(_)) => busy(),
            Err(TrySendError::Closed(_)) => ending(),
        }
    }
}

fn busy() -> Elsewhere {
    Elsewhere::Failed(format!(
        "many ask, and Pods of other nodes are read once in {} s at most: ask again later",
        PAUSE.as_secs()
    ))
}

/// As when requests fail, and the watches try again and again.
fn spent() -> Elsewhere {
    let why = "the requests that may be made now are left to the watches: ask again in a minute";
    Elsewhere::Failed(why.to_owned())
}

fn ending() -> Elsewhere {
    Elsewhere::Failed("the sidecar is about to end".to_owned())
}

// === impl LookupQueue ===

impl LookupQueue {
    /// Answers until nobody can ask any more.
    pub(super) async fn answer(mut self, context: Context) {
        let mut known: BTreeMap<ObjectKey, (Instant, Elsewhere)> = BTreeMap::new();
        let mut last_read: Option<Instant> = None;
        while let Some((pod, tell)) = self.0.recv().await {
            known.retain(|_, (at, _)| at.elapsed() < REMEMBERED);
            if let Some(last) = last_read.filter(|_| !known.contains_key(&pod)) {
                sleep_until(last + PAUSE).await;
            }
            if tell.is_closed() {
                continue; // nobody waits any more
            }
            let now = Instant::now();
            let answer = if let Some((_, answer)) = known.get(&pod) {
                answer.clone()
            } else if context.impersonation == Impersonation::On {
                Elsewhere::OwnPodsOnly // the account is not meant to have the right
            } else if !context.pacer.try_now(Turn::Lookup) {
                spent()
            } else {
                last_read = Some(now);
                let answer = read(&context, &pod).await;
                known.insert(pod, (now, answer.clone()));
                answer
            };
            let _ = tell.send(answer); // as above
        }
    }
}

async fn read(context: &Context, key: &ObjectKey) -> Elsewhere {
    let entry = context.board.of(Resource::Pods);
    let failure = match fetch(context, key).await {
        Ok(found) => {
            entry.count_request(Verb::List, Outcome::Ok);
            return match found {
                None => Elsewhere::Absent,
                Some(pod) if pod.node_name.is_empty() => Elsewhere::Unscheduled,
                Some(pod) => Elsewhere::On(pod.node_name.into()),
            };
        }
        Err(failure) => failure,
    };
    entry.count_request(Verb::List, failure.outcome());
    let advice = advice(&failure, &["list"], "pods", "");
    if failure.is_refusal() {
        // Own Pods are read as the node, and the account itself has no right to any.
        if entry.view().impersonating == Some(true) {
            return Elsewhere::OwnPodsOnly;
        }
        return Elsewhere::Refused(format!("{failure}{advice}"));
    }
    context.pacer.failed();
    Elsewhere::Failed(failure.to_string())
}

/// Lists by name rather than reads, because that is the right that there is; from the server's cache.
async fn fetch(context: &Context, key: &ObjectKey) -> Result<Option<Pod>, Failure> {
    #[derive(Deserialize)]
    struct List {
        items: Option<Vec<Pod>>,
    }
    let Context { client, timing, .. } = context;
    let ObjectKey { namespace, name } = key;
    let cached = "resourceVersion=0&resourceVersionMatch=NotOlderThan";
    let uri = format!(
        "/api/v1/namespaces/{namespace}/pods?fieldSelector=metadata.name%3D{name}&{cached}"
    );
    let until = Instant::now() + timing.page;
    let request = request::get(&uri, Form::Full, true)?;
    let body = request::send(client, request, timing.headers).await?.into_body();
    let text = Chunks::new(body, timing.body_silence, until).all(OBJECT_LIMIT).await?;
    let list: List =
        serde_json::from_slice(&text).map_err(|error| Failure::Garbled(error.to_string()))?;
    Ok(list.items.unwrap_or_default().into_iter().next())
}
