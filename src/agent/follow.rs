//! From files to a file, whenever something changes.

use super::expected::Expected;
use super::kept::Kept;
use super::own_targets::OwnTargets;
use super::report::report;
use super::settings::Settings;
use super::state::AgentState;
use super::stopgap::{self, Stopgap};
use super::{files, reload::reload};
use crate::config::{self, Candidate, Config, Guard, Impact, Verdict, Waiting};
use crate::yaml::Yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

/// How often the files are looked at. They are small, and the kubelet brings a change within a minute.
const EVERY: Duration = Duration::from_secs(2);

/// Between two attempts to reload.
const RELOAD_AGAIN: Duration = Duration::from_secs(10);

/// What is known between two looks.
#[derive(Debug)]
pub(super) struct Follower {
    settings: Settings,
    targets: OwnTargets,
    state: Arc<AgentState>,
    guard: Guard,
    /// What was read last.
    read: Vec<Vec<u8>>,
    /// What was made of it, until it is applied.
    candidate: Option<String>,
    /// Why nothing could be made of it.
    refused: Option<String>,
    /// When the agent is to be told, if it is.
    reload_at: Option<SystemTime>,
    /// What the candidate would do, as of that version of the snapshot.
    impact: Option<(u64, Impact)>,
    /// When the targets of what is applied were counted.
    expected: Expected,
    /// What was said of jobs the last time.
    said: BTreeSet<String>,
    /// What is kept over restarts, as it was written last.
    kept: Waiting,
    /// When an agent that has nothing gets something to start with; `None` once there is something.
    stopgap_at: Option<SystemTime>,
}

impl Follower {
    /// Begins with what an earlier run has written: that is what the agent has.
    pub(super) fn new(
        settings: Settings,
        targets: OwnTargets,
        state: Arc<AgentState>,
        now: SystemTime,
    ) -> Self {
        let written = std::fs::read_to_string(&settings.config_out);
        // A file that cannot be read may still be good.
        let has_none = match &written {
            Ok(text) => Config::read(text).is_err(),
            Err(error) => {
                use ErrorKind::{InvalidData, NotADirectory, NotFound};
                matches!(error.kind(), NotFound | NotADirectory | InvalidData)
            }
        };
        let stopgap_at = has_none.then(|| now + stopgap::AFTER);
        let applied = written.ok().filter(|text| !has_none && !stopgap::is_stopgap(text));
        let kept = Kept::read(settings.state_dir.as_ref());
        state.lock().settings = Some(Arc::new(settings.clone()));
        let guard = Guard::new(&targets.node, settings.waits, applied, kept);
        let mut follower = Self {
            settings,
            targets,
            state,
            guard,
            read: Vec::new(),
            candidate: None,
            refused: None,
            reload_at: None,
            impact: None,
            expected: Expected::default(),
            said: BTreeSet::new(),
            kept,
            stopgap_at,
        };
        if let Some(applied) = follower.applied() {
            follower.prepare(&applied);
            // Perhaps an earlier run ended before the agent was told.
            follower.reload_at = follower.settings.reload_url.as_ref().map(|_| UNIX_EPOCH);
        }
        follower
    }

