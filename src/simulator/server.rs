//! The handle: objects in, requests answered.

use super::body::{Body, Disconnected};
use super::discovery;
use super::faults::{Fault, Rule, RuleId, Script};
use super::kind::Kind;
use super::list;
use super::output::{self, End, Output};
use super::recorder::{RecordedRequest, Recorder};
use super::reply;
use super::request::{Options, Route, Verb};
use super::status::Status;
use super::store::{Applied, ApplyError, Change, Store};
use super::watch::Watch;
use crate::objects::ObjectKey;
use http::Response;
use http::request::Parts;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long a list waits for a version that is still to come (`k8s.io/apiserver`, cacher).
const VERSION_WAIT: Duration = Duration::from_secs(3);

/// An API server in memory; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Simulator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told after every change of the store.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    store: Store,
    script: Script,
    recorder: Recorder,
    open_watches: isize,
    watch_list: bool,
    bookmark_interval: Duration,
}

/// Why a set of objects cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not a map from paths to lists of objects.
    #[error("not a JSON object of lists by API path")]
    Json(#[from] serde_json::Error),
    /// A path that lists nothing here.
    #[error("nothing is listed at {0:?}")]
    UnknownPath(String),
    /// An object that the server could not store.
    #[error("object {index} of {path:?}")]
    Object {
        /// The path of its list.
        path: String,
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        source: ApplyError,
    },
}

// === impl Simulator ===

