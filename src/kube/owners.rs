//! Reading the owners of own Pods: ReplicaSets and Jobs, by name, as metadata.
//!
//! Never a watch: a node has Pods of a few dozen owners, the cluster has thousands of ReplicaSets,
//! and the owner of an owner does not change. Each is read once; one that is absent, or could not
//! be read, is tried again.

use super::backoff::Backoff;
use super::decode::OBJECT_LIMIT;
use super::failure::Failure;
use super::pacer::Turn;
use super::reflector::{Context, advice, delay_after};
use super::request::{self, Chunks, Form};
use crate::index::{Change, OwnerKey, Snapshots};
use crate::objects::{Metadata, Owner, Resource, ResourceSet};
use crate::status::{Outcome, Phase, Verb};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, warn};

/// Reads what is missing of one resource, and again what was absent, until it is dropped.
pub(super) struct OwnerReader {
    resource: Resource,
    context: Context,
    snapshots: Arc<Snapshots>,
    backoff: Backoff,
    absent: BTreeMap<OwnerKey, Absent>,
}

/// An owner that was not there.
struct Absent {
    again_at: Instant,
    wait: Duration,
}

/// An absent owner may have been deleted with its Pod about to follow, or not have reached this
/// API server yet: soon at first, then rarely.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const MOST_WAIT: Duration = Duration::from_secs(30 * 60);

impl OwnerReader {
    /// For [`Resource::ReplicaSets`] or [`Resource::Jobs`].
    pub(super) fn new(resource: Resource, context: Context, snapshots: Arc<Snapshots>) -> Self {
        Self {
            resource,
            context,
            snapshots,
            backoff: Backoff::default(),
            absent: BTreeMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let of_ours = ResourceSet::EMPTY.with(self.resource);
        let mut versions = self.snapshots.subscribe();
        loop {
            let entry = self.context.board.of(self.resource);
            let snapshot = {
                versions.borrow_and_update();
                self.snapshots.load()
            };
            self.absent
                .retain(|key, _| snapshot.owners.contains_key(key));
            let unread = snapshot.unread_owners(of_ours).next();
            let due = self
                .absent
                .iter()
                .find(|(_, absent)| absent.again_at <= Instant::now());
            if let Some(key) = unread.or_else(|| due.map(|(key, _)| key.clone())) {
                if let Some(answer) = self.read(&key).await {
                    self.context.tell(Change::Owner(key.clone(), answer)).await;
                    // Until the index has it, or the Pod is gone: else it would be read again.
                    while self
                        .snapshots
                        .load()
                        .unread_owners(of_ours)
                        .any(|other| other == key)
                        && versions.changed().await.is_ok()
                    {}
                }
                continue;
            }
            if snapshot.synced.contains(Resource::Pods) && !snapshot.synced.contains(self.resource)
            {
                self.context.tell(Change::OwnersRead(self.resource)).await;
            }
            entry.set_phase(Phase::Watching);
            let next = self.absent.values().map(|absent| absent.again_at).min();
            tokio::select! {
                changed = versions.changed() => if changed.is_err() { return },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// Reads an owner: its controller, or that it has none or is absent. `None` if that could not
    /// be found out; then the delay before the next try is over.
    async fn read(&mut self, key: &OwnerKey) -> Option<Option<Owner>> {
        let context = &self.context;
        let entry = context.board.of(self.resource);
        entry.set_phase(Phase::Listing);
        context.pacer.wait(Turn::Extra).await;
        match self.fetch(key).await {
            Ok(metadata) => {
                entry.count_request(Verb::Get, Outcome::Ok);
                entry.heard(""); // single objects have no version to resume from
                self.backoff.calm();
                // An owner of the same name with another uid is not the Pod's owner, but what
                // Prometheus would find; so its controller counts.
                self.absent.remove(key);
                Some(metadata.controller)
            }
            Err(Failure::Status { code: 404, .. }) => {
                entry.count_request(Verb::Get, Outcome::NotFound);
                entry.heard("");
                let wait = self
                    .absent
                    .get(key)
                    .map_or(FIRST_WAIT, |last| last.wait * 2);
                let wait = wait.min(MOST_WAIT);
                debug!(owner = %key, ?wait, "an owner is absent");
                let absent = Absent {
                    again_at: Instant::now() + wait,
                    wait,
                };
                self.absent.insert(key.clone(), absent);
                Some(None)
            }
            Err(failure) => {
                entry.count_request(Verb::Get, failure.outcome());
                context.pacer.failed();
                entry.set_phase(Phase::Waiting);
                let advice = advice(&failure, &["get"], self.resource.name(), self.group());
                let message = format!("get {key}: {failure}{advice}");
                if entry.set_trouble(&message) {
                    warn!("{message}");
                }
                let delay = delay_after(&failure, &mut self.backoff, &context.timing);
                sleep(delay).await;
                None
            }
        }
    }

    async fn fetch(&self, key: &OwnerKey) -> Result<Metadata, Failure> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
        }
        let Context { client, timing, .. } = &self.context;
        let (group, resource) = (self.group(), self.resource);
        let (namespace, name) = (key.namespace(), key.name());
        let uri = format!("/apis/{group}/v1/namespaces/{namespace}/{resource}/{name}");
        let until = Instant::now() + timing.page;
        let request = request::get(&uri, Form::Metadata, true)?;
        let body = request::send(client, request, timing.headers).await?;
        let mut chunks = Chunks::new(body, timing.body_silence, until);
        let mut text = Vec::new();
        while let Some(chunk) = chunks.next().await? {
            text.extend_from_slice(&chunk);
            if text.len() > OBJECT_LIMIT {
                return Err(Failure::Garbled("the object is too large".to_owned()));
            }
        }
        serde_json::from_slice(&text)
            .map(|object: Object| object.metadata)
            .map_err(|error| Failure::Garbled(error.to_string()))
    }

    /// Of the versions in which Prometheus looks them up, whatever the reference says.
    fn group(&self) -> &'static str {
        if self.resource == Resource::Jobs {
            "batch"
        } else {
            "apps"
        }
    }
}
