//! The chain of one query.
//!
//! The query is asked again and again, each time with one more of its terms. The step after which the Pod's targets
//! are gone is the reason. So a chain cannot say anything else than the answer does.

use super::explanation::{Chain, FoundTarget, Outcome, Step, Verdict};
use super::found::{Found, shown};
use super::known::{Known, Question, lacks};
use super::{endpoints, role_pod, unsynced};
use crate::config::{Expressions, Relabelling, initial_labels};
use crate::objects::Pod;
use crate::targets::{Profile, Query, Role, Target};
use crate::yaml::Yaml;

/// A chain in the making: the query so far, and what it finds.
pub(super) struct Narrowing<'a> {
    pub(super) known: &'a Known<'a>,
    pub(super) pod: &'a Pod,
    /// The whole query.
    pub(super) asked: &'a Question,
    query: Query,
    profile: Profile,
    pub(super) found: Found,
    steps: Vec<Step>,
}

/// The chain has ended: its last step says why.
#[derive(Debug)]
pub(super) struct Ended;

/// What is said when a step fails.
pub(super) struct Reason {
    pub(super) why: String,
    pub(super) hint: Option<String>,
}

/// What becomes of the Pod under that question, and under the rules of the job.
pub(super) fn chain(known: &Known<'_>, pod: &Pod, asked: &Question, job: Option<&Yaml>) -> Chain {
    let mut chain = Narrowing {
        known,
        pod,
        asked,
        query: Query { namespaces: asked.query.namespaces.clone(), ..Query::all(asked.query.role) },
        profile: asked.profile,
        found: Found::default(),
        steps: Vec::new(),
    };
    let followed = chain.follow().and_then(|()| chain.relabel(job));
    let steps = chain.steps;
    let role = asked.query.role;
    let targets = followed.unwrap_or_default();
    let decisive = steps.last().filter(|step| step.outcome != Outcome::Passed);
    let (verdict, headline) = match decisive {
        None => {
            (Verdict::Target, format!("a target in role {}: {}", role.name(), addresses(&targets)))
        }
        Some(Step { outcome: Outcome::Unknown, why, .. }) => {
            (Verdict::Unknown, format!("not known to be a target in role {}: {why}", role.name()))
        }
        Some(Step { why, .. }) => {
            (Verdict::NotTarget, format!("no target in role {}: {why}", role.name()))
        }
    };
    Chain { query: asked.text.clone(), verdict, headline, steps, targets }
}

fn addresses(targets: &[FoundTarget]) -> String {
    let mut addresses: Vec<&str> = targets.iter().map(|target| &*target.address).collect();
    addresses.dedup();
    addresses.join(", ")
}

// === impl Reason ===

impl Reason {
    /// With nothing to do about it.
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: None }
    }

    /// With something to do about it.
    pub(super) fn hinted(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: Some(hint.into()) }
    }
}

// === impl Narrowing ===

impl<'a> Narrowing<'a> {
    fn follow(&mut self) -> Result<(), Ended> {
        let (namespace, asked) = (&self.pod.meta.key.namespace, &self.asked.query.namespaces);
        if !asked.is_empty() {
            let what = "the query asks for the Pod's namespace";
            if !asked.contains(&**namespace) {
                let names: Vec<&str> = asked.iter().map(String::as_str).collect();
                let why = format!(
                    "the query asks for namespace {}, and not for {namespace}",
                    names.join(", ")
                );
                return self.fail(what, Reason::new(why));
            }
            self.pass(what, format!("the query asks for namespace {namespace}"));
        }
        let lacking = lacks(self.known, &self.pod.meta.key, self.asked);
        if !lacking.is_empty() {
            self.steps.push(unsynced::step("what the query needs is known", &lacking, self.known));
            return Err(Ended);
        }
        match self.asked.query.role {
            Role::Pod => role_pod::follow(self),
            Role::EndpointSlice | Role::Endpoints => endpoints::follow(self),
            Role::Node => self
                .fail("the role discovers Pods", Reason::new("role node discovers the Node alone")),
        }
    }