impl Simulator {
    /// An empty API server.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                store: Store::default(),
                script: Script::default(),
                recorder: Recorder::default(),
                open_watches: 0,
                watch_list: true,
                bookmark_interval: Duration::from_secs(60),
            }),
            changed: watch::Sender::new(()),
        }))
    }

    // --- objects ---

    /// Creates or updates an object. It needs `apiVersion`, `kind` and `metadata.name`; namespace
    /// (`default`), uid and creation timestamp are filled in where they are missing, the resource
    /// version always. An equal object is no change.
    ///
    /// # Errors
    /// If the object lacks what it needs or its kind is not simulated.
    pub fn apply(&self, object: Value) -> Result<Applied, ApplyError> {
        self.change(|store| store.apply(object))
    }

    /// Changes an object in place. False if there is none.
    ///
    /// # Errors
    /// As [`Simulator::apply`], if the change makes it impossible to store.
    pub fn update(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<bool, ApplyError> {
        let Some(object) = self.get(kind, namespace, name) else {
            return Ok(false);
        };
        let mut object = Arc::unwrap_or_clone(object);
        change(&mut object);
        self.apply(object).map(|_| true)
    }

    /// Deletes an object. `kind` is `Pod` or `pods`; the namespace of a cluster-scoped object is
    /// empty. False if there is none.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> bool {
        Kind::named(kind).is_some_and(|kind| {
            self.change(|store| store.delete(kind, &ObjectKey::new(namespace, name)))
        })
    }

    /// An object by name; see [`Simulator::delete`].
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let kind = Kind::named(kind)?;
        let state = self.state();
        state.store.get(kind, &ObjectKey::new(namespace, name)).cloned()
    }

    /// All objects of a kind, in the order of namespace and name.
    pub fn list(&self, kind: &str) -> Vec<Arc<Value>> {
        let state = self.state();
        let objects = Kind::named(kind).and_then(|kind| {
            let version = state.store.version();
            state.store.at(kind, version)
        });
        objects.unwrap_or_default().into_values().collect()
    }

    /// Loads objects by the path of their list, without `apiVersion` and `kind`:
    /// `{"/api/v1/pods": [{"metadata": …}]}`. Gives their number.
    ///
    /// # Errors
    /// If the text has another form. What came before the error stays loaded.
    pub fn load(&self, text: &str) -> Result<usize, LoadError> {
        let lists: BTreeMap<String, Vec<Value>> = serde_json::from_str(text)?;
        let mut loaded = 0;
        for (path, objects) in lists {
            let Some(kind) = Kind::of_list_path(&path) else {
                return Err(LoadError::UnknownPath(path));
            };
            for (index, mut object) in objects.into_iter().enumerate() {
                if let Some(fields) = object.as_object_mut() {
                    fields.insert("apiVersion".to_owned(), json!(kind.api_version()));
                    fields.insert("kind".to_owned(), json!(kind.name));
                }
                self.apply(object).map_err(|source| LoadError::Object {
                    path: path.clone(),
                    index,
                    source,
                })?;
                loaded += 1;
            }
        }
        Ok(loaded)
    }

    /// Another server with these objects, from `version` on, which may be lower than before. Open
    /// watches lose their connection.
    ///
    /// # Errors
    /// As [`Simulator::apply`]; the objects before the wrong one are there then.
    pub fn replace_all(
        &self,
        objects: impl IntoIterator<Item = Value>,
        version: u64,
    ) -> Result<(), ApplyError> {
        self.change(|store| {
            store.replace(version);
            objects.into_iter().try_for_each(|object| store.apply(object).map(drop))
        })
    }

    /// The version of the last change.
    pub fn resource_version(&self) -> u64 {
        self.state().store.version()
    }

    /// Moves the version forward without a change, as the rest of a cluster would.
    pub fn advance_to(&self, version: u64) {
        self.change(|store| store.advance(version));
    }

    /// Expires all versions but the present one: older watches and pages get 410. Open watches
    /// are not disturbed.
    pub fn compact(&self) {
        self.change(Store::compact);
    }

    /// Cuts the connection of every open watch, as a load balancer that restarts does.
    pub fn disconnect(&self) {
        self.change(Store::disconnect);
    }

    // --- behaviour ---

    /// Whether `sendInitialEvents` is served; older servers answer 422.
    pub fn watch_list(&self, served: bool) {
        self.state().watch_list = served;
    }

    /// How often a watch that allows bookmarks gets one; for watches opened from now on.
    pub fn bookmarks_every(&self, interval: Duration) {
        self.state().bookmark_interval = interval;
    }

    /// Sets a fault; several can hit the same request.
    pub fn fault(&self, rule: Rule) -> RuleId {
        self.state().script.add(rule)
    }

    /// Takes one fault back.
    pub fn remove_fault(&self, id: RuleId) {
        self.state().script.remove(id);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.state().script.clear();
    }

    // --- what was asked ---

    /// The requests so far, the oldest first; of very many only the last.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state().recorder.iter().cloned().collect()
    }

    /// How many of the requests so far are such.
    pub fn count_requests(&self, such: impl FnMut(&&RecordedRequest) -> bool) -> usize {
        self.state().recorder.iter().filter(such).count()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.state().recorder.clear();
    }

    /// How many watches are open.
    pub fn open_watches(&self) -> usize {
        usize::try_from(self.state().open_watches).unwrap_or(0)
    }

    // --- answers ---

    /// Answers a request. This is the whole server: it works in process, under paused time, as
    /// well as behind a socket.
    ///
    /// # Errors
    /// If a fault refuses the request; a server closes the connection then.
    pub async fn respond(&self, head: &Parts) -> Result<Response<Body>, Disconnected> {
        let route = Route::of(&head.uri);
        let faults = {
            let mut state = self.state();
            let request = RecordedRequest::new(head, &route);
            let faults = state.script.next_request(&request);
            state.recorder.add(request);
            faults
        };
        for fault in &faults {
            match fault {
                Fault::Delay(delay) => tokio::time::sleep(*delay).await,
                Fault::Hang => std::future::pending().await,
                Fault::Refuse => return Err(Disconnected),
                Fault::Status { code, retry_after, html } => {
                    let mut response = match html {
                        true => reply::html(*code),
                        false => reply::status(&refusal(*code, &route)),
                    };
                    if let Some(seconds) = retry_after {
                        reply::retry_after(&mut response, *seconds);
                    }
                    return Ok(response);
                }
                _ => {} // of the body
            }
        }
        let answer = match route.kind {
            Some(kind) => self.answer(head, &route, kind, faults).await,
            None => discovery::respond(head),
        };
        Ok(answer.unwrap_or_else(|status| reply::status(&status)))
    }

    async fn answer(
        &self,
        head: &Parts,
        route: &Route,
        kind: &'static Kind,
        faults: Vec<Fault>,
    ) -> Result<Response<Body>, Status> {
        let options = Options::of(head, route, kind)?;
        options.check(route.verb, self.state().watch_list)?;
        match (route.verb, &route.name) {
            (Verb::Watch, _) => {
                if options.send_initial_events == Some(true) {
                    self.reach(list::awaited_version(&options)).await;
                }
                let state = self.state();
                let watch = Watch::new(self.clone(), &state.store, kind, options)?;
                drop(state); // the body counts itself as open
                Ok(reply::written(watch.into_body(faults)))
            }
            (_, Some(name)) => {
                let namespace = route.namespace.as_deref().unwrap_or_default();
                let state = self.state();
                let object = state.store.get(kind, &ObjectKey::new(namespace, name));
                let object = object.ok_or_else(|| Status::not_found(kind, name))?;
                Ok(reply::json(&options.representation.object(object)))
            }
            (_, None) => {
                self.reach(list::awaited_version(&options)).await;
                let bad = faults.iter().filter_map(|fault| match fault {
                    Fault::UndecodableItem => Some(output::undecodable(kind)),
                    Fault::NamelessItem => Some(output::nameless()),
                    _ => None,
                });
                let bad: Vec<Value> = bad.collect();
                let body = list::render(&self.state().store, kind, &options, &bad)?;
                let (body, encoding) = reply::gzip(body, options.gzip);
                let body = if faults.iter().any(|f| matches!(f, Fault::Stop(..))) {
                    Body::written(|chunks| async move {
                        let mut output = Output::new(kind, faults, chunks);
                        End::of(output.chunk(body.into()).await)
                    })
                } else {
                    Body::whole(body)
                };
                Ok(reply::encoded(reply::written(body), encoding))
            }
        }
    }

    /// Waits for a version, but not longer than the API server does.
    async fn reach(&self, version: u64) {
        let deadline = Instant::now() + VERSION_WAIT;
        let mut changed = self.subscribe();
        while self.resource_version() < version {
            if timeout_at(deadline, changed.changed()).await.is_err() {
                return;
            }
        }
    }

    // --- for watches ---

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    pub(super) fn bookmark_interval(&self) -> Duration {
        self.state().bookmark_interval
    }

    pub(super) fn count_watch(&self, difference: isize) {
        self.state().open_watches += difference;
    }

    /// The changes after `version`, and the version now. Nothing if the server was replaced since
    /// `epoch`, or if the watch is so late that the log has gone on without it.
    pub(super) fn changes_after(
        &self,
        kind: &Kind,
        version: u64,
        epoch: u64,
    ) -> Option<(Vec<Change>, u64)> {
        let state = self.state();
        if state.store.epoch() != epoch {
            return None;
        }
        let changes = state.store.changes_after(kind, version)?;
        Some((changes, state.store.version()))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let result = change(&mut self.state().store);
        self.0.changed.send_replace(());
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere must not hide its message behind a second panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Simulator {
    fn default() -> Self {
        Self::new()
    }
}

/// A refusal in the words of the API server, as far as they matter to clients.
fn refusal(code: u16, route: &Route) -> Status {
    let message = match (code, route.kind) {
        (401, _) => "Unauthorized".to_owned(),
        (403, Some(kind)) => format!(
            "{} is forbidden: User \"system:serviceaccount:default:simulated\" cannot {} resource \
             {:?} in API group {:?} at the cluster scope",
            kind.qualified_plural(),
            match route.verb {
                Verb::Watch => "watch",
                Verb::List => "list",
                Verb::Get | Verb::Other => "get",
            },
            kind.plural,
            kind.group,
        ),
        (410, _) => "too old resource version: 1 (2)".to_owned(),
        (429, _) => "too many requests, please try again later".to_owned(),
        _ => "simulated failure".to_owned(),
    };
    Status::new(code, message)
}
