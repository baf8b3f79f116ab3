//! What the nodes leave to the complement.

use crate::objects::Pod;
use crate::selector::LabelSelector;
use std::fmt;

/// Pods whose targets no node serves, in whatever role: a few huge ones, above all, that would make the agent
/// of one node large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excluded(Box<[PodSelector]>);

/// Pods of one namespace, by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSelector {
    /// The namespace.
    pub namespace: Box<str>,
    /// Which of its Pods.
    pub labels: LabelSelector,
}

// === impl Excluded ===

impl Excluded {
    /// Whether that Pod is among them.
    pub fn contains(&self, pod: &Pod) -> bool {
        self.selecting(pod).is_some()
    }

    /// By which of them that Pod is selected, if it is.
    pub fn selecting(&self, pod: &Pod) -> Option<&PodSelector> {
        self.0.iter().find(|such| such.selects(pod))
    }
}

impl FromIterator<PodSelector> for Excluded {
    fn from_iter<I: IntoIterator<Item = PodSelector>>(such: I) -> Self {
        Self(such.into_iter().collect())
    }
}

// === impl PodSelector ===

impl PodSelector {
    /// Whether it selects that Pod.
    pub fn selects(&self, pod: &Pod) -> bool {
        *self.namespace == *pod.meta.key.namespace && self.labels.matches(&pod.meta.labels)
    }
}

/// As `--exclude` has it.
impl fmt::Display for PodSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.labels)
    }
}
