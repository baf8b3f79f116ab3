//! Writes the history: notes what comes before the index takes it, and what became of it once it is published.

use super::History;
use super::difference::difference;
use super::entry::{Entry, Event, Few, What};
use crate::index::{Arrival, Change, Snapshot, Update, Witness};
use crate::objects::{ObjectKey, Resource, Stored};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// Whoever publishes tells it.
#[derive(Debug)]
pub struct Recorder {
    history: Arc<History>,
    /// When the first change since the last snapshot came.
    since: Option<Instant>,
    /// What these changes were.
    events: Few<Event>,
}

// === impl Recorder ===

impl Recorder {
    /// Writes into that history.
    pub fn new(history: Arc<History>) -> Self {
        Self { history, since: None, events: Few::default() }
    }
}

impl Witness for Recorder {
    fn came(&mut self, arrival: &Arrival, before: &Snapshot) {
        self.since.get_or_insert(arrival.at);
        self.events.extend(event(&arrival.change, before));
    }

    fn nothing_changed(&mut self) {
        (self.since, self.events) = Default::default();
    }

    fn published(&mut self, before: &Snapshot, after: &Snapshot, at: Instant) {
        let since = self.since.take().unwrap_or(at);
        self.history.record(Entry {
            version: after.version,
            at: SystemTime::now(),
            took: at.duration_since(since),
            events: std::mem::take(&mut self.events),
            effects: difference(before, after),
        });
    }
}

/// What a person is to know of a change; `None` for what is about watches rather than objects.
fn event(change: &Change, before: &Snapshot) -> Option<Event> {
    use Resource::{EndpointSlices, Endpoints, Namespaces, Nodes, Pods, Services};
    let has = |resource, key: &ObjectKey| knows(before, resource, key);
    let event = match change {
        Change::Pods(told) => of(Pods, told, has),
        Change::Nodes(told) => of(Nodes, told, has),
        Change::Services(told) => of(Services, told, has),
        Change::EndpointSlices(told) => of(EndpointSlices, told, has),
        Change::Endpoints(told) => of(Endpoints, told, has),
        Change::Namespaces(told) => of(Namespaces, told, has),
        Change::Owner(key, _) => {
            let what = What::Read(ObjectKey::new(key.namespace(), key.name()));
            Event { resource: key.resource(), what }
        }
        Change::ServicesWatched(_) => Event { resource: Services, what: What::Synced },
        Change::SlicesWatched(_) => Event { resource: EndpointSlices, what: What::Synced },
        Change::Synced(resource) => Event { resource: *resource, what: What::Synced },
        Change::Closed(resource) => Event { resource: *resource, what: What::Closed },
        Change::Agents(_) => Event { resource: Nodes, what: What::Synced },
        Change::Controller(_) | Change::Reached(..) => return None,
    };
    Some(event)
}

fn of<T: Stored>(
    resource: Resource,
    told: &Update<T>,
    has: impl Fn(Resource, &ObjectKey) -> bool,
) -> Event {
    let what = match told {
        Update::Replace(list) => What::Listed(list.objects.len() + list.undecodable.len()),
        Update::Apply(object) if has(resource, object.key()) => What::Changed(object.key().clone()),
        Update::Apply(object) => What::Added(object.key().clone()),
        Update::Delete(key) => What::Deleted(key.clone()),
    };
    Event { resource, what }
}

fn knows(snapshot: &Snapshot, resource: Resource, key: &ObjectKey) -> bool {
    let ObjectKey { namespace, name } = key;
    match resource {
        Resource::Pods => snapshot.pods.get(namespace, name).is_some(),
        Resource::Nodes => snapshot.nodes.get(namespace, name).is_some(),
        Resource::Services => snapshot.services.get(namespace, name).is_some(),
        Resource::EndpointSlices => snapshot.slices.get(namespace, name).is_some(),
        Resource::Endpoints => snapshot.endpoints.get(namespace, name).is_some(),
        Resource::Namespaces => snapshot.namespaces.get(namespace, name).is_some(),
        Resource::ReplicaSets | Resource::Jobs => false,
    }
}
