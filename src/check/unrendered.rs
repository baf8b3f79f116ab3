//! Sources of manifests that are not what is applied.

use super::finding::{Finding, Verdict};
use super::set::Set;

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    let kinds = ["Kustomization", "Component"];
    let mut all = kinds.into_iter().flat_map(|kind| set.all("kustomize.config.k8s.io", kind));
    // Once: a folder mostly has several.
    if let Some(first) = all.next() {
        let finding = Finding::of(Verdict::Note, first, "");
        findings.push(
            finding
                .because("what kustomizations change is not seen")
                .instead("judge what is applied: kubectl kustomize FOLDER | nodelocal-sd check -"),
        );
    }
}
