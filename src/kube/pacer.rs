//! One budget for all requests of the process.

use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// A token bucket that bounds the requests of the whole process, whatever the loops do.
///
/// The arithmetic: a full bucket holds 20 tokens and 21 a minute come in, so that any ten minutes
/// see at most 230 requests and the first minute of a fault at most 41: below the promised 300 and
/// 60, also with a few requests that were under way already.
///
/// A normal start needs more: large lists have many pages, and each owner of a Pod is read by name.
/// Such requests ([`Turn::Extra`]) come out of an allowance of 400 as long as nothing fails. The
/// first failure takes the allowance away; ten minutes without one fill it again. So a
/// fault finds only the bucket, and a start without a fault is not slowed down.
#[derive(Debug)]
pub(super) struct Pacer {
    state: Mutex<State>,
}

/// What a request is for, and so what it may draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Own Pods: the last token is theirs.
    Pods,
    /// Other lists and watches.
    Other,
    /// The next page of a list, or an owner: one of many that a normal start needs.
    Extra,
    /// Something that a person wants to know, and nothing depends on.
    Lookup,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    counted_at: Instant,
    allowance: u32,
    /// The last failure, or the last time that the allowance was filled.
    calm_since: Instant,
}

const FULL: f64 = 20.0;
const PER_SECOND: f64 = 21.0 / 60.0;
const ALLOWANCE: u32 = 400;
const CALM: Duration = Duration::from_secs(10 * 60);

// === impl Pacer ===

impl Pacer {
    /// A full bucket and a full allowance.
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                tokens: FULL,
                counted_at: Instant::now(),
                allowance: ALLOWANCE,
                calm_since: Instant::now(),
            }),
        }
    }

    /// Waits until a request may be made.
    pub(super) async fn wait(&self, turn: Turn) {
        while let Some(wait) = self.try_take(turn) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether a request may be made now, for those that need not be made at all.
    pub(super) fn try_now(&self, turn: Turn) -> bool {
        self.try_take(turn).is_none()
    }

    /// Tells that a request failed.
    pub(super) fn failed(&self) {
        let mut state = self.lock();
        state.allowance = 0;
        state.calm_since = Instant::now();
    }

    /// Takes a token, or says how long to wait before the next try.
    fn try_take(&self, turn: Turn) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.lock();
        let gained = now.duration_since(state.counted_at).as_secs_f64() * PER_SECOND;
        state.tokens = FULL.min(state.tokens + gained);
        state.counted_at = now;
        if now.duration_since(state.calm_since) >= CALM {
            state.allowance = ALLOWANCE;
            state.calm_since = now;
        }
        if turn == Turn::Extra && state.allowance > 0 {
            state.allowance -= 1;
            return None;
        }
        // What the more important turns find left.
        let reserve = match turn {
            Turn::Pods => 0.0,
            Turn::Other => 2.0,
            Turn::Extra => 5.0,
            Turn::Lookup => 10.0,
        };
        let missing = 1.0 + reserve - state.tokens;
        if missing <= 0.0 {
            state.tokens -= 1.0;
            return None;
        }
        // A little more than the arithmetic says, because the sum of rounded times falls short.
        Some(Duration::from_secs_f64(missing / PER_SECOND) + Duration::from_millis(1))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl Default for Pacer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn requests_within(pacer: &Pacer, turn: Turn, window: Duration) -> u32 {
        let mut made = 0;
        let count = async {
            loop {
                pacer.wait(turn).await;
                made += 1;
            }
        };
        let _ = tokio::time::timeout(window, count).await;
        made
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_is_bounded() {
        for turn in [Turn::Pods, Turn::Other, Turn::Extra, Turn::Lookup] {
            let pacer = Pacer::new();
            pacer.failed();
            let first = requests_within(&pacer, turn, Duration::from_secs(60)).await;
            let rest = requests_within(&pacer, turn, Duration::from_secs(540)).await;
            assert!((30..=41).contains(&first), "{turn:?}: {first} in the first minute");
            assert!((200..=230).contains(&(first + rest)), "{turn:?}: {first} + {rest}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_calm_start_may_read_many_owners() {
        let pacer = Pacer::new();
        let instant = Duration::from_millis(1);
        assert_eq!(requests_within(&pacer, Turn::Extra, instant).await, ALLOWANCE + 15);
        assert_eq!(requests_within(&pacer, Turn::Pods, instant).await, 5, "the reserve");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_leaves_half_of_the_bucket() {
        let pacer = Pacer::new();
        let made = (0..100).filter(|_| pacer.try_now(Turn::Lookup)).count();
        assert_eq!(made, 10);
        let instant = Duration::from_millis(1);
        assert_eq!(requests_within(&pacer, Turn::Extra, instant).await, ALLOWANCE + 5);
    }

    #[tokio::test(start_paused = true)]
    async fn calm_brings_the_allowance_back() {
        let pacer = Pacer::new();
        pacer.failed();
        tokio::time::advance(CALM).await;
        let made = requests_within(&pacer, Turn::Extra, Duration::from_millis(1)).await;
        assert_eq!(made, ALLOWANCE + 15);
    }
}
