//! The Pods that endpoints refer to. A Pod is in several slices as a rule, so its labels are
//! drafted once per query.

use super::draft::Draft;
use super::pod_labels::set_pod;
use super::view::View;
use crate::objects::{ObjectKey, Pod};
use std::collections::HashMap;
use std::rc::Rc;

/// A Pod and its labels.
#[derive(Clone, Debug)]
pub(super) struct ResolvedPod<'a> {
    pub(super) pod: &'a Pod,
    pub(super) labels: Rc<Draft>,
}

/// What has been drafted so far.
#[derive(Debug, Default)]
pub(super) struct ResolvedPods<'a>(HashMap<&'a ObjectKey, ResolvedPod<'a>>);

// === impl ResolvedPods ===

impl<'a> ResolvedPods<'a> {
    /// The Pod with its labels.
    pub(super) fn resolve(&mut self, view: &View<'_>, pod: &'a Pod) -> ResolvedPod<'a> {
        let drafted = self.0.entry(&pod.meta.key).or_insert_with(|| {
            let mut labels = Draft::default();
            set_pod(&mut labels, view, pod);
            let labels = Rc::new(labels);
            ResolvedPod { pod, labels }
        });
        drafted.clone()
    }
}
