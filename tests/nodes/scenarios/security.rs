//! What the manifests promise of the Pods, kept by a real kernel: PodSecurity `restricted`, no rights, a root file system
//! that cannot be written, and a memory limit that holds under a burst.

use super::super::machine;
use super::super::patience::eventually;
use super::super::process::status_of;
use super::super::support::http::get;
use super::super::table;
use super::super::world::{DEPLOYMENTS, Deployment, World};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

/// As `manifests/` has it, in bytes.
const LIMIT: u64 = 256 << 20;
/// Clients at once, each with a head that does not end, of so many bytes.
const CLIENTS: usize = 2000;
const HEAD: usize = 32 << 10;
/// The sidecar's port for health checks and metrics, which can be reached from other Pods.
const ADMIN: u16 = 9912;

pub(crate) async fn holds_in_the_kernel(world: &World) {
    for deployment in DEPLOYMENTS {
        refuses_what_is_not_restricted(world, deployment);
        for agent in world.agents(deployment).await {
            let node = agent["spec"]["nodeName"].as_str().expect("it is scheduled");
            let name = agent["metadata"]["name"].as_str().expect("a name");
            world.cluster.node(node, |node| {
                let statuses = ["containerStatuses", "initContainerStatuses"];
                let all =
                    statuses.iter().flat_map(|of| agent["status"][*of].as_array().expect("some"));
                for container in all.filter(|container| !container["state"]["running"].is_null()) {
                    for process in processes(node.name, container) {
                        has_no_rights(&process, &format!("{name}, {}", container["name"]));
                    }
                }
            });
        }
    }
}

/// PodSecurity is enforced: the API server refuses a Pod that is not restricted.
fn refuses_what_is_not_restricted(world: &World, deployment: Deployment) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "root", "namespace": deployment.namespace},
        "spec": {"containers": [{"name": "c", "image": "test.local/pause:1"}]}});
    let file = world.cluster.plane.folder().join("root.json");
    std::fs::write(&file, pod.to_string()).expect("a folder of ours");
    let create = ["create", "-f", file.to_str().expect("UTF-8")];
    let said = world.cluster.plane.try_kubectl(&create).expect_err("it must be refused");
    assert!(said.contains("violates PodSecurity \"restricted"), "{said}");
}

/// The processes of a container, as numbers of this process' own namespace.
fn processes(node: &str, container: &Value) -> Vec<String> {
    let group = group_of(node, container).join("cgroup.procs");
    let processes = std::fs::read_to_string(&group).expect("the group of a running container");
    let processes: Vec<String> = processes.lines().map(str::to_owned).collect();
    assert!(!processes.is_empty(), "{} has no processes", group.display());
    processes
}

/// The memory cgroup of a container.
fn group_of(node: &str, container: &Value) -> PathBuf {
    let id = container["containerID"].as_str().and_then(|id| id.strip_prefix("containerd://"));
    let id = id.unwrap_or_else(|| panic!("no containerID: {container}"));
    let (run, _) = machine::within().expect("nodes are within a run");
    let root = format!("/sys/fs/cgroup/memory/{run}-{node}");
    let find = Command::new("find").args([&root, "-type", "d", "-name", id]).output();
    let found = String::from_utf8(find.expect("find is there").stdout).expect("UTF-8");
    PathBuf::from(found.trim())
}

fn has_no_rights(process: &str, of: &str) {
    let read = |file: &str| {
        std::fs::read_to_string(format!("/proc/{process}/{file}"))
            .unwrap_or_else(|error| panic!("{of}: {error}"))
    };
    let status = read("status");
    for line in [
        "Uid:\t65534\t65534\t65534\t65534",
        "Gid:\t65534\t65534\t65534\t65534",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.lines().any(|is| is == line), "{of} is not {line:?}:\n{status}");
    }
    let mounts = read("mounts");
    let root = mounts.lines().find(|line| line.split(' ').nth(1) == Some("/")).expect("a root");
    let options = root.split(' ').nth(3).expect("options");
    assert!(options.split(',').any(|option| option == "ro"), "{of} can write its root: {root}");
}

/// 2,000 clients at once that send 32 KiB each and no end of it: the sidecar stays below the limit of its manifest,
/// is not ended, and answers others.
pub(crate) async fn memory_stays_below_the_limit(world: &World) {
    for deployment in DEPLOYMENTS {
        let agent = world.agents(deployment).await.swap_remove(0);
        let node = agent["spec"]["nodeName"].as_str().expect("it is scheduled");
        let sidecar = sidecar_of(&agent);
        let group = group_of(node, sidecar);
        let number = |file: &str| -> u64 {
            let text = std::fs::read_to_string(group.join(file)).expect("a running container's");
            text.trim().parse().expect("a number")
        };
        assert_eq!(number("memory.limit_in_bytes"), LIMIT, "{deployment:?}");
        let before = number("memory.usage_in_bytes");

        let ip = agent["status"]["podIP"].as_str().expect("it runs");
        let head = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; HEAD - 20]].concat();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = TcpStream::connect((ip, ADMIN)).expect("it listens");
            // One that is not read, or is closed in between, is part of the burst too.
            client.set_nonblocking(true).expect("a socket");
            let _ = client.write(&head);
            clients.push(client);
        }
        let url = format!("http://{ip}:{ADMIN}/metrics");
        eventually("it answers during the burst", || get(&url)).await;
        drop(clients);

        let peak = number("memory.max_usage_in_bytes");
        assert!(peak < LIMIT, "{deployment:?}: {peak} bytes");
        assert_eq!(number("memory.failcnt"), 0, "{deployment:?} was held by its limit");
        let after = world.agents(deployment).await;
        let same = after.iter().find(|pod| pod["metadata"]["uid"] == agent["metadata"]["uid"]);
        let restarts = &sidecar_of(same.expect("it is there"))["restartCount"];
        assert_eq!(*restarts, sidecar["restartCount"], "{deployment:?} was ended");
        let mib = |bytes: u64| {
            format!("{:.1}", f64::from(u32::try_from(bytes >> 10).expect("GiB")) / 1024.0)
        };
        table::add(
            "memory of the sidecar's container in a burst of 2,000 clients: before, peak, limit",
            deployment.name,
            format!("{}, {}, {} MiB", mib(before), mib(peak), LIMIT >> 20),
        );
    }
}

fn sidecar_of(agent: &Value) -> &Value {
    status_of(agent, "nodelocal-sd").expect("it runs")
}
