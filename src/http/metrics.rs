//! `/metrics`.
//!
//! Nothing is counted twice: the collector reads the snapshot, the board and the counters of the
//! app when it is asked, and never a lock that a watch waits for.

use super::agent_metrics::AgentMetrics;
use super::app::App;
use super::debug::unix_seconds;
use super::file_sd_metrics::FileSdMetrics;
use super::response::{self, Answer};
use super::samples::{Labels, counter, gauge};
use super::state_metrics::StateMetrics;
use crate::objects::{Reach, Resource};
use crate::status::{Entry, Phase, View};
use crate::targets::{Profile, Query, Reason, Role, build};
use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use std::fmt::Error;
use std::sync::{Arc, Mutex};

/// The registry of all metrics.
#[derive(Debug)]
pub(super) struct Metrics(Registry);

/// Reads the state when it is asked.
#[derive(Debug)]
struct Collected {
    app: Arc<App>,
    /// Counts of the last snapshot for which they were made: a build for each scrape would be a
    /// waste while nothing changes.
    counts: Mutex<Option<(u64, Counts)>>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    targets: Vec<(Role, u64)>,
    unassigned: Vec<(Role, Reason, u64)>,
}

/// How a counter is read.
type Count = fn(&View) -> u64;

// === impl Metrics ===

impl Metrics {
    pub(super) fn new(app: Arc<App>) -> Self {
        let mut registry = Registry::with_prefix("nodelocal_sd");
        registry.register(
            "render_duration_seconds",
            "Time to build and render an answer that was not in the cache",
            app.answers.render_seconds().clone(),
        );
        if let Some(keeper) = &app.keeper {
            registry.register_collector(Box::new(StateMetrics(Arc::clone(keeper))));
        }
        if let Some(agent) = &app.agent {
            registry.register_collector(Box::new(AgentMetrics(Arc::clone(agent))));
        }
        if let Some(file_sd) = &app.file_sd {
            registry.register_collector(Box::new(FileSdMetrics(Arc::clone(file_sd))));
        }
        registry.register_collector(Box::new(Collected { app, counts: Mutex::default() }));
        Self(registry)
    }

    pub(super) fn answer(&self) -> Answer {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.0) {
            Ok(()) => response::of_type(
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                text,
            ),
            Err(error) => {
                let reason = format!("the metrics could not be written: {error}");
                response::text(StatusCode::INTERNAL_SERVER_ERROR, reason)
            }
        }
    }
}

// === impl Collected ===

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let to = &mut encoder;
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        gauge(to, "build_info", "The version that is running", [(version, 1.0)])?;
        self.snapshot(to)?;
        self.watches(to)?;
        self.queries(to)
    }
}

impl Collected {
    fn snapshot(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let snapshot = self.app.snapshots.load();
        let version = [(Labels::new(), snapshot.version as f64)];
        gauge(to, "snapshot_version", "Number of published changes", version)?;
        let counts = self.counts();
        let role = |role: Role| ("role", role.name().to_owned());
        let targets = counts.targets.into_iter().map(|(of, n)| (vec![role(of)], n as f64));
        gauge(
            to,
            "targets",
            "Targets of this sidecar, without any filter, as far as their watches are open",
            targets,
        )?;
        if let Some(nodes) = self.app.snapshots.load().nodes_without_agent() {
            let without = [(Labels::new(), nodes as f64)];
            gauge(to, "nodes_without_agent", "Nodes whose targets the complement serves", without)?;
        }
        let unassigned = counts.unassigned.into_iter().map(|(of, reason, n)| {
            (vec![role(of), ("reason", reason.name().to_owned())], n as f64)
        });
        gauge(
            to,
            "unassigned_endpoints",
            "Targets of endpoints that belong to no node, as far as can be told here",
            unassigned,
        )
    }

