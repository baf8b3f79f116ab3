//! The loop of one kind: list, watch, resume, and what to do when something fails.

use super::backoff::Backoff;
use super::failure::Failure;
use super::impersonation::{Caller, Impersonation};
use super::kind::{Kind, Scope};
use super::pacer::{Pacer, Turn};
use super::request;
use super::resume::Resume;
use super::timing::{Timing, part_of};
use super::watch::{TOO_SHORT, Watched};
use crate::index::{Change, Changes, Share, Update};
use crate::objects::{ObjectKey, Resource};
use crate::status::{Board, Entry, Phase, Verb};
use kube::client::Body;
use std::collections::HashSet;
use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

/// What every loop works with.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: kube::Client,
    pub(super) impersonation: Impersonation,
    pub(super) share: Share,
    pub(super) timing: Arc<Timing>,
    pub(super) pacer: Arc<Pacer>,
    pub(super) board: Arc<Board>,
    pub(super) changes: Changes,
    pub(super) resume: Arc<Resume>,
}

/// Keeps the index equal to what the API server has of one kind.
pub(super) struct Reflector<K> {
    context: Context,
    pub(super) scope: Scope,
    entry: Arc<Entry>,
    pub(super) caller: Caller,
    backoff: Backoff,
    /// Objects that could not be read the last time they came: each is logged once.
    pub(super) bad_objects: HashSet<ObjectKey>,
    /// A list has made sure that nothing changed while a watch kept silent; no watch has told
    /// anything since.
    made_sure: bool,
    /// The version of an earlier run, whose objects the index has.
    saved: Option<Box<str>>,
    kind: PhantomData<fn() -> K>,
}

/// From which state of the server a list may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListFrom {
    /// Whatever its cache has, but nothing older than this version. `0` is any.
    NotOlderThan(String),
    /// The most recent state.
    MostRecent,
}

/// So many watches in a row that were accepted and told nothing, and a list is tried instead: the version may
/// be one that this server will never know.
const FUTILE_RESUMES: u32 = 3;

/// A server that was away for so long keeps no history back to our version (it has about 75 s of it),
/// and may be another one, which would take our version and stay silent. After a shorter outage, a
/// restart above all, the watch resumes: all nodes lose the server together, and it must not come back
/// to the lists of all.
const LONG_OUTAGE: Duration = Duration::from_secs(5 * 60);

/// The same for watches that are cut before a bookmark is due, one after the other: after so much
/// silence a list makes sure.
const MOST_SILENT: Duration = Duration::from_secs(60 * 60);

/// A server that asks for more than this is not taken at its word.
const MOST_RETRY_AFTER: Duration = Duration::from_secs(10 * 60);

/// How many bad objects are remembered as logged.
const MOST_BAD_OBJECTS: usize = 1000;

// === impl Context ===

impl Context {
    /// The own node; nothing, if the whole cluster matters.
    pub(super) fn node(&self) -> Option<&str> {
        self.share.node().map(AsRef::as_ref)
    }

    /// Hands a change to the index. Without an index the process is about to end.
    pub(super) async fn tell(&self, change: Change) {
        let _ = self.changes.send(change).await;
    }
}

// === impl Reflector ===

impl<K: Kind> Reflector<K> {
    /// Asks for that, and says in `entry` how it is doing.
    pub(super) fn new(context: Context, scope: Scope, entry: Arc<Entry>) -> Self {
        let node = context.share.node().filter(|_| scope.is_of_node());
        let caller = Caller::new(context.impersonation, node);
        let saved = context.resume.take(K::RESOURCE, &scope.reach);
        Self {
            context,
            scope,
            entry,
            caller,
            backoff: Backoff::default(),
            bad_objects: HashSet::new(),
            made_sure: false,
            saved,
            kind: PhantomData,
        }
    }

    /// Lists and watches until it is dropped.
    pub(super) async fn run(mut self) {
        let mut version = String::new();
        if let Some(saved) = self.saved.take() {
            version = saved.into();
            self.resume(&mut version).await;
        } else if K::RESOURCE == Resource::Pods {
            // The one loop that starts with the process. The others start with a question, which
            // waits, and which each node's Prometheus asks at a time of its own.
            sleep(part_of(self.timing.start_jitter)).await;
        }
        loop {
            self.list_until_done(&mut version).await;
            self.watch_until_expired(&mut version).await;
        }
    }

    /// Whether it goes on where an earlier run had come to.
    pub(super) fn resumes(&self) -> bool {
        self.saved.is_some()
    }

