//! `run`: the sidecar.

use super::cluster;
use super::error::CommandError;
use super::listen::{Listeners, bind};
use super::shutdown::Shutdown;
use crate::cli::RunArgs;
use crate::kube::Timing;
use crate::sidecar::Sidecar;

/// Runs until it is told to stop.
///
/// # Errors
/// If an address cannot be listened on, or the API server's configuration cannot be used.
pub(super) async fn run(args: RunArgs) -> Result<(), CommandError> {
    let shutdown = Shutdown::new()?;
    // Before the first watch: a sidecar that nobody can ask must not cost the API server anything.
    let listeners = Listeners {
        sd: bind("--listen", args.listen).await?,
        admin: bind("--admin-listen", args.admin_listen).await?,
    };
    let client = cluster::client(&args.cluster).await?;
    let endpoints_from = args.discovery.endpoints.into();
    let sidecar = Sidecar::start(&args.node_name, endpoints_from, client, Timing::default());
    listeners.serve(&sidecar, args.discovery.compat, shutdown.requested()).await
}
