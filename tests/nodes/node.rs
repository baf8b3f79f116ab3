//! A real node: kubelet and containerd in namespaces of their own (`init.sh`), on the bridge of the cluster.

use super::{control_plane, machine};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The most nodes that there can be; their network is laid out for so many.
pub(crate) const NAMES: [&str; 3] = ["node-a", "node-b", "node-c"];
/// Of the cluster on the bridge.
pub(crate) const BRIDGE: &str = "10.200.0.1";

/// A running node; it dies when it is dropped.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    /// Its address, which Pods in its network have too.
    pub(crate) address: String,
    /// What outlives it: its disk.
    folder: PathBuf,
    first: Child,
}

/// Makes the network that nodes are on, with the address of the API server. Once, in a network namespace that
/// nobody else has.
pub(crate) fn make_network() {
    ip("link set lo up");
    // By default a bridge has the lowest address of its ports: with a node that goes it would change, and for a minute nobody
    // would find it.
    ip("link add nodes address 02:00:00:00:00:01 type bridge");
    ip("link set nodes up");
    ip(&format!("addr add {BRIDGE}/24 dev nodes"));
    ip(&format!("addr add {}/32 dev nodes", control_plane::IN_CLUSTER));
    ip("addr add fd00:200::1/64 dev nodes nodad");
}

// === impl Node ===

impl Node {
    /// Starts that one; `authority` is the file with the API server's. What its disk has from before is still there.
    pub(crate) fn start(name: &'static str, authority: &str) -> Self {
        let (run, folder) = machine::within().expect("nodes are within a run");
        let index = 1 + NAMES.iter().position(|of| *of == name).expect("a name of a node");
        let own = folder.join(name);
        std::fs::create_dir_all(&own).expect("a folder of ours");
        make_cgroups(&format!("{run}-{name}"));
        let log = File::options().create(true).append(true).open(own.join("init.log"));
        let log = log.expect("a log");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "unshare", "--net", "--mount", "--pid", "--uts"])
            .args(["--fork", "--kill-child=KILL", "--mount-proc", "--", "bash"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/init.sh"))
            .args([name, &index.to_string()])
            .env("CA", authority)
            .env("KUBELET", control_plane::binary("kubelet"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        let first = control_plane::start_for_good(command);
        let first = first.expect("setpriv and unshare are part of util-linux");
        let node = Self { name, address: format!("10.200.0.1{index}"), folder: own, first };
        node.connect(index);
        node
    }

    /// Puts one end of a link into its network once it has one.
    fn connect(&self, index: usize) {
        let process = self.first.id();
        let network = || std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let ours = std::fs::read_link("/proc/self/ns/net").ok();
        while network() == ours {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let link = format!("to-{}", self.name);
        ip(&format!("link add {link} type veth peer name eth0 netns {process}"));
        ip(&format!("link set {link} master nodes up"));
        ip(&format!("route replace 10.244.{index}.0/24 via {}", self.address));
        ip(&format!("-6 route replace fd00:244:{index}::/64 via fd00:200::1{index}"));
    }

    /// Ends the kubelet, and keeps it from coming back. Containers run on.
    pub(crate) fn hold_kubelet(&self) {
        std::fs::write(self.folder.join("hold"), "").expect("a folder of ours");
        self.kill_kubelet();
    }

    /// The kubelet comes back.
    pub(crate) fn release_kubelet(&self) {
        std::fs::remove_file(self.folder.join("hold")).expect("it is held");
    }

    /// Kills the kubelet, which comes back at once unless it is held.
    pub(crate) fn kill_kubelet(&self) {
        let pid = std::fs::read_to_string(self.folder.join("kubelet.pid")).expect("it has begun");
        self.within(&["kill", "-9", pid.trim()]);
    }

    /// Configures its network by `ip`; as soon as it is started, when its namespaces may not be complete.
    pub(crate) fn ip(&self, arguments: &str) {
        let network = format!("--net=/proc/{}/ns/net", self.first.id());
        run(Command::new("nsenter").args([&network, "ip"]), arguments);
    }

    /// Runs a command in its namespaces.
    pub(crate) fn within(&self, command: &[&str]) -> String {
        let first = self.first_process();
        let output = Command::new("nsenter")
            .args(["--target", &first, "--net", "--mount", "--pid", "--uts", "--"])
            .args(command)
            .output()
            .expect("nsenter is part of util-linux");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {command:?}: {said}", self.name);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The process that is the first one in its namespaces: the child of `unshare`.
    fn first_process(&self) -> String {
        let unshare = self.first.id();
        let file = format!("/proc/{unshare}/task/{unshare}/children");
        let children = std::fs::read_to_string(file).expect("it runs");
        children.trim().to_owned()
    }

    /// Where its files are: `lib` is its /var/lib, `log` its /var/log.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.first.kill(); // its child dies with it, and all others with that
        let _ = self.first.wait();
        let _ = Command::new("ip").args(["link", "del", &format!("to-{}", self.name)]).status();
    }
}

/// A group for all that a node's kubelet starts, in each hierarchy.
fn make_cgroups(name: &str) {
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").expect("cgroups").flatten() {
        let group = hierarchy.path().join(name);
        remove_group(&group);
        std::fs::create_dir_all(&group).expect("cgroups can be made");
        // A group of cpuset takes no process until it has these.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = std::fs::read(hierarchy.path().join(file)) {
                std::fs::write(group.join(file), value).expect("what the parent has");
            }
        }
    }
}

/// Removes what a node has left there that was killed. A machine that starts again has no groups of before, and a kubelet
/// that finds some asks its runtime after each of them for seconds.
fn remove_group(group: &Path) {
    for below in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if below.path().is_dir() {
            remove_group(&below.path());
        }
    }
    for _ in 0..1000 {
        match std::fs::remove_dir(group) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                std::thread::park_timeout(Duration::from_millis(10)); // until what dies in it is dead
            }
            _ => return,
        }
    }
    panic!("{}: something lives in it", group.display());
}

fn ip(arguments: &str) {
    run(&mut Command::new("ip"), arguments);
}

fn run(ip: &mut Command, arguments: &str) {
    let output = ip.args(arguments.split(' ')).output();
    let output = output.expect("ip is part of iproute2, nsenter of util-linux");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}