    /// Goes on from a saved version. It is believed for some minutes; then a list makes sure, because between
    /// then and now may lie what no watch tells: a file put back from elsewhere, or a server restored.
    async fn resume(&mut self, version: &mut String) {
        let verify = if self.scope.is_of_node() {
            self.timing.verify
        } else {
            self.timing.verify_unselected
        };
        let _ = timeout(verify + part_of(verify), self.watch_until_expired(version)).await;
    }

    /// Tells the index that it has been told everything up to that version.
    pub(super) async fn reached(&self, version: &str) {
        let reach = self.scope.reach.clone();
        self.tell(Change::Reached(K::RESOURCE, reach, version.into())).await;
    }

    async fn list_until_done(&mut self, version: &mut String) {
        let mut from = match version.as_str() {
            "" => ListFrom::NotOlderThan("0".to_owned()),
            known => ListFrom::NotOlderThan(known.to_owned()), // or the state could go back in time
        };
        loop {
            self.entry().set_phase(Phase::Listing);
            match self.list(&from).await {
                Ok((outcome, listed)) => {
                    *version = listed;
                    let namespace = self.scope.reach.namespace();
                    let objects = outcome.objects.len();
                    info!(resource = %K::RESOURCE, namespace, objects, "listed");
                    if K::RESOURCE == Resource::Nodes && objects == 0 {
                        warn!("the cluster has no Node: is the name of {} right?", self.share);
                    }
                    self.tell(K::change(Update::Replace(outcome))).await;
                    self.reached(version).await;
                    self.entry().heard(version);
                    return;
                }
                Err(failure) => {
                    if failure.is_expired() {
                        from = ListFrom::MostRecent; // this server does not know our version
                    }
                    self.wait_after(Verb::List, &failure).await;
                }
            }
        }
    }

    /// Returns when only a list can help.
    async fn watch_until_expired(&mut self, version: &mut String) {
        let mut headers = self.timing.watch_headers;
        let mut futile = 0;
        let mut silent = Duration::ZERO;
        let mut away: Option<Instant> = None;
        while futile <= FUTILE_RESUMES
            && silent <= MOST_SILENT
            && away.is_none_or(|since| since.elapsed() <= LONG_OUTAGE)
        {
            self.entry().set_phase(Phase::Watching);
            let Watched { lived, told, result } = self.watch(version, headers).await;
            match lived {
                _ if told => {
                    (futile, silent) = (0, Duration::ZERO);
                    self.made_sure = false;
                }
                // Accepted, and nothing came of it.
                Some(lived) => {
                    silent += lived;
                    futile = match self.futility(lived) {
                        0 => 0,
                        more => futile + more,
                    };
                }
                None if result.as_ref().is_err_and(Failure::is_refusal) => away = None,
                None => away = away.or_else(|| Some(Instant::now())),
            }
            if lived.is_some() {
                away = None;
            }
            match result {
                Ok(()) if lived >= Some(self.timing.calm) => {}
                // In order, but early: a server that shuts down, or one that always does this.
                Ok(()) => {
                    debug!(resource = %K::RESOURCE, ?lived, "the watch ended early");
                    sleep(self.backoff.next()).await;
                }
                Err(failure) if failure.is_expired() => {
                    info!(resource = %K::RESOURCE, %failure, "the version has expired");
                    self.entry().count_relist();
                    break;
                }
                Err(failure) => {
                    headers = match failure {
                        Failure::NoAnswer { .. } => {
                            (headers * 3 / 2).min(self.timing.watch_headers_max)
                        }
                        _ => self.timing.watch_headers,
                    };
                    self.wait_after(Verb::Watch, &failure).await;
                }
            }
        }
        self.wait_before_relist().await;
    }

    /// How much a watch that told nothing counts as futile.
    fn futility(&mut self, lived: Duration) -> u32 {
        if lived >= self.timing.watch_silence && !self.made_sure {
            // Bookmarks were overdue: this may be another server, behind our version. A list makes
            // sure at once, but not each time, should this one never send bookmarks.
            self.made_sure = true;
            return FUTILE_RESUMES + 1;
        }
        // One that lived for a while, and ended before a bookmark was overdue, may just have had nothing
        // to tell. Load balancers cut such ones, and each list in their place would cost the server
        // the whole type.
        u32::from(!(TOO_SHORT..self.timing.watch_silence).contains(&lived))
    }

