//! The listeners of a sidecar.

use super::error::CommandError;
use crate::agent::AgentState;
use crate::file_sd::FileSdState;
use crate::http::{Admin, App, HttpSd, Limits, raise_open_file_limit, serve};
use crate::sd::Compat;
use crate::sidecar::Sidecar;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

/// Bound, but not served yet.
pub(super) struct Listeners {
    pub(super) sd: TcpListener,
    pub(super) admin: TcpListener,
}

/// Binds, or says which flag to change. All addresses, `0.0.0.0`, are those of IPv6 too, where the system has
/// it: a kubelet probes a Pod at whichever address it has.
pub(super) async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, CommandError> {
    if address.ip() == Ipv4Addr::UNSPECIFIED
        && ipv6_takes_ipv4()
        && let Ok(listener) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, address.port())).await
    {
        return Ok(listener);
    }
    TcpListener::bind(address)
        .await
        .map_err(|error| CommandError::Failure(format!("{flag} {address}: {error}")))
}

/// Whether a listener on all addresses of IPv6 gets connections of IPv4 as well. That is Linux' default.
fn ipv6_takes_ipv4() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only").is_ok_and(|text| text.trim() == "0")
}

/// Where it listens; tells the port where the system chose it.
pub(super) fn address_of(listener: &TcpListener) -> Result<SocketAddr, CommandError> {
    listener
        .local_addr()
        .map_err(|error| CommandError::Failure(format!("a listener without address: {error}")))
}

impl Listeners {
    /// Serves the sidecar until `shutdown` completes and what was asked until then is answered.
    pub(super) async fn serve(
        self,
        sidecar: &Sidecar,
        compat: Compat,
        (agent, files): (Option<Arc<AgentState>>, Option<Arc<FileSdState>>),
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), CommandError> {
        let limits = Limits::SD;
        if raise_open_file_limit().is_some_and(|files| files < limits.connections as u64) {
            warn!("the limit of open files is below the {} connections served", limits.connections);
        }
        let (http_sd, admin) = (address_of(&self.sd)?, address_of(&self.admin)?);
        if !http_sd.ip().is_loopback() {
            warn!(%http_sd, "not loopback: others can read the targets, and with them annotations");
        }
        info!(%http_sd, %admin, "serving");
        let app = Arc::new(App::new(sidecar, compat, agent).with_file_sd(files));
        let (stop, stopping) = watch::channel(false);
        let stopped = |mut stopping: watch::Receiver<bool>| async move {
            let _ = stopping.wait_for(|stop| *stop).await; // an error is the end of this function
        };
        let admin = Arc::new(Admin::new(Arc::clone(&app)));
        tokio::join!(
            serve(self.sd, Arc::new(HttpSd(app)), limits, stopped(stopping.clone())),
            serve(self.admin, admin, Limits::ADMIN, stopped(stopping)),
            async {
                shutdown.await;
                info!("stopping");
                stop.send_replace(true);
            },
        );
        Ok(())
    }
}
