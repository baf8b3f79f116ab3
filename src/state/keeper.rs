//! When the state is saved.

use super::file::StateFile;
use super::format::State;
use crate::index::{Progress, Snapshots};
use crate::objects::Resource;
use crate::status::Board;
use std::io;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard};
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// Saves the state of a sidecar as it changes.
#[derive(Debug)]
pub struct Keeper {
    file: StateFile,
    snapshots: Arc<Snapshots>,
    board: Arc<Board>,
    identity: watch::Receiver<Option<String>>,
    /// The version and the progress that were saved last.
    last: Mutex<Option<(u64, Progress)>>,
    status: StdMutex<Status>,
}

/// How it is going, for metrics.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// States written.
    pub writes: u64,
    /// States that could not be written.
    pub failures: u64,
    /// When the state was written that is on disk, as far as that is known.
    pub written: Option<SystemTime>,
    /// Why the last one could not be written.
    trouble: Option<String>,
}

/// So long after a change it is saved, with all that came meanwhile.
const PAUSE: Duration = Duration::from_secs(10);

/// The pause is this many times as long as the last writing took: at most a hundredth of a core.
const SHARE: u32 = 100;

/// If nothing but the versions moves on: a watch that resumes from an old one is asked to list. Bookmarks come
/// once a minute, and each save costs a write to disk.
const VERSIONS: Duration = Duration::from_secs(5 * 60);

/// How often is looked whether what was restored is confirmed.
const LOOK: Duration = Duration::from_secs(30);

/// At the end: what takes longer is not worth being killed for.
const LAST: Duration = Duration::from_secs(5);

// === impl Keeper ===

impl Keeper {
    /// Saves to that file what these say, once the cluster's identity is told. `written` is when the state was
    /// saved that was restored.
    pub fn new(
        file: StateFile,
        (snapshots, board): (&Arc<Snapshots>, &Arc<Board>),
        identity: watch::Receiver<Option<String>>,
        written: Option<SystemTime>,
    ) -> Self {
        Self {
            file,
            snapshots: Arc::clone(snapshots),
            board: Arc::clone(board),
            identity,
            last: Mutex::default(),
            status: StdMutex::new(Status { written, ..Status::default() }),
        }
    }

    /// Saves each change, until it is dropped.
    pub async fn keep(self: Arc<Self>) {
        let mut identity = self.identity.clone();
        if identity.wait_for(Option::is_some).await.is_err() {
            return; // it cannot be known
        }
        let mut versions = self.snapshots.subscribe();
        let mut pause = PAUSE;
        loop {
            sleep(pause).await;
            versions.borrow_and_update();
            let began = Instant::now();
            let is_saved = self.save().await;
            pause = PAUSE.max(began.elapsed() * SHARE);
            let wait = if is_saved { VERSIONS } else { LOOK };
            tokio::select! {
                changed = versions.changed() => if changed.is_err() { return },
                () = sleep(wait) => {}
            }
        }
    }

    /// Saves the state before the process ends, if that can be done soon.
    pub async fn save_last(&self) {
        if timeout(LAST, self.save()).await.is_err() {
            warn!("the state could not be saved within {} s", LAST.as_secs());
        }
    }

    /// How it is going.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    /// Saves what has changed. False if there is something that cannot be saved.
    async fn save(&self) -> bool {
        let mut last = self.last.lock().await;
        // In this order, see `Snapshots::progress`.
        let progress = self.snapshots.progress().borrow().clone();
        let snapshot = self.snapshots.load();
        let Some(identity) = self.identity.borrow().clone() else { return false };
        // What was restored and not confirmed keeps its age.
        if !snapshot.synced.contains(Resource::Pods) || self.board.is_stale() {
            return false;
        }
        let saved = Some((snapshot.version, progress.clone()));
        if *last == saved {
            return true;
        }
        let (file, state) = (self.file.clone(), State { snapshot, progress, identity });
        let now = SystemTime::now();
        let written = tokio::task::spawn_blocking(move || file.write(&state, now)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        let is_written = self.note(written, now);
        if is_written {
            *last = saved;
        }
        is_written
    }

    fn note(&self, written: io::Result<()>, now: SystemTime) -> bool {
        let mut status = self.lock();
        match written {
            Ok(()) => {
                status.writes += 1;
                status.written = Some(now);
                if status.trouble.take().is_some() {
                    info!("the state is saved again");
                }
                true
            }
            Err(error) => {
                status.failures += 1;
                let trouble = Some(error.to_string());
                if status.trouble != trouble {
                    warn!("{error}; a restart will have to list everything");
                    status.trouble = trouble;
                }
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().expect("nothing panics while it holds this lock")
    }
}
