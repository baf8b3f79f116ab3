//! `/debug/jobs` and `/debug/config`: the agent's configuration, and how following it is going.
//!
//! The configuration is read from where it was written, when somebody asks: it can be large, and is not kept
//! for that.

use super::app::App;
use super::debug::{pretty, unix_seconds};
use super::response::{self, Answer};
use crate::agent::View;
use crate::config::{Config, Fate, Job, masked, masked_text};
use crate::explain::{Explanation, Step};
use crate::yaml;
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A job and what it asks this sidecar.
#[derive(Debug)]
pub(super) struct JobShown {
    pub(super) name: String,
    /// The name of its state.
    pub(super) state: &'static str,
    pub(super) why: Option<String>,
    pub(super) dropped: Vec<String>,
    /// Roles, perhaps with `?` and a query, as they are in the configuration that the agent has.
    pub(super) questions: Vec<String>,
}

/// Why there is no configuration to show.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConfig {
    #[error("this sidecar follows no configuration: --config-in names one")]
    NoneFollowed,
    #[error("the agent has no configuration yet: {0}")]
    Missing(String),
    // Why is not said: it could quote what is in it.
    #[error("{0} is no YAML that can be read, so its secrets cannot be told from the rest")]
    Garbled(String),
}

/// A job of the agent's configuration that is not in the one that was read last, if any was.
const APPLIED: &str = "applied";

/// `/debug/jobs`.
pub(super) fn jobs(app: &App) -> Answer {
    let Some(view) = followed(app) else { return refused(&NoConfig::NoneFollowed) };
    let jobs = of_view(&view).into_iter().map(|job| {
        json!({
            "name": job.name,
            "state": job.state,
            "why": job.why,
            "dropped": job.dropped,
            "questions": job.questions,
        })
    });
    pretty(&json!({
        "node": app.snapshots.load().share.node(),
        "configuration": configuration(&view),
        "jobs": jobs.collect::<Vec<_>>(),
    }))
}

/// `/debug/config`.
pub(super) fn config(app: &App) -> Answer {
    match config_text(app) {
        Ok(text) => response::of_type("application/yaml", text),
        Err(reason) => refused(&reason),
    }
}

/// How following is going, if anything is followed.
pub(super) fn followed(app: &App) -> Option<View> {
    app.agent.as_ref().map(|agent| agent.view()).filter(|view| view.settings.is_some())
}

/// The configuration that the agent has, without secrets.
pub(super) fn config_text(app: &App) -> Result<String, NoConfig> {
    let view = followed(app).ok_or(NoConfig::NoneFollowed)?;
    let text = written(&view)?;
    let file = view.settings.as_ref().map(|settings| settings.config_out.display().to_string());
    let yaml = yaml::read(&text).map_err(|_| NoConfig::Garbled(file.unwrap_or_default()))?;
    Ok(masked(&yaml).to_string())
}

/// The jobs that were read last, then those that only the agent still has.
pub(super) fn of_view(view: &View) -> Vec<JobShown> {
    let sd_url = view.settings.as_ref().map_or("", |settings| &*settings.options.sd_url);
    let applied = written(view).ok().and_then(|text| Config::read(&text).ok());
    let mut questions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for asked in applied.iter().flat_map(|config| config.questions(sd_url)) {
        questions.entry(asked.name.to_owned()).or_default().push(asked.question.to_owned());
    }
    let mut left = applied.map(Config::into_jobs).unwrap_or_default();
    let mut shown: Vec<JobShown> = Vec::with_capacity(view.fates.len());
    for Job { name, fate, dropped } in view.fates.iter() {
        left.remove(name);
        let (state, why) = match fate {
            Fate::Kept => ("kept", None),
            Fate::Rewritten => ("rewritten", None),
            Fate::Dropped => ("dropped", None),
            Fate::LastGood(why) => ("last_good", Some(why)),
            Fate::Refused(why) => ("refused", Some(why)),
        };
        shown.push(JobShown {
            name: name.clone(),
            state,
            why: why.map(|why| masked_text(&why.to_string())),
            dropped: dropped.iter().map(|why| masked_text(why)).collect(),
            questions: questions.remove(name).unwrap_or_default(),
        });
    }
    let left = left.into_keys().map(|name| {
        let questions = questions.remove(&name).unwrap_or_default();
        JobShown { name, state: APPLIED, why: None, dropped: Vec::new(), questions }
    });
    shown.extend(left);
    shown
}

/// The same explanation without secrets, which the reasons for a job could quote.
pub(super) fn without_secrets(mut explanation: Explanation) -> Explanation {
    let mask = |text: &mut String| *text = masked_text(text);
    let masked_steps = |steps: &mut Vec<Step>| {
        for Step { what, why, hint, .. } in steps {
            [Some(what), Some(why), hint.as_mut()].into_iter().flatten().for_each(mask);
        }
    };
    mask(&mut explanation.headline);
    masked_steps(&mut explanation.steps);
    for chain in &mut explanation.chains {
        mask(&mut chain.headline);
        masked_steps(&mut chain.steps);
    }
    explanation
}

fn written(view: &View) -> Result<String, NoConfig> {
    let settings = view.settings.as_ref().ok_or(NoConfig::NoneFollowed)?;
    std::fs::read_to_string(&settings.config_out)
        .map_err(|error| NoConfig::Missing(format!("{}: {error}", settings.config_out.display())))
}

fn configuration(view: &View) -> Value {
    let settings = view.settings.as_deref();
    let path = |path: &std::path::PathBuf| path.display().to_string();
    json!({
        "in": settings.map(|settings| path(&settings.config_in)),
        "jobsFrom": settings.map(|settings| settings.jobs_from.iter().map(path).collect::<Vec<_>>()),
        "out": settings.map(|settings| path(&settings.config_out)),
        "appliedUnixSeconds": view.applied_at.map(unix_seconds),
        "heldUntilUnixSeconds": view.held_until.map(unix_seconds),
        "trouble": view.trouble.as_deref().map(masked_text),
        "writes": view.writes,
        "reloads": view.reloads,
        "reloadFailures": view.reload_failures,
    })
}

fn refused(reason: &NoConfig) -> Answer {
    match reason {
        NoConfig::NoneFollowed => response::text(StatusCode::NOT_FOUND, reason.to_string()),
        NoConfig::Missing(_) | NoConfig::Garbled(_) => response::not_ready(reason.to_string()),
    }
}
