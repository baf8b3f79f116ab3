//! When files are written.

use super::state::FileSdState;
use super::{Output, Settings};
use crate::demand::Demand;
use crate::files;
use crate::index::{Needs, Snapshot, Snapshots};
use crate::sd::render;
use crate::targets::build;
use bytes::Bytes;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, info, warn};

/// So long after a change the files are written, with all that came meanwhile: a Pod that starts is several
/// changes.
const GATHER: Duration = Duration::from_millis(100);
/// From one round to the next at the least. So a change is in the files 0.1 s after it, or 1.1 s when changes
/// follow each other. Prometheus takes what it reads over every few seconds.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause is this many times as long as the last round kept the only thread busy.
const SHARE: u32 = 10;
/// The longest pause, also while files cannot be written.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often the files are looked at without a change: somebody may have taken one away. Below
/// [`crate::demand::UNUSED_AFTER`], so that what they need stays watched.
const LOOK: Duration = Duration::from_secs(60);
/// How long files wait for the owners of fresh Pods, as an answer of http_sd does.
const FRESH_OWNERS: Duration = Duration::from_secs(1);
/// Prometheus may be another user. Who else can look is up to the folder.
const MODE: u32 = 0o644;

/// Keeps the files as the latest snapshot says.
#[derive(Debug)]
pub(super) struct Writer {
    settings: Settings,
    snapshots: Arc<Snapshots>,
    demand: Arc<Demand>,
    state: Arc<FileSdState>,
    needs: Needs,
    /// What was rendered last of each output.
    rendered: Vec<Option<Content>>,
    /// How writing fails, if it does; told once.
    trouble: Option<ErrorKind>,
}

/// What a file should be.
#[derive(Clone, Debug)]
struct Content {
    /// As of that version of the snapshot.
    version: u64,
    targets: usize,
    body: Bytes,
}

