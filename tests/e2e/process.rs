//! The program itself as a process of its own: what has a memory, signals and files to itself.

use super::control_plane::free_ports;
use super::oracle::At;
use super::support::http::{eventually, get};
use nodelocal_sd::index::EndpointsFrom;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A sidecar that runs; ends when it is dropped.
pub(crate) struct Process {
    /// Where http_sd is served.
    pub(crate) url: String,
    admin: String,
    child: Child,
}

// === impl Process ===

impl Process {
    /// Starts one for that node.
    pub(crate) fn start(kubeconfig: &Path, node: &str, from: EndpointsFrom) -> Self {
        Self::start_with(&[], kubeconfig, node, from)
    }

    /// Starts one with these variables.
    pub(crate) fn start_with(
        variables: &[(&str, &str)],
        kubeconfig: &Path,
        node: &str,
        from: EndpointsFrom,
    ) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).envs(variables.iter().copied());
        Self::start_by(&mut command, kubeconfig, node, from)
    }

    /// One whose clock is as far off as that file says, from when it says so.
    pub(crate) fn start_with_clock(kubeconfig: &Path, node: &str, clock: &Path) -> Self {
        let library = std::env::var_os("LIBFAKETIME").expect("LIBFAKETIME names libfaketime.so.1");
        let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let variables = [
            ("LD_PRELOAD", &*path(library.as_ref())),
            ("FAKETIME_TIMESTAMP_FILE", &*path(clock)),
            ("FAKETIME_NO_CACHE", "1"),
            // No clock that jumps in reality moves the one that delays are measured by.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        Self::start_with(&variables, kubeconfig, node, EndpointsFrom::default())
    }

    /// One that finds the addresses of names in that file only.
    pub(crate) fn start_with_hosts(kubeconfig: &Path, node: &str, hosts: &Path) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "sh", "-c"]);
        command.arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"").arg(hosts);
        Self::start_by(&mut command, kubeconfig, node, EndpointsFrom::default())
    }

    fn start_by(command: &mut Command, kubeconfig: &Path, node: &str, from: EndpointsFrom) -> Self {
        let [listen, admin] = free_ports();
        runs(command, kubeconfig, node, [listen, admin]);
        command.arg(match from {
            EndpointsFrom::Slices => "--endpoints-from=slices",
            EndpointsFrom::Pods(_) => "--foreign-slices=all",
        });
        Self {
            url: format!("http://127.0.0.1:{listen}"),
            admin: format!("http://127.0.0.1:{admin}"),
            child: command.spawn().expect("setpriv and unshare are part of util-linux"),
        }
    }

    /// Waits until it has listed what that role needs.
    pub(crate) async fn serves(&self, role: &str) {
        let url = format!("{}/sd/{role}", self.url);
        eventually(&format!("{url} is served"), || get_owned(url.clone())).await;
    }

    /// As one of a fleet.
    pub(crate) fn at(&self, node: &str, from: EndpointsFrom) -> At {
        At { node: node.to_owned(), url: self.url.clone(), from }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a pid"), signal).expect("it runs");
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
        }
    }

    /// The memory that is its own, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
            .expect("a number of KiB")
    }

    /// The year that it has, by the Date of an answer.
    pub(crate) async fn year(&self) -> i32 {
        let address = self.url.strip_prefix("http://").expect("our own URL");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let date = answer.lines().find_map(|line| line.strip_prefix("date: "));
        // Such as: Sat, 28 Nov 2026 22:55:38 GMT
        let year = date.and_then(|date| date.split(' ').nth(3)?.parse().ok());
        year.unwrap_or_else(|| panic!("no year: {answer}"))
    }

    /// All requests to the API server that have ended.
    pub(crate) async fn requests(&self) -> u64 {
        requests(&self.admin).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // one that has ended by itself is as good
        let _ = self.child.wait();
    }
}

/// Adds the program, its node, its listeners and its API server to a command.
pub(crate) fn runs(command: &mut Command, kubeconfig: &Path, node: &str, ports: [u16; 2]) {
    let [listen, admin] = ports;
    command.args([env!("CARGO_BIN_EXE_nodelocal-sd"), "run", "--node-name", node]);
    command.arg(format!("--listen=127.0.0.1:{listen}"));
    command.arg(format!("--admin-listen=127.0.0.1:{admin}"));
    command.arg(format!("--kubeconfig={}", kubeconfig.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
}

async fn get_owned(url: String) -> Result<String, String> {
    get(&url).await
}

/// All requests to the API server that have ended, as the metrics at that URL count them.
pub(crate) async fn requests(admin: &str) -> u64 {
    let metrics = get(&format!("{admin}/metrics")).await.unwrap();
    let prefix = "nodelocal_sd_api_requests_total{";
    let samples = metrics.lines().filter(|line| line.starts_with(prefix));
    samples.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}
