//! The client by which faults are judged: it asks every ten seconds, and an error leaves it the targets
//! that it has.

use crate::support::asked::{Answer, Asked};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Everything that has a watch or a read of its own is asked for.
const QUERIES: [&str; 4] = [
    "pod?attach=node&attach=namespace&attach=deployment",
    "endpointslice?attach=node",
    "endpoints",
    "node",
];

/// The time from one refresh to the next.
pub(crate) const REFRESH: Duration = Duration::from_secs(10);

/// What a Prometheus has: the last good answer to each query.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Prometheus {
    has: [Option<Answer>; QUERIES.len()],
}

// === impl Prometheus ===

impl Prometheus {
    /// Asks everything once.
    pub(super) async fn refresh(&mut self, asked: &Asked) {
        let patience = REFRESH - Duration::from_millis(500);
        let answers = tokio::join!(
            asked.ask(QUERIES[0], patience),
            asked.ask(QUERIES[1], patience),
            asked.ask(QUERIES[2], patience),
            asked.ask(QUERIES[3], patience),
        );
        for (has, answer) in self.has.iter_mut().zip([answers.0, answers.1, answers.2, answers.3]) {
            if let Ok(answer) = answer {
                *has = Some(answer);
            }
        }
    }

    /// Refreshes until it has all that `expected` has; how long that took, if not longer than `deadline`.
    pub(super) async fn refresh_until(
        &mut self,
        asked: &Asked,
        expected: &Self,
        deadline: Duration,
    ) -> Option<Duration> {
        let began = Instant::now();
        while self != expected {
            if began.elapsed() > deadline {
                return None;
            }
            let next = Instant::now() + REFRESH;
            self.refresh(asked).await;
            sleep_until(next).await;
        }
        Some(began.elapsed())
    }

    /// The targets of each query.
    pub(super) fn targets(&self) -> Vec<BTreeSet<String>> {
        self.has.iter().map(|has| has.as_ref().map(Answer::targets).unwrap_or_default()).collect()
    }

    /// Whether there has been an answer to each query.
    pub(super) fn has_all(&self) -> bool {
        self.has.iter().all(Option::is_some)
    }

    /// Whether one of the answers has no target.
    pub(super) fn has_an_empty_answer(&self) -> bool {
        self.has.iter().flatten().any(|answer| answer.targets().is_empty())
    }

    /// Of these targets, the addresses of those that are missing.
    pub(super) fn lacks(&self, targets: &[BTreeSet<String>]) -> Vec<String> {
        let missing = |(targets, now): (&BTreeSet<String>, BTreeSet<String>)| {
            targets.difference(&now).map(|target| address(target)).collect::<Vec<_>>()
        };
        targets.iter().zip(self.targets()).flat_map(missing).collect()
    }
}

/// A group's JSON begins with its address.
fn address(target: &str) -> String {
    target.chars().take_while(|c| *c != ']').collect()
}
