//! What a rewritten configuration finds on this node.

use crate::config::{
    Config, Expressions, Impact, Labels, Options, Question, Relabelling, initial_labels,
};
use crate::demand::Demand;
use crate::index::{Needs, Snapshot, Snapshots};
use crate::objects::Resource;
use crate::sd::{self, Compat};
use crate::targets::{Profile, Query, build};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::yield_now;

/// Answers what jobs would ask, before they ask.
#[derive(Debug)]
pub(super) struct OwnTargets {
    pub(super) node: String,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) demand: Arc<Demand>,
    pub(super) compat: Compat,
}

impl OwnTargets {
    /// The version of what is known; a higher one may have other targets.
    pub(super) fn version(&self) -> u64 {
        self.snapshots.load().version
    }

    /// What the jobs of a rewritten configuration need. It is watched from now on.
    pub(super) fn needs(&self, config: &Config, options: &Options) -> Needs {
        let needs = |(_, query): (Question<'_>, Query)| query.needs(options.endpoints_from);
        let needs = self.queries(config, options).map(needs).fold(Needs::default(), Needs::and);
        self.demand.need(&needs);
        needs
    }

    /// How many targets this node has with the one configuration, and how many of them with the other one,
    /// too; nothing, before own Pods have synced. A target is a job and an address that its rules keep: other
    /// labels make it no other target.
    pub(super) fn compare(
        &self,
        applied: &Config,
        candidate: &Config,
        options: &Options,
    ) -> Option<Impact> {
        self.needs(candidate, options);
        let snapshot = self.snapshots.load();
        if !snapshot.synced.contains(Resource::Pods) {
            return None;
        }
        let mut expressions = Expressions::default();
        let before = self.targets(applied, options, &snapshot, &mut expressions);
        let after = self.targets(candidate, options, &snapshot, &mut expressions);
        Some(Impact { before: before.len(), left: before.intersection(&after).count() })
    }

    /// What the jobs find here. A question that cannot be answered yet is one target, so that one forbidden
    /// resource does not hide what becomes of the others.
    fn targets(
        &self,
        config: &Config,
        options: &Options,
        snapshot: &Snapshot,
        expressions: &mut Expressions,
    ) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (Question { job, name, .. }, query) in self.queries(config, options) {
            if !snapshot.lacks(&query.needs(options.endpoints_from)).is_empty() {
                found.insert((name.to_owned(), String::new()));
                continue;
            }
            let own = build(snapshot, &query, Profile::Latest).own;
            if own.is_empty() {
                continue; // most jobs find nothing here, and their rules need not be read
            }
            let relabelling = Relabelling::of(job, expressions);
            for target in own {
                let left = relabelling.apply(initial_labels(&target, job));
                if left.is_some_and(|labels| labels.contains_key("__address__")) {
                    found.insert((name.to_owned(), target.address));
                }
            }
        }
        found
    }

    /// How many targets an agent with that configuration scrapes, for each job that finds some here. Targets
    /// are told apart as Prometheus does it: by all labels that the rules leave, but for `__meta_…`. A
    /// question that cannot be answered yet counts nothing.
    pub(super) async fn expected(
        &self,
        applied: &Config,
        options: &Options,
    ) -> BTreeMap<String, usize> {
        let snapshot = self.snapshots.load();
        let mut expressions = Expressions::default();
        let mut found: BTreeMap<String, BTreeSet<Labels>> = BTreeMap::new();
        for (Question { job, name, .. }, query) in self.queries(applied, options) {
            yield_now().await; // there may be thousands, and there is one thread
            if !snapshot.lacks(&query.needs(options.endpoints_from)).is_empty() {
                continue;
            }
            let profile = self.compat.profile(&query, ""); // who will ask is not known
            let own = build(&snapshot, &query, profile).own;
            if own.is_empty() {
                continue;
            }
            let relabelling = Relabelling::of(job, &mut expressions);
            for target in own {
                let Some(mut left) = relabelling.apply(initial_labels(&target, job)) else {
                    continue;
                };
                left.retain(|name, _| !name.starts_with("__meta_"));
                if left.contains_key("__address__") {
                    found.entry(name.to_owned()).or_default().insert(left);
                }
            }
        }
        found.into_iter().map(|(name, targets)| (name, targets.len())).collect()
    }

    /// Each question, and what it means.
    fn queries<'a>(
        &self,
        config: &'a Config,
        options: &'a Options,
    ) -> impl Iterator<Item = (Question<'a>, Query)> {
        let parse = |asked: Question<'a>| {
            let filled = asked.question.replace("$(NODE_NAME)", &self.node);
            let (role, query) = filled.split_once('?').unwrap_or((&filled, ""));
            // One that another version has written may mean nothing to this one.
            let query = sd::parse(role, Some(query), options.endpoints_from).ok()?;
            Some((asked, query))
        };
        config.questions(&options.sd_url).filter_map(parse)
    }
}
