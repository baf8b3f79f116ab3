//! A sidecar with its listeners on loopback.

use super::http::get;
use super::world::NODE;
use nodelocal_sd::agent::{self, AgentState, Settings};
use nodelocal_sd::coverage::AgentPods;
use nodelocal_sd::http::{Admin, App, HttpSd, Limits, serve};
use nodelocal_sd::index::{EndpointsFrom, Excluded, Snapshot};
use nodelocal_sd::kube::{Source, Timing, connect};
use nodelocal_sd::sd::Compat;
use nodelocal_sd::sidecar::Sidecar;
use nodelocal_sd::simulator::{self, Simulator, example};
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A sidecar that serves http_sd and metrics; ends when it is dropped.
pub(crate) struct Served {
    pub(crate) url: String,
    admin: String,
    node: String,
    from: EndpointsFrom,
    tasks: JoinSet<()>,
    stop: Option<oneshot::Sender<()>>,
}

/// Serves the example cluster on a free port until the test is over; its URL.
pub(crate) async fn example_cluster() -> (String, Simulator) {
    let simulator = Simulator::new();
    example::load(&simulator);
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", api.local_addr().unwrap());
    tokio::spawn(simulator::serve(simulator.clone(), api, pending()));
    (url, simulator)
}

impl Served {
    /// Starts one for that node, on free ports, against that API server; it reads slices.
    pub(crate) async fn start(api: &Source, node: &str) -> Self {
        Self::start_from(EndpointsFrom::Slices, api, node).await
    }

    /// Starts one whose endpoints come from there.
    pub(crate) async fn start_from(from: EndpointsFrom, api: &Source, node: &str) -> Self {
        Self::start_with(from, Timing::alone(), api, node).await
    }

    /// The same with other deadlines and delays.
    pub(crate) async fn start_with(
        from: EndpointsFrom,
        timing: Timing,
        api: &Source,
        node: &str,
    ) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        Self::start_at(api, (node, from), timing, address, Limits::SD).await
    }

    /// Starts one against that simulator, which is served too.
    pub(crate) async fn of(simulator: &Simulator, limits: Limits) -> Self {
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = plain(&format!("http://{}", api.local_addr().unwrap()));
        let address = "127.0.0.1:0".parse().unwrap();
        let of = (NODE, EndpointsFrom::Slices);
        let mut served = Self::start_at(&source, of, Timing::alone(), address, limits).await;
        served.tasks.spawn(simulator::serve(simulator.clone(), api, pending()));
        served
    }

    /// Another one in its place, at the same address, that knows nothing yet.
    pub(crate) async fn restart(mut self, api: &Source) -> Self {
        let address = self.address();
        self.tasks.shutdown().await;
        let of = (&*self.node, self.from);
        Self::start_at(api, of, Timing::alone(), address, Limits::SD).await
    }

    /// How many queries of that role were answered with that status.
    pub(crate) async fn answers_of(&self, role: &str, code: u16) -> u64 {
        let sample = format!("queries_total{{role=\"{role}\",code=\"{code}\"}}");
        self.metric(&sample).await.unwrap_or_default()
    }

    /// The value of a sample, named without its prefix; `None` if there is none.
    pub(crate) async fn metric(&self, sample: &str) -> Option<u64> {
        let metrics = get(&format!("{}/metrics", self.admin)).await.unwrap();
        let sample = format!("nodelocal_sd_{sample} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&sample))?;
        Some(value.trim_end_matches(".0").parse().unwrap()) // a gauge has a point
    }

    /// Where http_sd is served.
    pub(crate) fn address(&self) -> SocketAddr {
        address_of(&self.url)
    }

    /// Where health and metrics are served.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        address_of(&self.admin)
    }

    /// Asks it to stop, as SIGTERM does.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    async fn start_at(
        api: &Source,
        (node, from): (&str, EndpointsFrom),
        timing: Timing,
        address: SocketAddr,
        limits: Limits,
    ) -> Self {
        let first = Snapshot::of(node, from, Excluded::default());
        Self::start_after(api, (first, None, None), timing, address, limits).await
    }

    /// One that begins with that snapshot, which says whose targets are served.
    pub(crate) async fn after(first: Snapshot, agents: Option<AgentPods>, api: &Source) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        Self::start_after(api, (first, agents, None), Timing::alone(), address, Limits::SD).await
    }

    /// The same with an agent, whose configuration it follows.
    pub(crate) async fn following(settings: Settings, first: Snapshot, api: &Source) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let first = (first, None, Some(settings));
        Self::start_after(api, first, Timing::alone(), address, Limits::SD).await
    }

    async fn start_after(
        api: &Source,
        (first, agents, settings): (Snapshot, Option<AgentPods>, Option<Settings>),
        timing: Timing,
        address: SocketAddr,
        limits: Limits,
    ) -> Self {
        let client = connect(api).await.unwrap();
        let (node, from) =
            (first.share.node().map_or("", |node| node).to_owned(), first.endpoints_from);
        let sidecar = Sidecar::after(first, agents, client, timing);
        let mut tasks = JoinSet::new();
        let agent = settings.map(|settings| {
            let state = Arc::new(AgentState::default());
            tasks.spawn(agent::follow(settings, &sidecar, Arc::clone(&state)));
            state
        });
        let app = Arc::new(App::new(&sidecar, Compat::Auto, agent));
        let (sd, url) = listen(address);
        let (admin_listener, admin) = listen("127.0.0.1:0".parse().unwrap());
        let (stop, stopping) = oneshot::channel();
        tasks.spawn(serve(sd, Arc::new(HttpSd(Arc::clone(&app))), limits, stopped(stopping)));
        tasks.spawn(serve(admin_listener, Arc::new(Admin::new(app)), Limits::ADMIN, pending()));
        tasks.spawn(async move {
            let _sidecar = sidecar; // lives as long as its listeners
            pending::<()>().await;
        });
        Self { url, admin, node, from, tasks, stop: Some(stop) }
    }
}

/// An API server without TLS, such as the simulator.
pub(crate) fn plain(url: &str) -> Source {
    Source::Plain(url.parse().unwrap())
}

/// Waits until the sender is dropped.
async fn stopped(stopping: oneshot::Receiver<()>) {
    let _ = stopping.await;
}

fn address_of(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

fn listen(address: SocketAddr) -> (TcpListener, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap(); // one that restarts takes the same address
    socket.bind(address).unwrap();
    let listener = socket.listen(1024).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}
