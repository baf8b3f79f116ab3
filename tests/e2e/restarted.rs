//! A sidecar that is started again whenever it has ended, as the kubelet does it, with the state that it has
//! saved, and with as much memory as there is at that moment.

use super::control_plane::free_ports;
use super::process::runs;
use super::support::http::eventually;
use std::path::PathBuf;
use std::process::{Child, Command};
use tempfile::TempDir;

/// Too little for any start.
const TOO_LITTLE: u64 = 1 << 20;

/// Ends when it is dropped.
pub(crate) struct Restarted {
    node: &'static str,
    kubeconfig: PathBuf,
    ports: [u16; 2],
    state: TempDir,
    short_of_memory: bool,
    child: Child,
    /// How often it has been started again.
    pub(crate) restarts: usize,
}

// === impl Restarted ===

impl Restarted {
    pub(crate) fn start(kubeconfig: PathBuf, node: &'static str) -> Self {
        let (ports, state) = (free_ports(), tempfile::tempdir().unwrap());
        let child = command(&kubeconfig, node, ports, &state, false).spawn().expect("it starts");
        Self { node, kubeconfig, ports, state, short_of_memory: false, child, restarts: 0 }
    }

    /// Where http_sd is served.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Waits until there is a state on disk.
    pub(crate) async fn has_saved(&self) {
        let file = self.state.path().join("objects.gz");
        eventually("the state is saved", || {
            let there = file.exists().then_some(()).ok_or("not yet".to_owned());
            async { there }
        })
        .await;
    }

    /// Memory runs out: the kernel kills it, and no start has enough.
    pub(crate) fn runs_out_of_memory(&mut self) {
        self.short_of_memory = true;
        self.child.kill().expect("it runs"); // SIGKILL, as the kernel does it
    }

    /// There is memory again.
    pub(crate) fn has_memory(&mut self) {
        self.short_of_memory = false;
    }

    /// Starts it again if it has ended.
    pub(crate) fn look(&mut self) {
        if self.child.try_wait().expect("a child of ours").is_some() {
            let Self { node, kubeconfig, ports, state, short_of_memory, .. } = self;
            let mut command = command(kubeconfig, node, *ports, state, *short_of_memory);
            self.child = command.spawn().expect("it starts");
            self.restarts += 1;
        }
    }
}

impl Drop for Restarted {
    fn drop(&mut self) {
        let _ = self.child.kill(); // one that has ended by itself is as good
        let _ = self.child.wait();
    }
}

fn command(
    kubeconfig: &std::path::Path,
    node: &str,
    ports: [u16; 2],
    state: &TempDir,
    short_of_memory: bool,
) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "prlimit"]);
    command.args(short_of_memory.then(|| format!("--data={TOO_LITTLE}")));
    command.arg("--");
    runs(&mut command, kubeconfig, node, ports);
    command.arg(format!("--state-dir={}", state.path().display()));
    command
}