    async fn wait_before_relist(&mut self) {
        let jitter = if self.scope.is_of_node() {
            self.timing.relist_jitter
        } else {
            self.timing.relist_jitter_unselected
        };
        // The growing delay too: the list may be followed by the next 410.
        sleep(part_of(jitter).max(self.backoff.next())).await;
    }

    async fn wait_after(&mut self, verb: Verb, failure: &Failure) {
        if self.caller.tries_other_way(failure) {
            debug!(resource = %K::RESOURCE, %failure, "refused; trying it the other way");
            self.caller.failed(failure);
            return;
        }
        let namespace = self.scope.reach.namespace();
        let message = format!(
            "{} {}{} for {}: {failure}{}{}",
            verb.name(),
            K::RESOURCE,
            namespace.map_or_else(String::new, |name| format!(" in namespace {name}")),
            self.share,
            self.caller.advice(failure, K::RESOURCE.name()).unwrap_or_else(|| {
                advice(failure, &["list", "watch"], K::RESOURCE.name(), self.scope.group)
            }),
            self.caller.refused_before(),
        );
        self.caller.failed(failure);
        self.entry().set_phase(Phase::Waiting);
        if self.entry().set_trouble(&message) {
            warn!("{message}");
        }
        let delay = delay_after(failure, &mut self.backoff, &self.context.timing);
        debug!(resource = %K::RESOURCE, ?delay, "waiting before the next try");
        sleep(delay).await;
    }

    /// Sends a request, as the node if that is the way. The headers of a good answer, or the failure.
    pub(super) async fn send(
        &mut self,
        request: http::Request<Body>,
        headers: Duration,
    ) -> Result<http::Response<Body>, Failure> {
        let request = self.caller.asks(request);
        let answer = request::send(&self.client, request, headers).await?;
        if self.caller.accepted() {
            let user = self.caller.user().and_then(|user| user.to_str().ok());
            self.entry().set_impersonating(user.is_some());
            match user {
                Some(user) => info!(resource = %K::RESOURCE, user, "read as the own node"),
                None if self.impersonation == Impersonation::Off => {}
                None => info!(resource = %K::RESOURCE, "read with the account's own rights"),
            }
        }
        Ok(answer)
    }

    /// Starts the delays over if the watch has lived long enough.
    pub(super) fn calm_after(&mut self, lived: Duration) {
        if lived >= self.timing.calm {
            self.backoff.calm();
        }
    }

    pub(super) fn report_bad_object(
        &mut self,
        key: Option<&ObjectKey>,
        problem: Option<&dyn Display>,
    ) {
        match problem {
            Some(_) => self.entry().count_undecodable(),
            None => self.entry().count_oversized(),
        }
        let known = key.is_some_and(|key| {
            self.bad_objects.len() < MOST_BAD_OBJECTS && !self.bad_objects.insert(key.clone())
        });
        if !known {
            let name = key.map_or_else(|| "without a name".to_owned(), ToString::to_string);
            let problem = problem.map_or_else(|| "it is too large".to_owned(), ToString::to_string);
            warn!(resource = %K::RESOURCE, object = %name, problem,
                "an object cannot be read; its last good state is kept");
        }
    }

    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(super) fn turn(&self) -> Turn {
        if K::RESOURCE == Resource::Pods { Turn::Pods } else { Turn::Other }
    }
}

impl<K> Deref for Reflector<K> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// How long to wait after that failure.
pub(super) fn delay_after(failure: &Failure, backoff: &mut Backoff, timing: &Timing) -> Duration {
    let mut delay = backoff.next();
    if failure.needs_help() {
        let wait = if backoff.believes_refusal() { timing.forbidden } else { timing.doubted };
        delay = delay.max(wait + part_of(wait / 4));
    }
    if let Some(asked) = failure.retry_after() {
        let asked = asked.min(MOST_RETRY_AFTER);
        delay = delay.max(asked + part_of(asked / 4)); // never less, and not all at once
    }
    delay
}

/// What the user can do, where that is known; begins with a separator.
pub(super) fn advice(failure: &Failure, verbs: &[&str], resource: &str, group: &str) -> String {
    let Failure::Status { code, .. } = failure else {
        return String::new();
    };
    match code {
        401 => "; the token was refused: is it expired, or of another cluster?".to_owned(),
        403 => format!(
            "; missing RBAC rule: apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: {verbs:?}"
        ),
        404 => "; does this API server serve that resource?".to_owned(),
        _ => String::new(),
    }
}
