//! When a new configuration is applied.
//!
//! A bad configuration reaches all nodes at once, so that time is what protects: nodes take a change one after
//! the other, and a change that would drop many targets waits until somebody can have noticed. It is
//! applied then, because it may be meant.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

/// How long changes wait.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// Changes that would remove many targets.
    pub hold: Duration,
    /// Nodes take a change at moments within this window.
    pub spread: Duration,
    /// The least time between two changes.
    pub pause: Duration,
}

/// A configuration that could be applied, and what it would do to this node's targets.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its text.
    pub text: &'a str,
    /// What it would do to this node's targets; nothing, while that cannot be known.
    pub impact: Option<Impact>,
}

/// What a configuration does to a node's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    /// How many targets the node has with the applied configuration.
    pub before: usize,
    /// How many of those it would still have.
    pub left: usize,
}

/// What is to be done with a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is what is applied.
    Same,
    /// To be applied now.
    Apply,
    /// To be judged again at that time.
    Wait(SystemTime),
    /// The same, because it would remove so many of the targets.
    Hold {
        /// When it is applied, if it is still so.
        until: SystemTime,
        /// How many targets it would remove.
        removes: usize,
    },
}

/// Knows what is applied and since when something waits.
#[derive(Clone, Debug)]
pub struct Guard {
    waits: Waits,
    /// This node's place in the window.
    offset: Duration,
    applied: Option<String>,
    applied_at: Option<SystemTime>,
    waiting: Waiting,
}

/// Since when something waits. Kept over restarts, so that these do not shorten a wait, and do not
/// lengthen it either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Since a candidate differs from what is applied.
    pub changed: Option<SystemTime>,
    /// Since one would remove many targets.
    pub shrinking: Option<SystemTime>,
}

/// Of a hundred targets, so many may go without a hold.
const MAY_GO_PERCENT: usize = 30;

impl Guard {
    /// For that node, with what is applied (nothing, on a first start) and how long something waits already.
    pub fn new(node: &str, waits: Waits, applied: Option<String>, waiting: Waiting) -> Self {
        let mut hasher = DefaultHasher::new(); // the same in all processes
        node.hash(&mut hasher);
        let share = (hasher.finish() % 1_000_000) as f64 / 1_000_000.0;
        Self { waits, offset: waits.spread.mul_f64(share), applied, applied_at: None, waiting }
    }

    /// What is applied.
    pub fn applied(&self) -> Option<&str> {
        self.applied.as_deref()
    }

    /// Since when something waits.
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// What is to be done with a candidate at that time.
    pub fn judge(&mut self, candidate: Candidate<'_>, now: SystemTime) -> Verdict {
        match &self.applied {
            None => return Verdict::Apply, // whatever there is, is more than nothing
            Some(applied) if applied == candidate.text => {
                self.waiting = Waiting::default();
                return Verdict::Same;
            }
            Some(_) => {}
        }
        // A clock that was set back must not make a wait longer than it is.
        let since = |begun: Option<SystemTime>| begun.map_or(now, |begun| begun.min(now));
        self.waiting.changed = Some(since(self.waiting.changed));
        let held = self.waits.hold + self.offset;
        let Some(Impact { before, left }) = candidate.impact else {
            let begun = since(self.waiting.shrinking.or(self.waiting.changed));
            let until = begun + held;
            return if now < until { Verdict::Wait(until) } else { Verdict::Apply };
        };
        let removes = before.saturating_sub(left);
        let shrinks = removes * 100 > before * MAY_GO_PERCENT;
        self.waiting.shrinking = shrinks.then(|| since(self.waiting.shrinking));
        if let Some(shrinking) = self.waiting.shrinking {
            let until = shrinking + held;
            if now < until {
                return Verdict::Hold { until, removes };
            }
        }
        let spread = since(self.waiting.changed) + self.offset;
        let paused = self.applied_at.map_or(now, |applied| applied.min(now) + self.waits.pause);
        let until = spread.max(paused);
        if now < until { Verdict::Wait(until) } else { Verdict::Apply }
    }

    /// The text has been applied at that time.
    pub fn has_applied(&mut self, text: String, now: SystemTime) {
        self.applied = Some(text);
        self.applied_at = Some(now);
        self.waiting = Waiting::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const WAITS: Waits =
        Waits { hold: Duration::from_secs(900), spread: MINUTE, pause: Duration::from_secs(10) };

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    fn guard() -> Guard {
        Guard::new("node-a", WAITS, Some("old".to_owned()), Waiting::default())
    }

    fn candidate(text: &str, before: usize, left: usize) -> Candidate<'_> {
        Candidate { text, impact: Some(Impact { before, left }) }
    }

