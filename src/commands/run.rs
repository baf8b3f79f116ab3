//! `run`: the sidecar.

use super::error::CommandError;
use super::listen::{Listeners, address_of, bind};
use super::shutdown::Shutdown;
use super::{cluster, file_sd, host_network, rewrite, state};
use crate::agent::{self, AgentState, Settings};
use crate::cli::RunArgs;
use crate::config::Waits;
use crate::coverage::AgentPods;
use crate::index::{EndpointsFrom, Nodes, Share, Snapshot};
use crate::kube::{ApiServer, Timing};
use crate::sidecar::Sidecar;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tracing::warn;

/// Between two changes of the agent's configuration. A reload is work for it.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs until it is told to stop.
///
/// # Errors
/// If an address cannot be listened on, or the API server's configuration cannot be used.
pub(super) async fn run(args: &RunArgs) -> Result<(), CommandError> {
    let shutdown = Shutdown::new()?;
    // Before the first watch: a sidecar that nobody can ask must not cost the API server anything.
    let listeners = Listeners {
        sd: bind("--listen", args.listen).await?,
        admin: bind("--admin-listen", args.admin_listen).await?,
    };
    let http_sd = address_of(&listeners.sd)?;
    if let Some(node) = &args.node_name
        && http_sd.ip().is_loopback()
        && host_network::is_of_node(&host_network::host_name(), node)
    {
        warn!(%http_sd, "in the host's network: every process of this host can read the targets");
    }
    let settings = settings(args, http_sd)?;
    let first = first_snapshot(args);
    let compat = args.discovery.compat;
    let files = file_sd::settings(&args.file_sd, first.endpoints_from, compat)?;
    let client = cluster::client(&args.cluster).await?;
    let server = ApiServer { client, impersonation: args.impersonate_node.into() };
    let agents = agents(args);
    // Of the complement there is one, and what spreads a fleet only makes it late.
    let timing = if args.complement.complement { Timing::alone() } else { Timing::default() };
    let kept = state::kept(&args.state, &first);
    let sidecar = Sidecar::kept(first, agents, server, timing, kept);
    let agent = settings.as_ref().map(|_| Arc::new(AgentState::default()));
    let mut tasks = JoinSet::new();
    if let (Some(settings), Some(agent)) = (settings, &agent) {
        tasks.spawn(agent::follow(settings, &sidecar, Arc::clone(agent)));
    }
    let files = file_sd::start(files, &sidecar, &mut tasks);
    listeners.serve(&sidecar, compat, (agent, files), shutdown.requested()).await?;
    if let Some(keeper) = &sidecar.keeper {
        keeper.save_last().await;
    }
    Ok(())
}

/// The Pods of the nodes' agents, if the flags name them.
fn agents(args: &RunArgs) -> Option<AgentPods> {
    let delay = args.complement.agent_delay;
    args.complement.agents.clone().map(|pods| AgentPods { pods, delay })
}

/// Whose targets are served, and how they are found.
fn first_snapshot(args: &RunArgs) -> Snapshot {
    let from = EndpointsFrom::from(args.discovery.endpoints);
    let excluded = args.discovery.exclude.iter().cloned().collect();
    match args.node_name.as_deref().filter(|_| !args.complement.complement) {
        Some(node) => Snapshot::of(node, from, excluded),
        None => {
            let may_lack_agents = args.complement.agents.is_some();
            let nodes = Nodes { endpoints_from: from, may_lack_agents };
            Snapshot::of(Share::Complement(nodes), EndpointsFrom::Slices, excluded)
        }
    }
}

/// What the flags say about the agent's configuration, if they say anything.
fn settings(args: &RunArgs, listen: SocketAddr) -> Result<Option<Settings>, CommandError> {
    let agent = &args.agent;
    let (Some(config_in), Some(config_out)) = (&agent.config_in, &agent.config_out) else {
        return Ok(None);
    };
    let from = args.discovery.endpoints.into();
    let has_more = !agent.jobs_from.is_empty();
    let mut options = rewrite::options(&agent.rewriting, from, own_url(listen), has_more)?;
    if args.complement.complement {
        options = rewrite::of_complement(options);
    }
    Ok(Some(Settings {
        node: args.node_name.clone().unwrap_or_default(),
        config_in: config_in.clone(),
        jobs_from: agent.jobs_from.clone(),
        config_out: config_out.clone(),
        reload_url: agent.reload_url.clone(),
        state_dir: args.state.state_dir.clone(),
        compat: args.discovery.compat,
        options,
        waits: Waits { hold: agent.config_hold, spread: agent.config_spread, pause: PAUSE },
    }))
}

/// Where the agent beside us reaches that listener: on loopback, if it listens on all addresses.
fn own_url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_that_the_agent_can_reach() {
        for (listen, expected) in [
            ("127.0.0.1:9911", "http://127.0.0.1:9911"),
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
            ("10.0.0.1:1", "http://10.0.0.1:1"),
        ] {
            assert_eq!(own_url(listen.parse().unwrap()), expected);
        }
    }
}
