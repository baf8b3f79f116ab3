//! What comes out: the chain, step by step, as a value that every door shows in its own way.

use serde::{Deserialize, Serialize};

/// Why a Pod is, or is not, a target. Made by [`explain()`](super::explain()); shown by the command, as JSON and
/// as a page. As JSON, keys are in camelCase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The Pod, as `namespace/name`.
    pub pod: String,
    /// Whose targets were looked at: `node NAME`, or `the complement`.
    pub share: String,
    /// What was asked about it, in words: the job's name, the query, or the default.
    pub question: String,
    /// Whether it is a target, of all chains together: of one is enough.
    pub verdict: Verdict,
    /// The verdict as one sentence, with the decisive reason.
    pub headline: String,
    /// What holds whatever is asked: about the job, if one was named, and about the Pod. If one of these failed,
    /// or could not be found out, there may be no chains.
    pub steps: Vec<Step>,
    /// One for each query: that of the caller, each of the job, or, if neither was given, one for role pod and one
    /// for role endpointslice.
    pub chains: Vec<Chain>,
}

/// What becomes of the Pod under one query. The steps continue those of the [`Explanation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// The query, as it is asked: `/sd/pod?namespace=shop`.
    pub query: String,
    /// Whether the Pod is a target of it.
    pub verdict: Verdict,
    /// The verdict as one sentence, with the decisive reason.
    pub headline: String,
    /// In the order in which they are decided. Only the last one can have failed.
    pub steps: Vec<Step>,
    /// The targets, in ascending order of address; none, if the verdict is not [`Verdict::Target`].
    pub targets: Vec<FoundTarget>,
}

/// One step of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What is asked at this step, as a statement that should hold: `the Pod has an address`.
    pub what: String,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What was found, in one sentence.
    pub why: String,
    /// What to do about it, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

/// A target of the Pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundTarget {
    /// `__address__`, as discovered.
    pub address: String,
    /// What it comes from: `port http of Service shop/api`, `container app, port metrics`.
    pub from: String,
}

/// Whether the Pod is a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is one.
    Target,
    /// It could not be found out: something is not known yet, or is refused.
    Unknown,
    /// It is none.
    NotTarget,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not; here the chain ends.
    Failed,
    /// It could not be found out.
    Unknown,
}

// === impl Verdict ===

impl Verdict {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Unknown => "unknown",
            Self::NotTarget => "not_target",
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}
