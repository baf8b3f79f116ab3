//! `run`: the sidecar.

use super::cluster;
use super::error::CommandError;
use super::listen::{Listeners, bind};
use super::shutdown::Shutdown;
use crate::cli::{EndpointsFrom, RunArgs};
use crate::index::EndpointsFrom as From;
use crate::kube::Timing;
use crate::sidecar::Sidecar;

/// Runs until it is told to stop.
///
/// # Errors
/// If an address cannot be listened on, or the API server's configuration cannot be used.
pub(super) async fn run(args: RunArgs) -> Result<(), CommandError> {
    if args.discovery.endpoints_from == EndpointsFrom::Pods {
        return Err(CommandError::Usage(
            "--endpoints-from pods is not in this version: leave the flag out, or set it to slices"
                .to_owned(),
        ));
    }
    let shutdown = Shutdown::new()?;
    // Before the first watch: a sidecar that nobody can ask must not cost the API server anything.
    let listeners = Listeners {
        sd: bind("--listen", args.listen).await?,
        admin: bind("--admin-listen", args.admin_listen).await?,
    };
    let client = cluster::client(&args.cluster).await?;
    let sidecar = Sidecar::start(&args.node_name, From::Slices, client, Timing::default());
    listeners.serve(&sidecar, args.discovery.compat, shutdown.requested()).await
}
