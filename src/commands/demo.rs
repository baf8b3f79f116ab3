//! `demo`: the sidecar against a simulated cluster that keeps changing.
//!
//! The same client, loops and listeners as in a cluster, over real HTTP on loopback; only what is
//! at the other end is simulated.

use super::error::CommandError;
use super::file_sd;
use super::listen::{Listeners, address_of, bind};
use super::live::Live;
use super::shutdown::Shutdown;
use super::simulate::cluster;
use crate::cli::DemoArgs;
use crate::demand::UNUSED_AFTER;
use crate::kube::{Source, Timing, connect};
use crate::sd::Compat;
use crate::sidecar::Sidecar;
use crate::simulator::{self, story};
use crate::targets::{Profile, Query, Role, build};
use std::future::pending;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Runs until it is told to stop.
///
/// # Errors
/// If an address cannot be listened on, or the manifests cannot be read.
pub(super) async fn demo(args: DemoArgs) -> Result<(), CommandError> {
    let shutdown = Shutdown::new()?;
    let listeners = Listeners {
        sd: bind("--listen", args.listen).await?,
        admin: bind("--admin-listen", args.admin_listen).await?,
    };
    let endpoints_from = args.endpoints.into();
    let files = file_sd::settings(&args.file_sd, endpoints_from, Compat::Auto)?;
    let head = head(&args, address_of(&listeners.sd)?, address_of(&listeners.admin)?);

    let mut tasks = JoinSet::new();
    let api = bind("the simulator", SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let api_address = address_of(&api)?;
    let simulator = cluster(args.manifests.as_deref(), &mut tasks)?;
    tasks.spawn(simulator::serve(simulator.clone(), api, pending()));

    let (tell, told) = mpsc::channel(16);
    if args.manifests.is_none() {
        tasks.spawn(story::run(simulator, fastrand::Rng::new(), story::PACE, tell));
    }
    let url = format!("http://{api_address}").parse().expect("an address makes a URL");
    let client = connect(&Source::Plain(url))
        .await
        .map_err(|error| CommandError::Failure(error.to_string()))?;
    let sidecar = Sidecar::start(&args.node_name, endpoints_from, client, Timing::alone());
    let files = file_sd::start(files, &sidecar, &mut tasks);
    let live = Live::new(io::stdout(), io::stdout().is_terminal(), head);
    tokio::select! {
        result = listeners.serve(&sidecar, Compat::Auto, (None, files), shutdown.requested()) => result,
        // Somebody closed standard output; there is nobody left to show anything to.
        _ = show(live, &sidecar, told) => Ok(()),
    }
}

fn head(args: &DemoArgs, sd: SocketAddr, admin: SocketAddr) -> String {
    format!(
        "\
nodelocal-sd demo: the targets of {node}, as they come and go; Ctrl-C ends it

  curl http://{sd}/sd/pod
  curl 'http://{sd}/sd/endpointslice?namespace=shop&attach=node'
  curl http://{sd}/sd/endpoints
  curl http://{sd}/debug/unassigned
  curl http://{admin}/metrics
  and in a browser: http://{sd}/",
        node = args.node_name
    )
}

/// Shows targets until the output is closed.
async fn show<W: io::Write>(
    mut live: Live<W>,
    sidecar: &Sidecar,
    mut told: mpsc::Receiver<String>,
) -> io::Result<()> {
    let mut versions = sidecar.snapshots.subscribe();
    live.begin()?;
    loop {
        let snapshot = sidecar.snapshots.load();
        let targets: Vec<_> = Role::ALL
            .map(|role| (role.name(), Query::all(role)))
            .into_iter()
            .filter(|(_, query)| snapshot.lacks(&query.needs(snapshot.endpoints_from)).is_empty())
            .map(|(role, query)| (role, build(&snapshot, &query, Profile::Latest)))
            .collect();
        live.show(targets.iter().map(|(role, targets)| (*role, targets)))?;
        loop {
            // Asked for again and again, like by a Prometheus: or the watches would be closed.
            for role in Role::ALL {
                sidecar.demand.need(&Query::all(role).needs(snapshot.endpoints_from));
            }
            tokio::select! {
                biased; // what happened comes before what follows from it
                Some(sentence) = told.recv() => live.tell(sentence)?,
                changed = versions.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return Ok(()),
                },
                () = sleep(UNUSED_AFTER / 2) => {}
            }
        }
    }
}