    fn watches(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let snapshot = self.app.snapshots.load();
        let needed = self.app.demand.needed();
        let entries = self.app.board.entries();
        let each = |value: &dyn Fn(Resource, &Reach, &View) -> Option<f64>| {
            let samples = entries.iter().filter_map(|(resource, reach, entry)| {
                let value = value(*resource, reach, &entry.view())?;
                Some((labels_of(*resource, reach), value))
            });
            samples.collect::<Vec<_>>()
        };
        let flag = |set: bool| Some(f64::from(u8::from(set)));
        gauge(
            to,
            "watch_needed",
            "Whether a query has needed the resource lately",
            each(&|resource, _, _| flag(needed.contains(resource))),
        )?;
        gauge(
            to,
            "watch_synced",
            "Whether the resource has had a complete list since its watch was opened",
            each(&|resource, reach, _| flag(snapshot.has_listed(resource, reach))),
        )?;
        gauge(
            to,
            "watch_failing",
            "Whether the last request for the resource failed",
            each(&|_, _, view| flag(view.trouble.is_some())),
        )?;
        gauge(
            to,
            "watch_impersonating",
            "Whether the API server hands out objects to the own node, and so of no other, rather than to the account",
            each(&|_, _, view| view.impersonating.and_then(flag)),
        )?;
        gauge(
            to,
            "watch_stale",
            "Whether what is known is from the saved state, and the API server has not confirmed it yet",
            each(&|_, _, view| flag(view.stale)),
        )?;
        let stale = [(Labels::new(), f64::from(u8::from(self.app.board.is_stale())))];
        gauge(to, "stale", "Whether any of the watches is stale", stale)?;
        gauge(
            to,
            "watch_objects",
            "Objects that are held",
            each(&|resource, reach, _| Some(snapshot.held(resource, reach) as f64)),
        )?;
        gauge(
            to,
            "watch_last_event_timestamp_seconds",
            "When the last list, event or bookmark came; the state is at least as new as that",
            each(&|_, _, view| view.last_event.map(unix_seconds)),
        )?;
        let phases = entries.iter().flat_map(|(resource, reach, entry)| {
            let now = entry.view().phase;
            Phase::ALL.map(move |phase| {
                let mut labels = labels_of(*resource, reach);
                labels.push(("phase", phase.name().to_owned()));
                (labels, f64::from(u8::from(phase == now)))
            })
        });
        gauge(to, "watch_phase", "1 for what the watch is doing, 0 for what it is not", phases)?;
        self.watch_counters(to)
    }

    fn watch_counters(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let entries = || Resource::ALL.into_iter().map(|r| (r, self.app.board.of(r)));
        let requests = entries().flat_map(|(resource, entry)| {
            entry.requests().map(move |(verb, outcome, count)| {
                let labels = vec![
                    ("resource", resource.name().to_owned()),
                    ("verb", verb.name().to_owned()),
                    ("outcome", outcome.name().to_owned()),
                ];
                (labels, count)
            })
        });
        counter(to, "api_requests", "Requests to the API server that have ended", requests)?;
        let counters: [(&str, &str, Count); 4] = [
            ("watch_events", "Events and bookmarks", |view| view.events),
            ("watch_relists", "Lists after an expired version", |view| view.relists),
            ("undecodable_objects", "Objects skipped, because they could not be read", |view| {
                view.undecodable
            }),
            ("oversized_objects", "Objects skipped, because they are too large", |view| {
                view.oversized
            }),
        ];
        for (name, help, count) in counters {
            let samples = entries().map(|(resource, entry): (Resource, &Arc<Entry>)| {
                (vec![("resource", resource.name().to_owned())], count(&entry.view()))
            });
            counter(to, name, help, samples)?;
        }
        let dropped = [Resource::EndpointSlices, Resource::Endpoints].map(|resource| {
            let view = self.app.board.of(resource).view();
            (vec![("resource", resource.name().to_owned())], view.dropped_endpoints)
        });
        counter(to, "dropped_endpoints", "Endpoints of other nodes that were not kept", dropped)?;
        Ok(())
    }

    fn queries(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let queries = self.app.queries().into_iter().map(|((role, code), count)| {
            (vec![("role", role.to_owned()), ("code", code.to_string())], count)
        });
        counter(to, "queries", "http_sd queries answered", queries)?;
        let connections = [(Labels::new(), self.app.open_connections() as f64)];
        gauge(to, "http_connections", "Open connections of the http_sd listener", connections)?;
        let held = [(Labels::new(), self.app.long_poll.held() as f64)];
        gauge(to, "http_held_requests", "Queries whose answer has not changed, and is held", held)?;
        let ended = self
            .app
            .long_poll
            .ended()
            .map(|(outcome, count)| (vec![("outcome", outcome.name().to_owned())], count));
        counter(to, "http_held_answers", "Answers that were held, by what ended that", ended)
    }

    fn counts(&self) -> Counts {
        let snapshot = self.app.snapshots.load();
        let mut last = self.counts.lock().expect("nothing panics while it holds this lock");
        if let Some((version, counts)) = &*last
            && *version == snapshot.version
        {
            return counts.clone();
        }
        let mut counts = Counts::default();
        for role in Role::ALL {
            let query = Query::all(role).as_watched(&snapshot.services_watched);
            if !snapshot.lacks(&query.needs(snapshot.endpoints_from)).is_empty() {
                continue;
            }
            let targets = build(&snapshot, &query, Profile::Latest);
            counts.targets.push((role, targets.own.len() as u64));
            if matches!(role, Role::EndpointSlice | Role::Endpoints) {
                counts.unassigned.extend(Reason::ALL.map(|reason| {
                    let such = targets.unassigned.iter().filter(|one| one.reason == reason);
                    (role, reason, such.count() as u64)
                }));
            }
        }
        *last = Some((snapshot.version, counts.clone()));
        counts
    }
}

/// The labels of a watch: that of one namespace is told from that of the whole cluster.
fn labels_of<'a>(resource: Resource, reach: &Reach) -> Labels<'a> {
    let mut labels = vec![("resource", resource.name().to_owned())];
    labels.extend(reach.namespace().map(|name| ("namespace", name.to_owned())));
    labels
}
