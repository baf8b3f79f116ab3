//! What a job of the rewritten configuration asks, and why it asks nothing.

use super::explanation::{Outcome, Step};
use super::known::{Asking, Question};
use crate::config::{Config, Fate, Job};
use crate::index::EndpointsFrom;
use crate::sd;
use crate::targets::Query;
use std::time::Duration;

/// What is known of the agent's configuration.
#[derive(Debug)]
pub struct Jobs<'a> {
    /// What became of the jobs that were read last.
    pub fates: &'a [Job],
    /// The configuration that the agent has.
    pub applied: Option<&'a Config>,
    /// Why the files cannot be used, if they cannot.
    pub trouble: Option<&'a str>,
    /// For how long a change is still held because of the targets that it removes.
    pub held_for: Option<Duration>,
    /// Where the configuration says that this sidecar is.
    pub sd_url: &'a str,
    /// What `$(NODE_NAME)` is.
    pub node: &'a str,
    /// Where this sidecar's endpoints come from.
    pub endpoints_from: EndpointsFrom,
}

/// No job has that name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no job is named {name:?}: {}", known(.there))]
pub struct NoSuchJob {
    /// The name.
    pub name: String,
    /// The names that there are.
    pub there: Vec<String>,
}

/// How many names an error lists.
const MOST_NAMES: usize = 20;

fn known(there: &[String]) -> String {
    match there.len() {
        0 => "the configuration has none".to_owned(),
        count if count > MOST_NAMES => {
            format!("there are {count}, such as {}", there[..MOST_NAMES].join(", "))
        }
        _ => format!("there are {}", there.join(", ")),
    }
}

impl<'a> Jobs<'a> {
    /// What that job asks. `profile` says as whom a query is answered.
    ///
    /// # Errors
    /// If there is no such job, neither in what was read nor in what the agent has.
    pub fn asking(
        &self,
        name: &str,
        profile: impl Fn(&Query) -> crate::targets::Profile,
    ) -> Result<Asking<'a>, NoSuchJob> {
        let fate = self.fates.iter().find(|job| job.name == name);
        let job = self.applied.and_then(|config| config.job(name));
        if fate.is_none() && job.is_none() {
            return Err(NoSuchJob { name: name.to_owned(), there: self.names() });
        }
        let mut asking =
            Asking { about: format!("job {name}"), steps: Vec::new(), questions: Vec::new(), job };
        if job.is_none() {
            let (why, hint) = self.why_absent(fate);
            asking.steps.push(step("the agent has the job", Outcome::Failed, why, Some(hint)));
            return Ok(asking);
        }
        let why = match fate.map(|job| &job.fate) {
            Some(Fate::LastGood(why)) => {
                format!("the agent has the job in its last good form: {why}")
            }
            _ => format!("the agent has job {name}"),
        };
        asking.steps.push(step("the agent has the job", Outcome::Passed, why, self.pending()));
        self.ask(&mut asking, name, fate, profile);
        Ok(asking)
    }

    fn ask(
        &self,
        asking: &mut Asking<'_>,
        name: &str,
        fate: Option<&Job>,
        profile: impl Fn(&Query) -> crate::targets::Profile,
    ) {
        let what = "the job asks this sidecar for Pods";
        let without = fate.map(|job| job.dropped.join("; ")).filter(|text| !text.is_empty());
        let all = self.applied.into_iter().flat_map(|config| config.questions(self.sd_url));
        let mut roles = Vec::new();
        for asked in all.filter(|asked| asked.name == name) {
            let filled = asked.question.replace("$(NODE_NAME)", self.node);
            let (role, query) = filled.split_once('?').unwrap_or((&filled, ""));
            roles.push(role.to_owned());
            match sd::parse(role, Some(query), self.endpoints_from) {
                Ok(query) if query.role.finds_pods() => {
                    let profile = profile(&query);
                    asking.questions.push(Question {
                        text: format!("/sd/{filled}"),
                        query,
                        profile,
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    let why = format!("the job's question {filled:?} is not understood: {error}");
                    asking.steps.push(step(what, Outcome::Unknown, why, None));
                    return;
                }
            }
        }
        let hint = without.map(|without| format!("the job is without {without}"));
        asking.steps.push(if !asking.questions.is_empty() {
            let texts: Vec<&str> = asking.questions.iter().map(|asked| &*asked.text).collect();
            step(what, Outcome::Passed, texts.join(", "), hint)
        } else if roles.is_empty() {
            let why =
                "the job's discovery is not ours to answer: the job asks this sidecar nothing"
                    .to_owned();
            let hint = hint.unwrap_or_else(|| {
                "Prometheus' own page /targets shows what such a job finds".to_owned()
            });
            step(what, Outcome::Unknown, why, Some(hint))
        } else {
            step(
                what,
                Outcome::Failed,
                format!("the job asks for role {} alone", roles.join(", ")),
                hint,
            )
        });
    }

    /// Why the agent does not have a job that was read.
    fn why_absent(&self, fate: Option<&Job>) -> (String, String) {
        match fate.map(|job| (&job.fate, &job.dropped)) {
            Some((Fate::Refused(why), _)) => (
                format!("the job is left out: {why}"),
                "mend the job; until then it asks nothing, and the others go on".to_owned(),
            ),
            Some((Fate::Dropped, dropped)) => (
                format!("the job is not for nodes: {}", dropped.join("; ")),
                "the complement may have it, or a Prometheus of the cluster".to_owned(),
            ),
            _ => (
                "the job was read, and the agent does not have it yet".to_owned(),
                self.pending().unwrap_or_else(|| {
                    "nodes take a change at different moments within --config-spread".to_owned()
                }),
            ),
        }
    }

    /// What is about to change, or cannot.
    fn pending(&self) -> Option<String> {
        if let Some(trouble) = self.trouble {
            return Some(format!("a newer configuration cannot be used: {trouble}"));
        }
        self.held_for.map(|left| {
            format!(
                "a newer configuration is held for {} more minutes, because it would remove more than 30 % of this \
                 node's targets (--config-hold)",
                left.as_secs().div_ceil(60)
            )
        })
    }

    fn names(&self) -> Vec<String> {
        let read = self.fates.iter().map(|job| job.name.clone());
        let applied = self.applied.into_iter().flat_map(Config::job_names).map(str::to_owned);
        read.chain(applied).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}

fn step(what: &str, outcome: Outcome, why: String, hint: Option<String>) -> Step {
    Step { what: what.to_owned(), outcome, why, hint }
}