/// How far the files are.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    /// All are as they should be.
    Done,
    /// Those are whose needs have synced.
    Unsynced,
    /// Some could not be written.
    Failed,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        settings: Settings,
        snapshots: Arc<Snapshots>,
        demand: Arc<Demand>,
        state: Arc<FileSdState>,
    ) -> Self {
        let from = snapshots.load().endpoints_from;
        let needs = settings.outputs.iter().map(|output| output.query.needs(from));
        let needs = needs.fold(Needs::default(), Needs::and);
        demand.need(&needs);
        state.lock().needs = needs.clone();
        let rendered = vec![None; settings.outputs.len()];
        Self { settings, snapshots, demand, state, needs, rendered, trouble: None }
    }

    /// Writes for good.
    pub(super) async fn run(mut self) {
        self.tell_of_others();
        let mut versions = self.snapshots.subscribe();
        let mut pause = PAUSE;
        loop {
            versions.borrow_and_update();
            let mut busy = Duration::ZERO;
            let round = self.round(&mut busy).await;
            pause = match round {
                Round::Failed => (2 * pause).min(LONGEST_PAUSE),
                Round::Done | Round::Unsynced => (busy * SHARE).clamp(PAUSE, LONGEST_PAUSE),
            };
            sleep(pause).await;
            if round == Round::Failed {
                continue;
            }
            match timeout(LOOK, versions.changed()).await {
                Ok(Ok(())) => sleep(GATHER).await,
                Ok(Err(_)) => return, // the sidecar has ended
                Err(_) => {}
            }
        }
    }

    /// Makes all files what they should be, as far as that is known. `busy` grows by the time that others had to
    /// wait for it, which waiting for a disk is not.
    async fn round(&mut self, busy: &mut Duration) -> Round {
        self.demand.need(&self.needs);
        let snapshot = self.settled().await;
        let mut round = Round::Done;
        let mut failed = None;
        for number in 0..self.settings.outputs.len() {
            yield_now().await; // there may be hundreds, and there is one thread
            let began = Instant::now();
            let content = self.content(number, &snapshot);
            *busy += began.elapsed();
            let Some(content) = content else {
                round = Round::Unsynced;
                continue;
            };
            let output = &self.settings.outputs[number];
            let folder = &self.settings.folder;
            let (file, temporary) = (output.file(folder), output.temporary(folder));
            let body = content.body;
            let written = spawn_blocking(move || put(&file, &temporary, &body)).await;
            let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
            let mut state = self.state.lock();
            match written {
                Ok(is_new) => {
                    state.targets.insert(output.name.clone(), content.targets);
                    state.writes += u64::from(is_new);
                    if is_new {
                        debug!(name = output.name, targets = content.targets, "a file is written");
                    }
                }
                Err(error) => {
                    state.failures += 1;
                    failed = failed.or(Some(error));
                }
            }
        }
        if failed.is_some() {
            round = Round::Failed;
        }
        if round == Round::Done {
            self.state.lock().up_to_date = Some(SystemTime::now());
        }
        self.tell(failed);
        round
    }

    /// The latest snapshot, once the owners of all its Pods were read, or a moment later.
    async fn settled(&self) -> Arc<Snapshot> {
        let mut versions = self.snapshots.subscribe();
        let latest = Instant::now() + FRESH_OWNERS;
        loop {
            let snapshot = self.snapshots.load();
            let is_settled = snapshot.unread_owners(self.needs.resources).next().is_none();
            if is_settled || !matches!(timeout_at(latest, versions.changed()).await, Ok(Ok(()))) {
                return snapshot;
            }
        }
    }

    /// What a file should be; nothing, before all that it needs has synced.
    fn content(&mut self, number: usize, snapshot: &Snapshot) -> Option<Content> {
        let Output { query, profile, .. } = &self.settings.outputs[number];
        if !snapshot.lacks(&query.needs(snapshot.endpoints_from)).is_empty() {
            return None;
        }
        let rendered = &mut self.rendered[number];
        if rendered.as_ref().is_none_or(|content| content.version != snapshot.version) {
            let targets = build(snapshot, query, *profile).own;
            let body = render(&targets);
            *rendered = Some(Content { version: snapshot.version, targets: targets.len(), body });
        }
        rendered.clone()
    }

    /// Says once that files cannot be written, and what to do about it; and once that they can be again.
    fn tell(&mut self, failed: Option<io::Error>) {
        let kind = failed.as_ref().map(io::Error::kind);
        if kind == self.trouble {
            return;
        }
        match failed {
            Some(error) => {
                let advice = advice(error.kind());
                warn!("{error}; the files stay as they are until it can be written: {advice}");
            }
            None => info!("the files of --file-sd-dir are written again"),
        }
        self.trouble = kind;
    }

    /// Says which files are of no flag any more. A job may still read one, so they stay.
    fn tell_of_others(&self) {
        let Settings { folder, outputs } = &self.settings;
        let Ok(entries) = fs::read_dir(folder) else { return }; // it is made when a file is written
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let others = names.filter(|name| {
            let stem = name.strip_suffix(".json");
            stem.is_some_and(|stem| outputs.iter().all(|output| output.name != stem))
        });
        let mut others: Vec<String> = others.collect();
        others.sort();
        if !others.is_empty() {
            warn!(
                folder = %folder.display(),
                "no --file-sd names these files, and nobody keeps them up to date: {}; they stay, because a job that \
                 reads one would lose its targets; delete them once none does",
                others.join(", ")
            );
        }
    }
}

/// Replaces a file, if it is not the same already. Whether it was replaced.
fn put(file: &Path, temporary: &Path, body: &[u8]) -> io::Result<bool> {
    let has_length = fs::metadata(file).is_ok_and(|there| there.len() == body.len() as u64);
    if has_length && fs::read(file).is_ok_and(|there| there == body) {
        return Ok(false);
    }
    files::replace(file, temporary, MODE, |mut to| to.write_all(body))?;
    Ok(true)
}

/// What the one on call can do.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room in the volume of --file-sd-dir, or raise its size limit"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "mount the volume of --file-sd-dir without readOnly in the sidecar; readOnly is for Prometheus alone"
        }
        ErrorKind::PermissionDenied => {
            "let the sidecar's user write to --file-sd-dir, by the Pod's fsGroup for example"
        }
        _ => "see what is at --file-sd-dir",
    }
}
