//! What a rewritten configuration finds on this node.

use crate::config::{Config, Impact, Options};
use crate::demand::Demand;
use crate::index::{Snapshot, Snapshots};
use crate::objects::{Resource, ResourceSet};
use crate::sd;
use crate::targets::{Profile, Query, build};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Answers what jobs would ask, before they ask.
#[derive(Debug)]
pub(super) struct OwnTargets {
    pub(super) node: String,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) demand: Arc<Demand>,
}

impl OwnTargets {
    /// The version of what is known; a higher one may have other targets.
    pub(super) fn version(&self) -> u64 {
        self.snapshots.load().version
    }

    /// What the jobs of a rewritten configuration need. It is watched from now on.
    pub(super) fn needs(&self, config: &Config, options: &Options) -> ResourceSet {
        let needs = |(_, query): (String, Query)| query.resources(options.endpoints_from).iter();
        let needs: ResourceSet = self.queries(config, options).flat_map(needs).collect();
        self.demand.need(needs);
        needs
    }

    /// How many targets this node has with the one configuration, and how many of them with the other one,
    /// too; nothing, before own Pods have synced. A target is a job and an address.
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
        let before = self.targets(applied, options, &snapshot);
        let after = self.targets(candidate, options, &snapshot);
        Some(Impact { before: before.len(), left: before.intersection(&after).count() })
    }

    /// What the jobs find here before relabelling. A question that cannot be answered yet is one target, so
    /// that one forbidden resource does not hide what becomes of the others.
    fn targets(
        &self,
        config: &Config,
        options: &Options,
        snapshot: &Snapshot,
    ) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (job, query) in self.queries(config, options) {
            let needed = query.resources(options.endpoints_from);
            if needed.minus(snapshot.synced).is_empty() {
                let own = build(snapshot, &query, Profile::Latest).own;
                found.extend(own.into_iter().map(|target| (job.clone(), target.address)));
            } else {
                found.insert((job, String::new()));
            }
        }
        found
    }

    /// Each question with the name of its job.
    fn queries(&self, config: &Config, options: &Options) -> impl Iterator<Item = (String, Query)> {
        let parse = |(job, question): (&str, &str)| {
            let filled = question.replace("$(NODE_NAME)", &self.node);
            let (role, query) = filled.split_once('?').unwrap_or((&filled, ""));
            // One that another version has written may mean nothing to this one.
            let query = sd::parse(role, Some(query), options.endpoints_from).ok()?;
            Some((job.to_owned(), query))
        };
        config.questions(&options.sd_url).filter_map(parse)
    }
}
