//! A sidecar in process: the real loops, the real answers, and no socket, so that time can be
//! virtual.

use bytes::Bytes;
use nodelocal_sd::agent::{self, AgentState, Settings};
use nodelocal_sd::coverage::AgentPods;
use nodelocal_sd::explain::{self, Explanation};
use nodelocal_sd::file_sd::{self, FileSdState};
use nodelocal_sd::history::Entry;
use nodelocal_sd::http::{Admin, App, HttpSd};
use nodelocal_sd::index::{EndpointsFrom, Excluded, Snapshot};
use nodelocal_sd::kube::{ApiServer, Timing};
use nodelocal_sd::sd::{Answers, Compat, Question, parse};
use nodelocal_sd::sidecar::{Kept, Sidecar};
use nodelocal_sd::simulator::Simulator;
use nodelocal_sd::state::Keeper;
use nodelocal_sd::status::Board;
use nodelocal_sd::targets::Profile;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tower::Layer;
use tower_http::decompression::DecompressionLayer;

/// A sidecar and what asks it.
pub(crate) struct Asked {
    answers: Answers,
    sidecar: Sidecar,
    endpoints_from: EndpointsFrom,
}

/// An answer's bytes; equal state gives equal ones.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer(Bytes);

impl Asked {
    /// Starts a sidecar for that node against the simulator; it reads slices.
    pub(crate) fn start(simulator: &Simulator, node: &str, timing: Timing) -> Self {
        Self::start_from(EndpointsFrom::Slices, simulator, node, timing)
    }

    /// Starts one whose endpoints come from there.
    pub(crate) fn start_from(
        endpoints_from: EndpointsFrom,
        simulator: &Simulator,
        node: &str,
        timing: Timing,
    ) -> Self {
        Self::after(first(node, endpoints_from), None, simulator, timing)
    }

    /// One that begins with that snapshot, which says whose targets are served.
    pub(crate) fn after(
        first: Snapshot,
        agents: Option<AgentPods>,
        simulator: &Simulator,
        timing: Timing,
    ) -> Self {
        Self::asking(first, agents, client(simulator), timing)
    }

    /// One that asks that server, in its way.
    pub(crate) fn asking(
        first: Snapshot,
        agents: Option<AgentPods>,
        server: impl Into<ApiServer>,
        timing: Timing,
    ) -> Self {
        Self::of(Sidecar::after(first, agents, server, timing))
    }

    /// One that keeps its state.
    pub(crate) fn kept(first: Snapshot, simulator: &Simulator, timing: Timing, kept: Kept) -> Self {
        Self::of(Sidecar::kept(first, None, client(simulator), timing, Some(kept)))
    }

    fn of(sidecar: Sidecar) -> Self {
        let endpoints_from = sidecar.snapshots.load().endpoints_from;
        let answers = Answers::new(
            Arc::clone(&sidecar.snapshots),
            Arc::clone(&sidecar.demand),
            Arc::clone(&sidecar.board),
        );
        Self { answers, sidecar, endpoints_from }
    }

    /// How the watches are doing.
    pub(crate) fn board(&self) -> &Board {
        &self.sidecar.board
    }

    /// What has happened lately, the latest first.
    pub(crate) fn history(&self) -> Vec<Arc<Entry>> {
        self.sidecar.history.entries()
    }

    /// What keeps its state.
    pub(crate) fn keeper(&self) -> &Keeper {
        self.sidecar.keeper.as_ref().expect("one that keeps its state")
    }

    /// Its health checks and metrics.
    pub(crate) fn admin(&self, agent: Option<Arc<AgentState>>) -> Admin {
        Admin::new(Arc::new(App::new(&self.sidecar, Compat::Auto, agent)))
    }

    /// What its listeners serve.
    pub(crate) fn app(&self) -> Arc<App> {
        Arc::new(App::new(&self.sidecar, Compat::Auto, None))
    }

    /// Its http_sd and debug pages.
    pub(crate) fn http_sd(&self, agent: Option<Arc<AgentState>>) -> HttpSd {
        HttpSd(Arc::new(App::new(&self.sidecar, Compat::Auto, agent)))
    }

    /// Why a Pod is, or is not, a target: what is asked is as in the URL of `/debug/explain`.
    pub(crate) async fn explain(&self, asked: &str, patience: Duration) -> Explanation {
        let app = App::new(&self.sidecar, Compat::Auto, None);
        let asked =
            explain::Asked::parse(Some(asked), self.endpoints_from).expect("a good question");
        app.explain(&asked, "", patience).await.expect("no job is asked about")
    }

    /// Lets it follow its agent's configuration.
    pub(crate) fn follow(&self, settings: Settings) -> Arc<AgentState> {
        let state = Arc::new(AgentState::default());
        tokio::spawn(agent::follow(settings, &self.sidecar, Arc::clone(&state)));
        state
    }

    /// Lets it write files, until the task is aborted.
    pub(crate) fn write_files(
        &self,
        settings: file_sd::Settings,
    ) -> (Arc<FileSdState>, JoinHandle<()>) {
        let state = Arc::new(FileSdState::default());
        let writing = file_sd::follow(settings, &self.sidecar, Arc::clone(&state));
        (state, tokio::spawn(writing))
    }

    /// The health checks and metrics of one that writes files.
    pub(crate) fn admin_of_files(&self, state: &Arc<FileSdState>) -> Admin {
        let app = App::new(&self.sidecar, Compat::Auto, None);
        Admin::new(Arc::new(app.with_file_sd(Some(Arc::clone(state)))))
    }

    /// What Prometheus would get: an answer, or the reason for none.
    pub(crate) async fn ask(&self, query: &str, patience: Duration) -> Result<Answer, String> {
        let (role, parameters) = query.split_once('?').unwrap_or((query, ""));
        let parsed = parse(role, Some(parameters), self.endpoints_from).expect("a good query");
        let question = Question::new(parsed, Profile::Latest);
        let answer = self.answers.answer(question, query.len(), patience).await;
        answer.map(|answer| Answer(answer.body)).map_err(|error| error.to_string())
    }
}

impl Answer {
    /// The whole.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The groups, each as its JSON.
    pub(crate) fn targets(&self) -> BTreeSet<String> {
        let groups: Vec<Box<RawValue>> = serde_json::from_slice(&self.0).expect("JSON");
        groups.iter().map(ToString::to_string).collect()
    }
}

/// The beginning of a sidecar for that node.
pub(crate) fn first(node: &str, endpoints_from: EndpointsFrom) -> Snapshot {
    Snapshot::of(node, endpoints_from, Excluded::default())
}

/// A client whose server is the simulator, in process.
pub(crate) fn client(simulator: &Simulator) -> kube::Client {
    let simulator = simulator.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let simulator = simulator.clone();
        async move { simulator.respond(&request.into_parts().0).await }
    });
    // As `kube::connect` does it: large lists come compressed.
    kube::Client::new(DecompressionLayer::new().layer(service), "default")
}
