//! Long poll: an answer that the client has already is held until it is another one.
//!
//! The first request for a URL on a connection is answered at once: a Prometheus that starts comes on a
//! new connection. Each later one is answered at once if the answer has changed since, else when it
//! changes, but in time before the client's refresh interval is over; then in full, since Prometheus
//! takes a 304 for an error. Connections tell clients apart, as nothing else does.

use super::caller::{has, refresh_interval};
use super::conversation::{Conversation, Cut};
use crate::sd::{Answers, Holds, NotSynced, Question, Rendered, Tag, hold_time, patience};
use http::Method;
use http::request::Parts;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::{Instant, sleep_until};

/// Answers, held where that is asked for.
#[derive(Debug)]
pub(super) struct LongPoll {
    answers: Arc<Answers>,
    holds: Arc<Holds>,
    ended: [AtomicU64; Outcome::ALL.len()],
}

/// Why an answer was held no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is another one.
    Changed,
    /// The client waits no longer.
    Unchanged,
    /// It is time to stop.
    Shutdown,
    /// Its connection had to make room.
    Released,
}

// === impl Outcome ===

impl Outcome {
    pub(super) const ALL: [Self; 4] =
        [Self::Changed, Self::Unchanged, Self::Shutdown, Self::Released];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Shutdown => "shutdown",
            Self::Released => "released",
        }
    }
}

// === impl LongPoll ===

impl LongPoll {
    pub(super) fn new(answers: Arc<Answers>) -> Self {
        let holds = Arc::new(Holds::new(Arc::clone(&answers)));
        Self { answers, holds, ended: Default::default() }
    }

    /// How many requests are held now.
    pub(super) fn held(&self) -> usize {
        self.holds.held()
    }

    /// How many were held until then, and were answered.
    pub(super) fn ended(&self) -> [(Outcome, u64); Outcome::ALL.len()] {
        Outcome::ALL.map(|outcome| (outcome, self.ended[outcome as usize].load(Ordering::Relaxed)))
    }

    /// The answer to a request, when it is due. `may_hold`: whether the question allows it to be held.
    ///
    /// # Errors
    /// If a resource that the query needs does not sync while the caller waits.
    pub(super) async fn answer(
        &self,
        request: &Parts,
        question: Question,
        may_hold: bool,
    ) -> Result<Rendered, NotSynced> {
        let came = Instant::now();
        let question = Arc::new(question);
        let asked_in = request.uri.query().map_or(0, str::len);
        let interval = refresh_interval(&request.headers);
        let answer =
            self.answers.answer(Arc::clone(&question), asked_in, patience(interval)).await?;
        // To HEAD no answer is sent that the client could have from then on.
        let conversation = request.extensions.get::<Arc<Conversation>>();
        let Some(conversation) = conversation.filter(|_| request.method == Method::GET) else {
            return Ok(answer);
        };
        let url = request.uri.path_and_query().map_or("", |url| url.as_str());
        let is_known = conversation.sent(url) == Some(answer.tag)
            // Whoever says so that it has another one did not get ours: a proxy did, for somebody else.
            && has(&request.headers, answer.tag).unwrap_or(true);
        let time = hold_time(interval, answer.body.len(), self.held());
        let answer = match time.filter(|_| may_hold && is_known) {
            Some(time) => {
                let known = answer.tag;
                drop(answer); // thousands may be held; what is kept of an answer is up to the cache
                self.hold(conversation, (&question, asked_in), known, came + time).await?
            }
            None => answer,
        };
        conversation.remember(url, answer.tag);
        Ok(answer)
    }

    async fn hold(
        &self,
        conversation: &Conversation,
        (question, asked_in): (&Arc<Question>, usize),
        known: Tag,
        deadline: Instant,
    ) -> Result<Rendered, NotSynced> {
        let held = conversation.hold();
        let (changed, outcome) = tokio::select! {
            biased;
            answer = self.holds.changed(question, asked_in, known) => (Some(answer), Outcome::Changed),
            cut = held.cut() => match cut {
                Cut::Shutdown => (None, Outcome::Shutdown),
                Cut::Room => (None, Outcome::Released),
            },
            () = sleep_until(deadline) => (None, Outcome::Unchanged),
        };
        let answer = match changed {
            Some(answer) => answer,
            None => self.answers.answer_now(question, asked_in)?,
        };
        // It may have changed a moment ago.
        let outcome = match outcome {
            Outcome::Unchanged if answer.tag != known => Outcome::Changed,
            outcome => outcome,
        };
        self.ended[outcome as usize].fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }
}
