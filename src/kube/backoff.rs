//! How long a loop waits after a failure.

use super::timing::part_of;
use std::time::Duration;

/// Growing delays with full jitter: a random part of 2 s, then of 0.8 s, 1.6 s, … up to 30 s. All
/// nodes lose the API server at the same moment, so each delay must be random from nothing up.
///
/// It starts over only when [`calm`](Self::calm) is called: one good answer proves nothing, and a
/// server that fails every other request would otherwise be asked without pause.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    refusals: u32,
}

const FIRST: Duration = Duration::from_secs(2);
const BASE: Duration = Duration::from_millis(800);
const MOST: Duration = Duration::from_secs(30);
/// So many refusals may be those of an API server that has just started.
const DOUBTED: u32 = 4;

impl Backoff {
    /// The delay after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let bound = match self.failures {
            0 => FIRST,
            n => MOST.min(BASE * 2_u32.pow((n - 1).min(10))),
        };
        self.failures += 1;
        part_of(bound)
    }

    /// One more refusal that only a person can help with. Whether it is believed: an API server that has just
    /// started refuses what it allows a few seconds later, when it has read all its RBAC rules.
    pub(super) fn believes_refusal(&mut self) -> bool {
        self.refusals += 1;
        self.refusals > DOUBTED
    }

    /// All is well again.
    pub(super) fn calm(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_bound_and_starts_over() {
        let mut backoff = Backoff::default();
        for bound in [2.0, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0] {
            let delay = backoff.next().as_secs_f64();
            assert!(delay <= bound, "{delay} > {bound}");
        }
        let later: Duration = (0..100).map(|_| backoff.next()).sum();
        assert!(later > Duration::from_secs(600), "a hundred delays of 15 s on average");
        backoff.calm();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn the_first_refusals_are_doubted() {
        let mut backoff = Backoff::default();
        let mut believed = || (0..6).map(|_| backoff.believes_refusal()).collect::<Vec<_>>();
        assert_eq!(believed(), [false, false, false, false, true, true]);
        backoff.calm();
        assert!(!backoff.believes_refusal());
    }
}
