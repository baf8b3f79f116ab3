//! A whole configuration: the main file, jobs of other files, and what becomes of each job.

use super::job::{self, Refusal};
use super::options::Options;
use super::{certificates, timing};
use crate::yaml::{self, Scalar, Yaml, YamlError};
use std::collections::{BTreeMap, BTreeSet};

/// Why nothing of a configuration can be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not to be read.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Nothing in it. Perhaps somebody is about to write it.
    #[error("it is empty")]
    Empty,
    /// Not a configuration.
    #[error("{0}")]
    Shape(&'static str),
    /// A key twice, which Prometheus refuses.
    #[error("the key {0} is there twice")]
    Twice(String),
    /// Outside the jobs, a variable that nobody replaces.
    #[error("outside scrape_configs: {0}")]
    Variable(#[source] Refusal),
}

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// All but the jobs, in their place a list that is empty.
    frame: Vec<(Scalar, Yaml)>,
    pub(super) jobs: Vec<Yaml>,
}

/// A configuration for a node.
#[derive(Debug)]
pub struct Rewriting {
    /// What Prometheus is to read.
    pub config: Yaml,
    /// What became of each job, in the order of the files.
    pub jobs: Vec<Job>,
}

/// What became of a job.
#[derive(Debug)]
pub struct Job {
    /// Its name; its place, if it has none.
    pub name: String,
    /// How it ended.
    pub fate: Fate,
    /// Entries of its discovery that are not in it any more, and why.
    pub dropped: Vec<String>,
}

/// How a job ended.
#[derive(Debug)]
pub enum Fate {
    /// It has no discovery of Kubernetes, or keeps it.
    Kept,
    /// It asks this sidecar.
    Rewritten,
    /// No node has a use for it.
    Dropped,
    /// It cannot be rewritten with certainty, and is there in its last good form.
    LastGood(Refusal),
    /// It cannot be rewritten with certainty, and is left out.
    Refused(Refusal),
}

const SCRAPE_CONFIGS: &str = "scrape_configs";

impl Config {
    /// Reads a configuration, or a list of jobs alone.
    ///
    /// # Errors
    /// If it is neither.
    pub fn read(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self { frame: Vec::new(), jobs: Vec::new() };
        match yaml::read(text)? {
            document if document.is_null() => Err(ConfigError::Empty),
            Yaml::Scalar(_) => Err(ConfigError::Shape("it is not a mapping")),
            Yaml::Sequence(jobs) => {
                config.jobs = jobs;
                Ok(config)
            }
            Yaml::Mapping(entries) if is_object(&entries) => Err(ConfigError::Shape(
                "it is an object of Kubernetes; the configuration is in the Secret that the operator renders",
            )),
            Yaml::Mapping(mut entries) => {
                for (key, value) in &mut entries {
                    if key.text == SCRAPE_CONFIGS {
                        let jobs = value.items();
                        config.jobs = jobs
                            .ok_or(ConfigError::Shape("scrape_configs must be a list"))?
                            .to_vec();
                        *value = Yaml::Sequence(Vec::new());
                    }
                }
                config.frame = entries;
                Ok(config)
            }
        }
    }
}

impl Config {
    /// Its jobs by name, those that have one.
    pub fn into_jobs(self) -> BTreeMap<String, Yaml> {
        let named = |job: Yaml| Some((job::name(&job)?.to_owned(), job));
        self.jobs.into_iter().filter_map(named).collect()
    }

    /// The job of that name.
    pub fn job(&self, name: &str) -> Option<&Yaml> {
        self.jobs.iter().find(|job| job::name(job) == Some(name))
    }

    /// The names of its jobs.
    pub fn job_names(&self) -> impl Iterator<Item = &str> {
        self.jobs.iter().filter_map(job::name)
    }

    /// Its settings and no job, without those that nobody fills in; `None` if there are none, or a key is
    /// there twice.
    pub fn without_jobs(self, options: &Options) -> Option<String> {
        let mut frame = self.frame;
        frame.retain(|(_, value)| job::check_variables(value, options).is_ok());
        if frame.is_empty() || twice(&frame).is_some() {
            return None;
        }
        if !frame.iter().any(|(key, _)| key.text == SCRAPE_CONFIGS) {
            frame.push((Scalar::plain(SCRAPE_CONFIGS), Yaml::Sequence(Vec::new())));
        }
        Some(Yaml::Mapping(frame).to_string())
    }

