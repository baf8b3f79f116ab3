//! `simulate`: the embedded API server alone.

use super::error::CommandError;
use super::listen::{address_of, bind};
use super::print::print;
use super::shutdown::Shutdown;
use crate::cli::SimulateArgs;
use crate::simulator::manifests::Manifests;
use crate::simulator::{self, Simulator, example};
use std::net::SocketAddr;
use std::path::Path;
use tokio::task::JoinSet;
use tracing::info;

/// Serves until it is told to stop.
///
/// # Errors
/// If the address cannot be listened on, or the manifests cannot be read.
pub(super) async fn simulate(args: SimulateArgs) -> Result<(), CommandError> {
    if !args.listen.ip().is_loopback() {
        return Err(CommandError::Usage(format!(
            "--listen {}: the simulator asks nobody who they are, so it listens on loopback only",
            args.listen
        )));
    }
    let shutdown = Shutdown::new()?;
    let listener = bind("--listen", args.listen).await?;
    let address = address_of(&listener)?;
    let mut tasks = JoinSet::new();
    let simulator = cluster(args.manifests.as_deref(), &mut tasks)?;
    info!(%address, "serving the Kubernetes API");
    print(&format!("{}\n", kubeconfig(address)))?;
    simulator::serve(simulator, listener, shutdown.requested()).await;
    Ok(())
}

/// The objects of those files, which are followed as they change, or the example cluster.
pub(super) fn cluster(
    path: Option<&Path>,
    tasks: &mut JoinSet<()>,
) -> Result<Simulator, CommandError> {
    let simulator = Simulator::new();
    match path {
        None => example::load(&simulator),
        Some(path) => {
            let files = Manifests::load(simulator.clone(), path)
                .map_err(|error| CommandError::Usage(format!("--manifests: {error}")))?;
            tasks.spawn(files.follow());
        }
    }
    Ok(simulator)
}

fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "\
apiVersion: v1
kind: Config
current-context: simulator
clusters:
- name: simulator
  cluster: {{server: \"http://{address}\"}}
users:
- name: nobody
  user: {{}}
contexts:
- name: simulator
  context: {{cluster: simulator, user: nobody}}"
    )
}
