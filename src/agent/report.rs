//! What became of jobs, for people and metrics.

use super::state::JobCounts;
use crate::config::{Fate, Job};
use std::collections::BTreeSet;
use tracing::warn;

/// Counts the jobs and names those that are not simply there. What was said the last time is not said again.
pub(super) fn report(jobs: &[Job], said: &mut BTreeSet<String>) -> JobCounts {
    let mut counts = JobCounts::default();
    let mut lines = BTreeSet::new();
    for Job { name, fate, dropped } in jobs {
        match fate {
            Fate::Kept => counts.kept += 1,
            Fate::Rewritten => counts.rewritten += 1,
            Fate::Dropped => counts.dropped += 1,
            Fate::LastGood(why) => {
                counts.last_good += 1;
                lines.insert(format!("job {name} keeps its last good form: {why}"));
            }
            Fate::Refused(why) => {
                counts.refused += 1;
                lines.insert(format!("job {name} is left out: {why}"));
            }
        }
        let whole = matches!(fate, Fate::Dropped);
        let what = if whole { "is not for nodes:" } else { "is without" };
        lines.extend(dropped.iter().map(|why| format!("job {name} {what} {why}")));
    }
    for line in lines.difference(said) {
        warn!("{line}");
    }
    *said = lines;
    counts
}
