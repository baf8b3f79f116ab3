//! The process of a container, as the machine sees it: all of them are in namespaces within ours.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A container's first process, while it runs.
pub(crate) struct Process(Pid);

// === impl Process ===

impl Process {
    /// Of that container of a Pod. Its cgroup is called as the container is.
    pub(crate) fn of(pod: &Value, container: &str) -> Result<Self, String> {
        let status = status_of(pod, container).ok_or(format!("no status of {container}"))?;
        let id = status["containerID"].as_str().and_then(|id| id.split("//").nth(1));
        let id = id.ok_or(format!("{container} has never run"))?;
        let pids = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
        let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let in_it = |pid: &i32| {
            let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
            groups.unwrap_or_default().contains(id)
        };
        let found = pids.find(in_it).and_then(Pid::from_raw);
        found.map(Self).ok_or(format!("{container} does not run: {status}"))
    }

    /// As the kernel does when there is no memory left: it cannot clean up.
    pub(crate) fn kill(self) {
        kill_process(self.0, Signal::KILL).expect("it runs");
    }

    /// What the kernel says of it under that name in `status`.
    pub(crate) fn says(&self, name: &str) -> String {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect("it runs, and the kernel says that of all").trim().to_owned()
    }

    /// The folder of its mount at a path, within the file system that is mounted there.
    pub(crate) fn mounted_at(&self, path: &str) -> Option<String> {
        let mounts = self.read("mountinfo");
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        mounts.find(|fields| fields[4] == path).map(|fields| fields[3].to_owned())
    }

    /// A path of its own, as we can reach it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.0.as_raw_nonzero()))
    }

    /// The bytes that its container is charged for: now, and the most there ever were.
    pub(crate) fn charged(&self) -> [u64; 2] {
        let groups = self.read("cgroup");
        let group = groups.lines().find_map(|line| line.split_once(":memory:"));
        let (_, group) = group.expect("cgroup v1 has this hierarchy");
        let folder = Path::new("/sys/fs/cgroup/memory").join(group.trim_start_matches('/'));
        ["memory.usage_in_bytes", "memory.max_usage_in_bytes"].map(|file| {
            let bytes = std::fs::read_to_string(folder.join(file)).expect("it runs");
            bytes.trim().parse().expect("a number")
        })
    }

    fn read(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.0.as_raw_nonzero());
        std::fs::read_to_string(path).expect("it runs")
    }
}

/// What a Pod says of a container, a sidecar or not.
pub(crate) fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let lists = ["initContainerStatuses", "containerStatuses"];
    let mut all = lists.iter().filter_map(|list| pod["status"][list].as_array()).flatten();
    all.find(|status| status["name"] == container)
}