    #[test]
    fn the_first_is_applied_at_once() {
        let mut guard = Guard::new("node-a", WAITS, None, Waiting::default());
        assert_eq!(guard.judge(candidate("new", 0, 0), start()), Verdict::Apply);
    }

    #[test]
    fn what_is_applied_needs_nothing() {
        assert_eq!(guard().judge(candidate("old", 10, 10), start()), Verdict::Same);
    }

    #[test]
    fn nodes_take_a_change_at_different_times() {
        let mut times = std::collections::BTreeSet::new();
        for node in 0..100 {
            let old = Some("old".to_owned());
            let mut guard = Guard::new(&format!("node-{node}"), WAITS, old, Waiting::default());
            let until = match guard.judge(candidate("new", 10, 10), start()) {
                Verdict::Wait(until) => until,
                verdict => panic!("{verdict:?}"),
            };
            assert!(until <= start() + MINUTE);
            assert_eq!(guard.judge(candidate("newer", 10, 10), until), Verdict::Apply);
            times.insert(until);
        }
        assert!(times.len() > 90, "{}", times.len());
        assert!(
            *times.last().unwrap() > start() + MINUTE / 2
                && *times.first().unwrap() < start() + MINUTE / 2
        );
    }

    #[test]
    fn a_change_that_removes_many_targets_is_held() {
        for (before, left, held) in
            [(10, 7, false), (10, 6, true), (1, 0, true), (0, 0, false), (10, 10, false)]
        {
            let verdict = guard().judge(candidate("new", before, left), start());
            assert_eq!(
                matches!(verdict, Verdict::Hold { .. }),
                held,
                "{before} {left}: {verdict:?}"
            );
        }
        let mut guard = guard();
        let until = start() + WAITS.hold + guard.offset;
        let hold = Verdict::Hold { until, removes: 10 };
        assert_eq!(guard.judge(candidate("new", 10, 0), start()), hold);
        // Another one that does so, too, waits no longer.
        let later = start() + MINUTE;
        assert_eq!(guard.judge(candidate("newer", 10, 0), later), hold);
        // Nor does one after a restart.
        let waiting = guard.waiting();
        let mut again = Guard::new("node-a", WAITS, Some("old".to_owned()), waiting);
        assert_eq!(again.judge(candidate("newer", 10, 0), later), hold);
        assert_eq!(again.judge(candidate("newer", 10, 0), until), Verdict::Apply);
        // One that does not is not held by it.
        assert_eq!(guard.judge(candidate("good", 10, 9), later), Verdict::Apply);
        // What comes back begins anew.
        let back = later + MINUTE;
        let hold = Verdict::Hold { until: back + WAITS.hold + guard.offset, removes: 5 };
        assert_eq!(guard.judge(candidate("bad", 10, 5), back), hold);
    }

    /// As after a restart, before the first sync.
    #[test]
    fn what_it_does_not_know_it_does_not_apply_before_a_hold_is_over() {
        let unknown = |text| Candidate { text, impact: None };
        let mut guard = guard();
        let until = start() + WAITS.hold + guard.offset;
        guard.judge(candidate("new", 10, 0), start());
        let mut again = Guard::new("node-a", WAITS, Some("old".to_owned()), guard.waiting());
        let later = start() + MINUTE * 2;
        assert_eq!(again.judge(unknown("new"), later), Verdict::Wait(until));
        assert_eq!(
            again.judge(candidate("new", 10, 0), later),
            Verdict::Hold { until, removes: 10 }
        );
        assert_eq!(again.judge(unknown("new"), until), Verdict::Apply);
    }

    #[test]
    fn many_changes_are_applied_with_pauses() {
        let mut guard = guard();
        let (mut now, mut applied) = (start(), 0);
        for number in 0..60_000 {
            let text = format!("edit {number}");
            if guard.judge(candidate(&text, 10, 10), now) == Verdict::Apply {
                guard.has_applied(text, now);
                applied += 1;
            }
            now += Duration::from_millis(10);
        }
        assert!((5..=60).contains(&applied), "{applied} in ten minutes");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_wait_longer() {
        let mut guard = guard();
        guard.judge(candidate("new", 10, 0), start() + Duration::from_secs(86_400));
        let hold = Verdict::Hold { until: start() + WAITS.hold + guard.offset, removes: 10 };
        assert_eq!(guard.judge(candidate("new", 10, 0), start()), hold);
    }
}
