//! The machine that the nodes run on: what it must have, how a run is kept apart from it, and what shows that
//! nothing is left of one.

use regex_lite::Regex;
use rustix::process::{Resource, getrlimit};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// The name of this run: of its cgroups, and in the environment of its processes.
const RUN: &str = "RUN";
/// Its folder.
const FOLDER: &str = "FOLDER";
/// A run that prints this has nodes; see [`Run::killed_when_up`].
pub(crate) const UP: &str = "the nodes are up";

/// The controllers that a kubelet asks for. Each must be a hierarchy of its own, as in cgroup v1.
const CONTROLLERS: [&str; 9] =
    ["blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids", "systemd"];
const PROGRAMS: [&str; 9] =
    ["bash", "containerd", "ctr", "ip", "nsenter", "runc", "setpriv", "sysctl", "unshare"];
const PLUGINS: [&str; 4] = ["bridge", "host-local", "loopback", "portmap"];

/// For all scenarios at once; `security.rs` opens most.
const FILES: u64 = 4096;
/// In the names of cgroups and folders that kubelets, containerd and kubectl make.
const MADE_BY_NODES: [&str; 6] = ["cni", "containerd", "kube", "netns", "pods", "runc"];

/// What this machine lacks for nodes of its own, a line each.
pub(crate) fn lacks() -> Vec<String> {
    let mut lacks = Vec::new();
    if !rustix::process::geteuid().is_root() {
        lacks.push("root: mounts, network namespaces and cgroups are made".to_owned());
    }
    for controller in CONTROLLERS {
        let folder = Path::new("/sys/fs/cgroup").join(controller);
        if !folder.join("cgroup.procs").exists() {
            lacks.push(format!("{}: cgroup v1 with this controller", folder.display()));
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in PROGRAMS {
        if !std::env::split_paths(&path).any(|folder| folder.join(program).exists()) {
            lacks.push(format!("{program} in the PATH: apt-get install containerd runc iproute2"));
        }
    }
    for plugin in PLUGINS {
        let file = Path::new("/usr/lib/cni").join(plugin);
        if !file.exists() {
            lacks.push(format!("{}: apt-get install containernetworking-plugins", file.display()));
        }
    }
    let files = getrlimit(Resource::Nofile).current;
    if files.is_some_and(|files| files < FILES) {
        lacks.push(format!("{FILES} open files at once, which ulimit -n would allow: a burst"));
    }
    lacks
}

/// A run of these tests in namespaces of its own, and the process that cleans up after it.
pub(crate) struct Run {
    name: String,
    folder: PathBuf,
    tests: Child,
    guardian: Child,
    /// Closed, whatever becomes of this process, when the run is over.
    guarded: ChildStdin,
}

// === impl Run ===

impl Run {
    /// Starts this test anew with these arguments. The namespaces end with its first process, and that with us.
    pub(crate) fn start(arguments: &[OsString]) -> Self {
        static RUNS: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(1);
        let number = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("nodelocal-sd-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir(&folder).expect("the folder for temporary files can be written");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/guardian.sh");
        let mut guardian = Command::new("setsid") // what ends us by a signal to the group leaves it
            .arg("sh")
            .arg(script)
            .arg(&name)
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("setsid is part of util-linux");
        let guarded = guardian.stdin.take().expect("it is piped");
        let tests = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--net", "--mount", "--pid", "--fork"])
            .args(["--kill-child=KILL", "--mount-proc", "--"])
            .arg(std::env::current_exe().expect("this test has a path"))
            .args(arguments)
            .env(RUN, &name)
            .env(FOLDER, &folder)
            .env("TMPDIR", &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv and unshare are part of util-linux");
        Self { name, folder, tests, guardian, guarded }
    }

    /// Waits until it has ended and nothing of it is left.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.print_until("");
        let status = self.tests.wait().expect("a child of ours");
        self.clean();
        status
    }

    /// Kills it as soon as it has nodes, and waits until nothing of it is left.
    pub(crate) fn killed_when_up(mut self) {
        assert!(self.print_until(UP), "it has ended before the nodes were up");
        self.tests.kill().expect("it runs");
        let _ = self.tests.wait();
        self.clean();
    }

    /// Prints what it prints, until the end or up to that line; whether there was such a line.
    #[expect(clippy::print_stdout, reason = "it is the output of the tests")]
    fn print_until(&mut self, last: &str) -> bool {
        let output = self.tests.stdout.as_mut().expect("it is piped");
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            if !last.is_empty() && line == last {
                return true;
            }
        }
        false
    }

    fn clean(mut self) {
        drop(self.guarded);
        self.guardian.wait().expect("a child of ours");
        assert!(!self.folder.exists(), "{} is left", self.folder.display());
        let left = processes_of(&self.name);
        assert!(left.is_empty(), "processes are left:\n{left:#?}");
    }
}

/// The name and the folder of the run that this process is in, if it is in one.
pub(crate) fn within() -> Option<(String, PathBuf)> {
    Some((std::env::var(RUN).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// All of the machine that nodes might leave something in: mounts, links, routes, names of network namespaces,
/// cgroups, and the parameters of the kernel that a kubelet sets. What belongs to the run of another process is left
/// out: it goes on beside this one.
pub(crate) fn state() -> BTreeSet<String> {
    let mut state = BTreeSet::new();
    let mut add = |what: &str, lines: &str| {
        state.extend(lines.lines().map(|line| format!("{what}: {line}")));
    };
    add("mount", &std::fs::read_to_string("/proc/self/mounts").expect("proc is mounted"));
    add("link", &says("ip", &["-brief", "link"]));
    add("route", &says("ip", &["route"]));
    let routes = says("ip", &["-6", "route"]);
    // Those that a router has told count down.
    add("route", &Regex::new(r" expires \d+sec").expect("a good regex").replace_all(&routes, ""));
    add("network namespace", &says("ip", &["netns"]));
    add("cgroup", &says("find", &["/sys/fs/cgroup", "-mindepth", "1", "-type", "d"]));
    for parameter in [
        "kernel.panic",
        "kernel.panic_on_oops",
        "kernel.keys.root_maxbytes",
        "kernel.keys.root_maxkeys",
        "net.ipv4.ip_forward",
        "vm.overcommit_memory",
        "vm.panic_on_oom",
    ] {
        add("parameter", &says("sysctl", &[parameter]));
    }
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
    for folder in ["/var/lib", "/var/log", "/run", "/etc", "/usr/libexec", "/opt", &home] {
        add("folder", &says("find", &[folder, "-mindepth", "1", "-maxdepth", "1"]));
    }
    // Of cgroups and folders those that nodes or we make: those of other programs come and go.
    let ours = format!("/nodelocal-sd-{}-", std::process::id());
    state.retain(|line| {
        let of_another = line.contains("/nodelocal-sd-") && !line.contains(&ours);
        let of_nodes = MADE_BY_NODES.iter().any(|name| line.contains(name)) || line.contains(&ours);
        let many = line.starts_with("cgroup: ") || line.starts_with("folder: ");
        !of_another && (of_nodes || !many)
    });
    state
}

/// What of the state has come and what is missing; a line each, and nothing if it is the same.
pub(crate) fn difference(before: &BTreeSet<String>, after: &BTreeSet<String>) -> String {
    let mut lines = String::new();
    for line in after.difference(before) {
        let _ = writeln!(lines, "left over: {line}");
    }
    for line in before.difference(after) {
        let _ = writeln!(lines, "gone: {line}");
    }
    lines
}

fn says(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The processes whose environment says that they are of that run.
fn processes_of(run: &str) -> Vec<String> {
    let marker = format!("{RUN}={run}");
    let processes = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    let of_run = processes.filter(|process| {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
    });
    let command = |process: std::fs::DirEntry| {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).replace('\0', " ")
    };
    of_run.map(command).collect()
}