    /// What the rules of the job leave of the targets.
    fn relabel(&mut self, job: Option<&Yaml>) -> Result<Vec<FoundTarget>, Ended> {
        let show = |target: &Target| shown(self.asked.query.role, target);
        let Some(job) = job else { return Ok(self.found.own.iter().map(show).collect()) };
        let relabelling = Relabelling::of(job, &mut Expressions::default());
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for target in &self.found.own {
            let address = &target.address;
            match relabelling.judge(initial_labels(target, job)) {
                Ok(labels) if !labels.contains_key("__address__") => {
                    dropped.push(format!("the rules leave {address} no __address__"));
                }
                Ok(_) => kept.push(show(target)),
                Err(by) => dropped.push(format!("rule {} drops {address}: {}", by.number, by.rule)),
            }
        }
        let what = "the job's relabel_configs keep it";
        let untold: Vec<String> = relabelling.untold().map(|number| number.to_string()).collect();
        if !untold.is_empty() {
            let why = format!(
                "rule {} has an expression that this program cannot tell, so what the rules keep is not certain",
                untold.join(", ")
            );
            self.push(what, Outcome::Unknown, Reason::new(why));
            return Err(Ended);
        }
        if kept.is_empty() {
            let hint = "rules count from 1, in relabel_configs of the job as the agent has it";
            self.fail(what, Reason::hinted(dropped.join("; "), hint))?;
        }
        let mut why = format!("they keep {} of {}", kept.len(), self.found.own.len());
        if !dropped.is_empty() {
            why = format!("{why}; {}", dropped.join("; "));
        }
        self.pass(what, why);
        Ok(kept)
    }

    /// Begins with what nobody selects: the targets of the role in the namespaces that are asked for.
    pub(super) fn begin(&mut self, profile: Profile) {
        self.profile = profile;
        self.found = self.find();
    }

    /// One more term, and what is to be said of what it leaves. If the Pod's targets are gone, the step has failed,
    /// and the chain has ended.
    pub(super) fn narrow(
        &mut self,
        what: &str,
        term: impl FnOnce(&mut Query, &Query),
        said: impl FnOnce(&Self, &Found) -> Reason,
    ) -> Result<(), Ended> {
        term(&mut self.query, &self.asked.query);
        let found = self.find();
        let reason = said(self, &found);
        if found.own.is_empty() {
            return self.fail(what, reason);
        }
        self.found = found;
        self.pass_with(what, reason);
        Ok(())
    }

    /// The same, as the Prometheus that asks sees it. Mostly that changes nothing, and nothing is said.
    pub(super) fn narrow_profile(
        &mut self,
        what: &str,
        said: impl FnOnce(&Self, &Found) -> Reason,
    ) -> Result<(), Ended> {
        self.profile = self.asked.profile;
        let found = self.find();
        if found.own.len() < self.found.own.len() {
            return self.narrow(what, |_, _| {}, said);
        }
        self.found = found;
        Ok(())
    }

    pub(super) fn pass(&mut self, what: &str, why: impl Into<String>) {
        self.push(what, Outcome::Passed, Reason::new(why));
    }

    pub(super) fn pass_with(&mut self, what: &str, reason: Reason) {
        self.push(what, Outcome::Passed, reason);
    }

    pub(super) fn fail(&mut self, what: &str, reason: Reason) -> Result<(), Ended> {
        self.push(what, Outcome::Failed, reason);
        Err(Ended)
    }

    fn push(&mut self, what: &str, outcome: Outcome, Reason { why, hint }: Reason) {
        self.steps.push(Step { what: what.to_owned(), outcome, why, hint });
    }

    fn find(&self) -> Found {
        Found::by(self.known.snapshot, &self.query, self.profile, self.pod)
    }
}
