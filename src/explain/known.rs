//! What an explanation is made from.

use crate::index::{EndpointsFrom, Snapshot};
use crate::objects::{ObjectKey, Resource};
use crate::status::Trouble;
use crate::targets::{Profile, Query};
use crate::yaml::Yaml;
use std::collections::BTreeMap;

use super::explanation::Step;

/// What is known of the cluster.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// What the watches have told.
    pub snapshot: &'a Snapshot,
    /// What is wrong with what is watched or read, in the words of the status board.
    pub troubles: &'a BTreeMap<Resource, Trouble>,
    /// What is known of the Pod, if it is not in the snapshot.
    pub elsewhere: &'a Elsewhere,
}

/// Where a Pod is that is not among the own ones, as one read of it told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Elsewhere {
    /// Nobody asked: the Pod is here, or there was no need.
    #[default]
    NotAsked,
    /// On that node.
    On(String),
    /// It is there, and on no node yet.
    Unscheduled,
    /// There is no such Pod.
    Absent,
    /// We may not know: the account reads own Pods only.
    OwnPodsOnly,
    /// The API server refused to tell: why.
    Refused(String),
    /// It could not be read: why.
    Failed(String),
}

/// What is asked about a Pod.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// In words, for people.
    pub about: String,
    /// What was found on the way to the questions: about the job, if one was named.
    pub steps: Vec<Step>,
    /// What is asked of this sidecar.
    pub questions: Vec<Question>,
    /// The job whose rules the targets go through.
    pub job: Option<&'a Yaml>,
}

/// A query, and how it was written.
#[derive(Clone, Debug)]
pub struct Question {
    /// As a path: `/sd/pod?namespace=shop`.
    pub text: String,
    /// What it means.
    pub query: Query,
    /// As which Prometheus it is answered.
    pub profile: Profile,
}

// === impl Question ===

impl Question {
    /// The same, as far as Pods of that namespace have to do with it, so that what is watched for an explanation is
    /// no more than that; `None`, if they have nothing to do with it.
    pub fn within(&self, namespace: &str) -> Option<Query> {
        let asked = &self.query.namespaces;
        (asked.is_empty() || asked.contains(namespace))
            .then(|| Query { namespaces: [namespace.to_owned()].into(), ..self.query.clone() })
    }
}

/// Which resources an explanation of that Pod lacks for that question.
pub(super) fn lacks(known: &Known<'_>, pod: &ObjectKey, question: &Question) -> Vec<Resource> {
    let from: EndpointsFrom = known.snapshot.endpoints_from;
    let needs = question.within(&pod.namespace).map(|query| query.needs(from));
    let lacking = needs.map(|needs| known.snapshot.lacks(&needs));
    lacking.into_iter().flat_map(|set| set.iter().collect::<Vec<_>>()).collect()
}
