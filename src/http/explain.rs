//! `/debug/explain`: why a Pod is, or is not, a target.

use super::app::App;
use super::caller::{header, patience};
use super::debug_agent::without_secrets;
use super::response::{self, Answer};
use crate::agent::AgentState;
use crate::explain::{
    About, Asked, Asking, Elsewhere, Explanation, Jobs, Known, NoSuchJob, explain,
};
use crate::objects::{ObjectKey, Resource};
use crate::status::Trouble;
use crate::targets::{Query, Role};
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The job that is asked about does not exist.
    #[error(transparent)]
    NoSuchJob(#[from] NoSuchJob),
    /// There are no jobs at all.
    #[error(
        "this sidecar follows no configuration (--config-in), so it knows no jobs: ask with a query instead"
    )]
    NoConfiguration,
}

/// The explanation that a URL's query asks for.
///
/// # Errors
/// What is wrong with it, as an answer.
pub(super) async fn explained(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Explanation, Answer> {
    let refuse = |why: String| response::text(StatusCode::BAD_REQUEST, why);
    let endpoints_from = app.snapshots.load().endpoints_from;
    let asked = Asked::parse(query, endpoints_from).map_err(|error| refuse(error.to_string()))?;
    let explanation = app.explain(&asked, header(headers, USER_AGENT), patience(headers)).await;
    explanation.map_err(|error| refuse(error.to_string()))
}

/// The same as JSON.
pub(super) async fn json(app: &App, query: Option<&str>, headers: &HeaderMap) -> Answer {
    match explained(app, query, headers).await {
        Ok(explanation) => super::debug::pretty(&without_secrets(explanation)),
        Err(refusal) => refusal,
    }
}

impl App {
    /// Why that Pod is, or is not, a target of what is asked. Waits for what must be known for it, and for no more:
    /// of Services, for example, for those of the Pod's namespace.
    ///
    /// # Errors
    /// If a job is asked about that does not exist.
    pub async fn explain(
        &self,
        asked: &Asked,
        user_agent: &str,
        patience: Duration,
    ) -> Result<Explanation, ExplainError> {
        let until = Instant::now() + patience;
        let profile = |query: &Query| self.compat.profile(query, user_agent);
        let Some(asking) = asked.asking(profile) else {
            let About::Job(name) = &asked.about else { return Err(ExplainError::NoConfiguration) };
            let agent = self.agent.as_ref().ok_or(ExplainError::NoConfiguration)?;
            return self.explain_job(agent, (&asked.pod, name), profile, until).await;
        };
        Ok(self.explain_asking(&asked.pod, asking, until).await)
    }

    async fn explain_job(
        &self,
        agent: &AgentState,
        (pod, name): (&ObjectKey, &str),
        profile: impl Fn(&Query) -> crate::targets::Profile,
        until: Instant,
    ) -> Result<Explanation, ExplainError> {
        let view = agent.view();
        let settings = view.settings.ok_or(ExplainError::NoConfiguration)?;
        let applied = agent.applied();
        let held_for = view.held_until.and_then(|at| at.duration_since(SystemTime::now()).ok());
        let jobs = Jobs {
            fates: &view.fates,
            applied: applied.as_ref(),
            trouble: view.trouble.as_deref(),
            held_for,
            sd_url: &settings.options.sd_url,
            node: &settings.node,
            endpoints_from: settings.options.endpoints_from,
        };
        let asking = jobs.asking(name, profile)?;
        Ok(self.explain_asking(pod, asking, until).await)
    }

    async fn explain_asking(
        &self,
        pod: &ObjectKey,
        asking: Asking<'_>,
        until: Instant,
    ) -> Explanation {
        let elsewhere = self.know_enough(pod, &asking, until).await;
        let trouble = |resource| Some((resource, self.board.trouble(resource)?));
        let troubles: BTreeMap<Resource, Trouble> =
            Resource::ALL.into_iter().filter_map(trouble).collect();
        let snapshot = self.snapshots.load();
        let known = Known { snapshot: &snapshot, troubles: &troubles, elsewhere: &elsewhere };
        explain(pod, asking, &known)
    }

    /// Waits for what an explanation needs, as long as there is time; what is missing then is for the explanation
    /// to say.
    async fn know_enough(&self, pod: &ObjectKey, asking: &Asking<'_>, until: Instant) -> Elsewhere {
        let left = || until.saturating_duration_since(Instant::now());
        if self.answers.synced(&Query::all(Role::Pod), left()).await.is_err() {
            return Elsewhere::NotAsked;
        }
        let snapshot = self.snapshots.load();
        let is_here = snapshot.pods.get(&pod.namespace, &pod.name).is_some();
        if !is_here {
            if snapshot.share.is_complement() {
                return Elsewhere::NotAsked; // its watch reaches all Pods
            }
            return match timeout_at(until, self.lookups.find(pod)).await {
                Ok(found) => found,
                Err(_) => Elsewhere::Failed("the API server did not answer in time".to_owned()),
            };
        }
        for query in asking.questions.iter().filter_map(|asked| asked.within(&pod.namespace)) {
            // What is missing shows in the snapshot.
            let _ = self.answers.synced(&query, left()).await;
        }
        Elsewhere::NotAsked
    }
}