    /// Follows for good.
    pub(super) async fn run(mut self) {
        let mut clock = interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            self.step(SystemTime::now()).await;
        }
    }

    /// One look.
    pub(super) async fn step(&mut self, now: SystemTime) {
        let trouble = self.look().and_then(|()| self.judge(now)).err();
        if self.candidate.is_none() {
            self.state.lock().held_until = None;
        }
        let trouble = self.write_again().err().or(trouble);
        let known = std::mem::replace(&mut self.state.lock().trouble, trouble.clone());
        if let Some(trouble) = trouble.filter(|trouble| known.as_ref() != Some(trouble)) {
            warn!("the configuration stays as it is: {trouble}");
        }
        // One that could not be written is better than any stopgap.
        if self.guard.applied().is_none()
            && self.candidate.is_none()
            && self.stopgap_at.is_some_and(|at| now >= at)
            && let Err(error) = self.stop_the_gap(now)
        {
            warn!("the agent has nothing to start with: {error}");
        }
        self.keep();
        let Self { expected, targets, settings, guard, .. } = self;
        let counts = expected.look(targets, guard.applied(), &settings.options).await;
        if let Some(counts) = counts {
            self.state.lock().targets = counts;
        }
        self.tell(now).await;
    }

    /// Somebody may have taken the file away.
    fn write_again(&mut self) -> Result<(), String> {
        let file = &self.settings.config_out;
        match self.guard.applied() {
            Some(applied) if !file.exists() => {
                files::replace(file, applied).map_err(|error| error.to_string())?;
                warn!(file = %file.display(), "the configuration was gone: it is written again");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Gives the agent something to start with. Without jobs it does not count as a configuration: the first
    /// good one is still applied at once.
    fn stop_the_gap(&mut self, now: SystemTime) -> Result<(), String> {
        let Settings { config_in, config_out, options, .. } = &self.settings;
        let main = files::read(config_in).ok();
        match stopgap::stopgap(main.as_deref(), options) {
            None => return Ok(()), // perhaps later
            Some(Stopgap::OwnJobs(text)) => {
                warn!(file = %config_out.display(),
                    "no usable configuration yet: the agent gets the jobs of {} alone", config_in.display());
                self.candidate = Some(text);
                self.apply(now)?;
            }
            Some(Stopgap::NoJobs(text)) => {
                files::replace(config_out, &text).map_err(|error| error.to_string())?;
                warn!(file = %config_out.display(),
                    "no usable configuration yet: the agent gets settings without jobs to start with");
                self.reload_at = self.settings.reload_url.as_ref().map(|_| now);
            }
        }
        self.stopgap_at = None;
        Ok(())
    }

    /// Reads the files and rewrites them, if they have changed.
    fn look(&mut self) -> Result<(), String> {
        let Settings { config_in, jobs_from, .. } = &self.settings;
        let mut names: Vec<PathBuf> =
            std::iter::once(config_in).chain(jobs_from).cloned().collect();
        let mut read = Vec::new();
        let mut missing = None;
        for file in std::mem::take(&mut names) {
            match files::read(&file) {
                Ok(bytes) => {
                    read.push(bytes);
                    names.push(file);
                }
                // What there is, is more than nothing; once there is more, it must not become less.
                Err(error) if self.guard.applied().is_none() && !read.is_empty() => {
                    missing = Some(error.to_string());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        if read != self.read {
            if let Some(missing) = missing {
                warn!("the first configuration is without the jobs of a file: {missing}");
            }
            let rewritten = self.rewrite(&names, &read);
            (self.read, self.impact) = (read, None);
            (self.candidate, self.refused) = match rewritten {
                Ok(text) => (Some(text), None),
                Err(why) => (None, Some(why)),
            };
        }
        self.refused.clone().map_or(Ok(()), Err)
    }

    fn rewrite(&mut self, names: &[PathBuf], read: &[Vec<u8>]) -> Result<String, String> {
        let mut configs = Vec::new();
        for (bytes, name) in read.iter().zip(names) {
            let named = |error: String| format!("{}: {error}", name.display());
            let text = config::text(bytes.clone()).map_err(|error| named(error.to_string()))?;
            configs.push(Config::read(&text).map_err(|error| named(error.to_string()))?);
        }
        let main = configs.remove(0);
        let rewriting = config::rewrite(main, configs, &self.settings.options, &self.last_good())
            .map_err(|error| format!("{}: {error}", names[0].display()))?;
        let mut state = self.state.lock();
        state.jobs = report(&rewriting.jobs, &mut self.said);
        state.fates = rewriting.jobs.into();
        Ok(rewriting.config.to_string())
    }

    /// The jobs that the agent has, by name. One that discovers by itself was not written by us.
    fn last_good(&self) -> BTreeMap<String, Yaml> {
        let mut jobs = self.applied().map(Config::into_jobs).unwrap_or_default();
        jobs.retain(|_, job| job.get("kubernetes_sd_configs").is_none());
        jobs
    }

    /// Applies what has been read, if it is time.
    fn judge(&mut self, now: SystemTime) -> Result<(), String> {
        if self.candidate.is_none() {
            return Ok(());
        }
        let impact = self.impact();
        let Some(text) = &self.candidate else { return Ok(()) };
        let verdict = self.guard.judge(Candidate { text, impact }, now);
        let held_until = match verdict {
            Verdict::Hold { until, .. } => Some(until),
            _ => None,
        };
        let known = std::mem::replace(&mut self.state.lock().held_until, held_until);
        match verdict {
            Verdict::Same => self.candidate = None,
            Verdict::Apply => self.apply(now)?,
            Verdict::Hold { until, removes } if known != held_until => {
                let minutes = until.duration_since(now).unwrap_or_default().as_secs() / 60;
                warn!(
                    "the new configuration would remove {removes} targets of this node: it is held for {minutes} \
                     minutes, and applied then if it is still there"
                );
            }
            Verdict::Wait(_) | Verdict::Hold { .. } => {}
        }
        Ok(())
    }

    /// What the candidate would do. Asked anew only when the targets have changed.
    fn impact(&mut self) -> Option<Impact> {
        let version = self.targets.version();
        if let Some((_, impact)) = self.impact.filter(|(known, _)| *known == version) {
            return Some(impact);
        }
        let candidate = self.candidate.as_deref().and_then(|text| Config::read(text).ok())?;
        let impact = self.targets.compare(&self.applied()?, &candidate, &self.settings.options)?;
        self.impact = Some((version, impact));
        Some(impact)
    }

    fn apply(&mut self, now: SystemTime) -> Result<(), String> {
        let file = &self.settings.config_out;
        let Some(text) = &self.candidate else { return Ok(()) };
        files::replace(file, text).map_err(|error| error.to_string())?;
        info!(file = %file.display(), "a new configuration is written");
        let is_first = self.guard.applied().is_none();
        self.guard.has_applied(std::mem::take(&mut self.candidate).unwrap_or_default(), now);
        self.expected = Expected::default();
        self.reload_at = self.settings.reload_url.as_ref().map(|_| now);
        if let Some(applied) = self.applied().filter(|_| is_first) {
            self.prepare(&applied);
        }
        let mut state = self.state.lock();
        state.applied_at = Some(now);
        state.writes += 1;
        Ok(())
    }

    /// What the agent has.
    fn applied(&self) -> Option<Config> {
        self.guard.applied().and_then(|text| Config::read(text).ok())
    }

    /// Opens the watches that a configuration needs before Prometheus asks, and makes readiness wait for
    /// them.
    fn prepare(&self, config: &Config) {
        let needs = self.targets.needs(config, &self.settings.options);
        let mut state = self.state.lock();
        (state.has_config, state.needs) = (true, needs);
    }

    /// Tells the agent, if it does not know yet.
    async fn tell(&mut self, now: SystemTime) {
        let (Some(url), Some(at)) = (&self.settings.reload_url, self.reload_at) else { return };
        if now < at {
            return;
        }
        let told = reload(url).await;
        let mut state = self.state.lock();
        match told {
            Ok(()) => {
                state.reloads += 1;
                self.reload_at = None;
            }
            Err(error) => {
                state.reload_failures += 1;
                warn!("{url} could not be told of the new configuration: {error}");
                self.reload_at = Some(now + RELOAD_AGAIN);
            }
        }
    }

    /// Keeps since when something waits.
    fn keep(&mut self) {
        let waiting = self.guard.waiting();
        if let Some(folder) = self.settings.state_dir.as_ref().filter(|_| waiting != self.kept) {
            self.kept = waiting;
            if let Err(error) = Kept::write(folder, waiting) {
                warn!("a restart will make changes wait anew: {error}");
            }
        }
    }
}