    /// What its jobs ask the sidecar at that URL.
    pub fn questions(&self, sd_url: &str) -> impl Iterator<Item = Question<'_>> {
        let entries = self
            .jobs
            .iter()
            .filter_map(|job| Some((job, job::name(job)?, job.get("http_sd_configs")?.items()?)))
            .flat_map(|(job, name, items)| items.iter().map(move |item| (job, name, item)));
        entries.filter_map(move |(job, name, entry)| {
            let url = entry.get("url")?.text()?;
            let question = url.strip_prefix(sd_url)?.strip_prefix("/sd/")?;
            Some(Question { job, name, question })
        })
    }
}

/// What a job asks.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The job.
    pub job: &'a Yaml,
    /// Its name.
    pub name: &'a str,
    /// A role, perhaps with `?` and a query.
    pub question: &'a str,
}

/// A key that is there twice.
fn twice(entries: &[(Scalar, Yaml)]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    entries.iter().map(|(key, _)| &*key.text).find(|key| !seen.insert(*key))
}

/// Rewrites the configuration and adds the jobs of the others. A job that cannot be rewritten takes the form
/// that is given for its name.
///
/// # Errors
/// If what is not a job is wrong, which concerns all jobs.
pub fn rewrite(
    main: Config,
    others: Vec<Config>,
    options: &Options,
    last_good: &BTreeMap<String, Yaml>,
) -> Result<Rewriting, ConfigError> {
    let Config { mut frame, jobs } = main;
    if frame.is_empty() {
        return Err(ConfigError::Shape("it is a list of jobs: give it as --jobs-from"));
    }
    if let Some(key) = twice(&frame) {
        return Err(ConfigError::Twice(key.to_owned()));
    }
    for (_, value) in &frame {
        job::check_variables(value, options).map_err(ConfigError::Variable)?;
    }
    let global = frame.iter().find(|(key, _)| key.text == "global").map(|(_, value)| value.clone());
    // Where others are added, it is their certificates that lie elsewhere.
    let has_others = options.has_more_files || !others.is_empty();
    let moved_from = if has_others { jobs.len() } else { 0 };
    let jobs = jobs.into_iter().chain(others.into_iter().flat_map(|other| other.jobs));

    let (mut written, mut told) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    for (number, mut read) in jobs.enumerate() {
        let name = job::name(&read).map(str::to_owned);
        let rewritten = match &name {
            None => Err(Refusal::Malformed("a job must be a mapping with a job_name".to_owned())),
            Some(name) if !names.insert(name.clone()) => Err(Refusal::SameName),
            Some(_) => {
                if let Some(folder) = options.certs_dir.as_ref().filter(|_| number >= moved_from) {
                    certificates::map(&mut read, folder);
                }
                if timing::times_out_late(&read, global.as_ref()) {
                    Err(Refusal::Timeout)
                } else {
                    job::rewrite(read, options)
                }
            }
        };
        let name = name.unwrap_or_else(|| format!("job number {}", number + 1));
        let (fate, dropped) = match rewritten {
            Ok(job::Rewritten { job, entries, dropped }) => {
                let fate = match job {
                    Some(_) if entries > 0 => Fate::Rewritten,
                    Some(_) => Fate::Kept,
                    None => Fate::Dropped,
                };
                written.extend(job);
                (fate, dropped)
            }
            Err(refusal) => {
                // Of two jobs with one name the first is there already.
                // The settings around it may have changed since it was good.
                let last_good = last_good.get(&name).filter(|job| {
                    !matches!(refusal, Refusal::SameName)
                        && !timing::times_out_late(job, global.as_ref())
                });
                let fate = match last_good {
                    Some(job) => {
                        written.push(job.clone());
                        Fate::LastGood(refusal)
                    }
                    None => Fate::Refused(refusal),
                };
                (fate, Vec::new())
            }
        };
        told.push(Job { name, fate, dropped });
    }
    let place = frame.iter_mut().find(|(key, _)| key.text == SCRAPE_CONFIGS);
    match place {
        Some((_, value)) => *value = Yaml::Sequence(written),
        None => frame.push((Scalar::plain(SCRAPE_CONFIGS), Yaml::Sequence(written))),
    }
    Ok(Rewriting { config: Yaml::Mapping(frame), jobs: told })
}

/// Whether that is a manifest, of which Prometheus has no use.
fn is_object(entries: &[(Scalar, Yaml)]) -> bool {
    ["apiVersion", "kind"].iter().all(|key| entries.iter().any(|(name, _)| name.text == *key))
}
