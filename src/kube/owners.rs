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
use crate::index::{Change, OwnerKey, Snapshot, Snapshots};
use crate::objects::{Metadata, Owner, Resource, ResourceSet};
use crate::status::{Outcome, Phase, Verb};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
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
    /// What was absent or could not be read, and when it is tried again. One that fails must not
    /// hold up the others: rights may differ from namespace to namespace.
    later: BTreeMap<OwnerKey, Later>,
}

struct Later {
    again_at: Instant,
    /// How long that was for an absent one, which the index then knows to be absent.
    absent_for: Option<Duration>,
}

/// An absent owner may have been deleted with its Pod about to follow, or not have reached this
/// API server yet: soon at first, then rarely.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const MOST_WAIT: Duration = Duration::from_secs(30 * 60);

// === impl Later ===

impl Later {
    /// Whether the index has forgotten that the owner is absent, because its last Pod was gone for
    /// a moment.
    fn is_forgotten(&self, key: &OwnerKey, snapshot: &Snapshot) -> bool {
        self.absent_for.is_some() && !snapshot.owners.contains_key(key)
    }
}

// === impl OwnerReader ===

impl OwnerReader {
    /// For [`Resource::ReplicaSets`] or [`Resource::Jobs`].
    pub(super) fn new(resource: Resource, context: Context, snapshots: Arc<Snapshots>) -> Self {
        Self { resource, context, snapshots, backoff: Backoff::default(), later: BTreeMap::new() }
    }

    pub(super) async fn run(mut self) {
        let ours = ResourceSet::EMPTY.with(self.resource);
        let mut versions = self.snapshots.subscribe();
        loop {
            versions.borrow_and_update();
            let snapshot = self.snapshots.load();
            if let Some(key) = self.next(&snapshot, ours) {
                if let Some(answer) = self.read(&key).await {
                    self.context.tell(Change::Owner(key.clone(), answer)).await;
                    // Until the index has it, or the Pod is gone: else it would be read again.
                    while self.snapshots.load().unread_owners(ours).any(|other| other == key)
                        && versions.changed().await.is_ok()
                    {}
                }
                continue;
            }
            if snapshot.synced.contains(Resource::Pods)
                && !snapshot.synced.contains(self.resource)
                && snapshot.unread_owners(ours).next().is_none()
            {
                self.context.tell(Change::Synced(self.resource)).await;
            }
            let entry = self.context.board.of(self.resource);
            entry.set_phase(Phase::Watching);
            if self.later.values().all(|later| later.absent_for.is_some()) {
                entry.clear_trouble(); // what could not be read is read, or its Pod is gone
            }
            let next = self.later.values().map(|later| later.again_at).min();
            tokio::select! {
                changed = versions.changed() => if changed.is_err() { return },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// The owner that is to be read now: one that was never read, or one whose time has come.
    fn next(&mut self, snapshot: &Snapshot, ours: ResourceSet) -> Option<OwnerKey> {
        let known: BTreeSet<OwnerKey> = snapshot.owner_keys(ours).collect();
        self.later.retain(|key, _| known.contains(key)); // or it would grow for ever
        let now = Instant::now();
        let due = |key: &OwnerKey| match self.later.get(key) {
            Some(later) => later.again_at <= now || later.is_forgotten(key, snapshot),
            None => !snapshot.owners.contains_key(key),
        };
        known.iter().find(|key| due(key)).cloned()
    }

    /// Reads an owner: its controller, or that it has none or is absent. `None` if that could not
    /// be found out.
    async fn read(&mut self, key: &OwnerKey) -> Option<Option<Owner>> {
        let context = &self.context;
        let entry = context.board.of(self.resource);
        entry.set_phase(Phase::Listing);
        context.pacer.wait(Turn::Extra).await;
        let failure = match self.fetch(key).await {
            Ok(metadata) => {
                entry.count_request(Verb::Get, Outcome::Ok);
                entry.heard(""); // single objects have no version to resume from
                self.backoff.calm();
                self.later.remove(key);
                // An owner of the same name with another uid is not the Pod's owner, but what
                // Prometheus would find; so its controller counts.
                return Some(metadata.controller);
            }
            Err(failure) => failure,
        };
        entry.count_request(Verb::Get, failure.outcome());
        if failure.is_absence() {
            entry.heard("");
            let last = self.later.get(key).and_then(|later| later.absent_for);
            let wait = last.map_or(FIRST_WAIT, |last| (last * 2).min(MOST_WAIT));
            debug!(owner = %key, ?wait, "an owner is absent");
            let later = Later { again_at: Instant::now() + wait, absent_for: Some(wait) };
            self.later.insert(key.clone(), later);
            return Some(None);
        }
        context.pacer.failed();
        entry.set_phase(Phase::Waiting);
        let advice = advice(&failure, &["get"], self.resource.name(), self.group());
        let message = format!("get {key}: {failure}{advice}");
        if entry.set_trouble(&message) {
            warn!("{message}");
        }
        let delay = delay_after(&failure, &mut self.backoff, &context.timing);
        let later = Later { again_at: Instant::now() + delay, absent_for: None };
        self.later.insert(key.clone(), later);
        if !failure.needs_help() {
            sleep(delay).await; // the server is in trouble, not this one owner
        }
        // At first the answers wait for it. Later ones must not, each time: they go without.
        self.snapshots.load().synced.contains(self.resource).then_some(None)
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
        let body = request::send(client, request, timing.headers).await?.into_body();
        let text = Chunks::new(body, timing.body_silence, until).all(OBJECT_LIMIT).await?;
        serde_json::from_slice(&text)
            .map(|object: Object| object.metadata)
            .map_err(|error| Failure::Garbled(error.to_string()))
    }

    /// Of the versions in which Prometheus looks them up, whatever the reference says.
    fn group(&self) -> &'static str {
        if self.resource == Resource::Jobs { "batch" } else { "apps" }
    }
}
