//! Waiting for another answer: the long poll, without the HTTP.
//!
//! Thousands may wait, and each change of the snapshot can concern all of them. So they do not look
//! by themselves: one task does, one rendering for each question however many ask it, and lets all
//! others run in between. It is there only while somebody waits.

use super::answer::{Answers, FRESH_OWNERS, Lack};
use super::cache::Question;
use super::render::{Rendered, Tag};
use crate::index::Snapshot;
use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

/// From a change to the look at it, whatever else changes meanwhile. Who has got its answer asks again only at the end
/// of its interval, so what comes with a change should be in the same answer; and Prometheus itself
/// takes seconds from there to a scrape.
const GATHER: Duration = Duration::from_millis(100);

/// Who gets the same answer is told in groups, so that thousands of answers being written do not
/// keep others from being read.
const AT_ONCE: usize = 64;

/// All who wait.
#[derive(Debug)]
pub struct Holds {
    answers: Arc<Answers>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    groups: HashMap<Arc<Question>, Group>,
    held: usize,
    tickets: u64,
    /// Nobody looks as long as it lies here.
    versions: Option<watch::Receiver<u64>>,
}

/// Those who ask the same.
#[derive(Debug)]
struct Group {
    asked_in: usize,
    waiting: BTreeMap<u64, Waiting>,
    /// The snapshot whose answer all of them know.
    looked_at: Option<Arc<Snapshot>>,
}

#[derive(Debug)]
struct Waiting {
    known: Tag,
    answer: oneshot::Sender<Rendered>,
}

/// One who waits; dropping it forgets it.
#[derive(Debug)]
struct Ticket<'a> {
    holds: &'a Holds,
    question: &'a Arc<Question>,
    number: u64,
}

// === impl Holds ===

impl Holds {
    /// Nobody waits yet.
    pub fn new(answers: Arc<Answers>) -> Self {
        let table = Table { versions: Some(answers.versions()), ..Table::default() };
        Self { answers, table: Mutex::new(table) }
    }

    /// How many wait.
    pub fn held(&self) -> usize {
        self.lock().held
    }

    /// The first answer to the question that is another than the known one; perhaps never. `asked_in` is the
    /// length of the question's text in bytes.
    pub async fn changed(
        self: &Arc<Self>,
        question: &Arc<Question>,
        asked_in: usize,
        known: Tag,
    ) -> Rendered {
        let (answer, told) = oneshot::channel();
        let _ticket = self.add(question, asked_in, Waiting { known, answer });
        match told.await {
            Ok(answer) => answer,
            Err(_) => pending().await, // it is told before it is forgotten
        }
    }

    fn add<'a>(
        self: &'a Arc<Self>,
        question: &'a Arc<Question>,
        asked_in: usize,
        waiting: Waiting,
    ) -> Ticket<'a> {
        let mut table = self.lock();
        table.tickets += 1;
        table.held += 1;
        let number = table.tickets;
        let group = table.groups.entry(Arc::clone(question)).or_insert_with(|| Group {
            asked_in,
            waiting: BTreeMap::new(),
            looked_at: None,
        });
        group.waiting.insert(number, waiting);
        group.looked_at = None; // its answer may be of another one
        if let Some(versions) = table.versions.take() {
            tokio::spawn(Arc::clone(self).follow(versions));
        }
        Ticket { holds: self, question, number }
    }

    /// Looks whenever the snapshot has changed, until nobody waits any more.
    async fn follow(self: Arc<Self>, mut versions: watch::Receiver<u64>) {
        let mut owners_due = None;
        loop {
            let owners = async {
                match owners_due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                changed = versions.changed() => match changed {
                    Ok(()) => sleep(GATHER).await,
                    Err(_) => return, // there will be no snapshot any more
                },
                () = owners => {}
            }
            versions.mark_unchanged(); // before the look, so that none is missed
            let took;
            (owners_due, took) = self.look_at_all(owners_due).await;
            if self.rests(&mut versions) {
                return;
            }
            // With thousands of questions a look takes seconds, and in a cluster where something always
            // changes it would never end. Nine tenths of the time are for others.
            sleep(took * 9).await;
        }
    }

    /// One look at each question. When to look again even if nothing changes, because owners of fresh Pods
    /// have not been read: until then, if that is how it was before, they are waited for. And how long all of it took,
    /// without what others did meanwhile.
    async fn look_at_all(&self, owners_due: Option<Instant>) -> (Option<Instant>, Duration) {
        let mut took = Duration::ZERO;
        let are_due = owners_due.is_some_and(|due| due <= Instant::now());
        let mut lacks_owners = false;
        for (question, asked_in) in self.questions() {
            let began = Instant::now();
            let (snapshot, lack) = self.answers.look(question.query());
            let news = match lack {
                Lack::Sync(_) => None, // what it knows is the best that there is
                Lack::FreshOwners if !are_due => {
                    lacks_owners = true;
                    None
                }
                Lack::FreshOwners | Lack::Nothing => self
                    .is_news(&question, &snapshot)
                    .then(|| self.answers.rendered(&question, asked_in, &snapshot)),
            };
            took += began.elapsed();
            if let Some(answer) = news {
                self.tell(&question, &answer).await;
            }
            yield_now().await;
        }
        let due = || owners_due.unwrap_or_else(|| Instant::now() + FRESH_OWNERS);
        (lacks_owners.then(due), took)
    }

    async fn tell(&self, question: &Question, answer: &Rendered) {
        for (told, waiting) in self.take_others(question, answer.tag).into_iter().enumerate() {
            let _ = waiting.answer.send(answer.clone()); // who has gone needs none
            if told % AT_ONCE == AT_ONCE - 1 {
                yield_now().await;
            }
        }
    }

    fn questions(&self) -> Vec<(Arc<Question>, usize)> {
        let table = self.lock();
        let questions = table.groups.iter();
        questions.map(|(question, group)| (Arc::clone(question), group.asked_in)).collect()
    }

    /// Whether the answer may be another than the one that is known; looked at it is from now on.
    fn is_news(&self, question: &Question, snapshot: &Arc<Snapshot>) -> bool {
        let query = question.query();
        let resources = query.needs(snapshot.endpoints_from).resources;
        let mut table = self.lock();
        let Some(group) = table.groups.get_mut(question) else {
            return false; // all have gone
        };
        let before = group.looked_at.replace(Arc::clone(snapshot));
        !before.is_some_and(|before| snapshot.is_same_in(&before, resources, &query.namespaces))
    }

    /// Those who know another answer. They are held until they have been told.
    fn take_others(&self, question: &Question, tag: Tag) -> Vec<Waiting> {
        let mut table = self.lock();
        let Some(group) = table.groups.get_mut(question) else {
            return Vec::new();
        };
        let others = group.waiting.extract_if(.., |_, waiting| waiting.known != tag);
        others.map(|(_, waiting)| waiting).collect()
    }

    /// Whether nobody waits. Then whoever is the next to wait finds `versions` as it is now.
    fn rests(&self, versions: &mut watch::Receiver<u64>) -> bool {
        let mut table = self.lock();
        if table.held > 0 {
            return false;
        }
        table.versions = Some(versions.clone());
        true
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds this lock")
    }
}

// === impl Ticket ===

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut table = self.holds.lock();
        table.held -= 1;
        if let Some(group) = table.groups.get_mut(self.question) {
            group.waiting.remove(&self.number);
            if group.waiting.is_empty() {
                table.groups.remove(self.question);
            }
        }
    }
}
