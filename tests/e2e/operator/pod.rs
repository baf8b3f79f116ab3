//! A Pod without a kubelet: its containers are processes, each in a root file system of its own that is
//! read-only, with the volumes of the Pod mounted as the manifest says, as the user that it says. What a
//! kubelet does beyond that is not here: resources, other probes than the startup probe, restarts.

#![expect(clippy::print_stderr, reason = "logs of a test that failed")]

use super::super::api::Api;
use super::super::control_plane::ControlPlane;
use super::super::support::http::{eventually, get};
use super::install::{secret, secret_bytes};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Where a Pod finds the token of its account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What an image is here: a root file system, and where the program is in it.
pub(crate) struct Image {
    /// How its name ends, before the tag.
    pub(crate) name: &'static str,
    /// What is in it: files by their place in it.
    pub(crate) files: Vec<(PathBuf, &'static str)>,
    pub(crate) entrypoint: &'static str,
}

/// A Pod whose containers are started one by one.
pub(crate) struct Pod {
    pub(crate) name: String,
    namespace: String,
    spec: Value,
    folder: TempDir,
    images: Vec<Image>,
    /// How the API server is reached.
    api_server: String,
    running: BTreeMap<String, Child>,
    /// How often volumes were brought up to date.
    synced: u32,
}

// === impl Pod ===

impl Pod {
    /// Creates the object as its DaemonSet's controller would, so that admission has a say, and prepares its
    /// volumes.
    pub(crate) async fn create(
        (plane, api): (&ControlPlane, &Api),
        set: &Value,
        (name, node): (&str, &str),
        images: Vec<Image>,
    ) -> Self {
        let namespace = set["metadata"]["namespace"].as_str().expect("a namespace");
        let template = &set["spec"]["template"];
        let mut spec = template["spec"].clone();
        spec["nodeName"] = node.into();
        let mut metadata = template["metadata"].clone();
        metadata["name"] = name.into();
        metadata["namespace"] = namespace.into();
        api.create(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
            .await;
        let mut pod = Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            spec,
            folder: tempfile::tempdir().expect("a temporary folder"),
            images,
            api_server: plane.url.clone(),
            running: BTreeMap::new(),
            synced: 0,
        };
        fs::set_permissions(pod.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        pod.sync_volumes(api).await;
        pod.write_account(plane, api).await;
        pod
    }

    /// Starts all containers in the order of the kubelet: init containers one after the other, a native sidecar
    /// when its startup probe succeeds, then the rest.
    pub(crate) async fn start(&mut self) {
        for container in self.containers("initContainers") {
            let name = name_of(&container);
            self.start_container(&name);
            if container["restartPolicy"] == "Always" {
                let probe = probe_url(&container, "startupProbe");
                eventually(&format!("{name} has started"), || async { get(&probe).await }).await;
            } else {
                let mut child = self.running.remove(&name).expect("it was started");
                let status = child.wait().await.expect("a child of ours");
                assert!(status.success(), "{name} ended with {status}: {}", self.log_of(&name));
            }
        }
        for container in self.containers("containers") {
            self.start_container(&name_of(&container));
        }
    }

    /// Starts one container, in place of the one that ran.
    pub(crate) fn start_container(&mut self, name: &str) {
        let container = &self.container(name);
        let script = self.script(container);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path(name));
        let log = log.expect("a log");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork"])
            .args(["--kill-child=KILL", "--", "sh", "-euc", &script])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("a PATH"))
            .envs(self.environment(container))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("unshare of util-linux can be started");
        self.running.insert(name.to_owned(), child);
    }

    /// Kills one container.
    pub(crate) async fn kill(&mut self, name: &str) {
        let mut child = self.running.remove(name).expect("it runs");
        child.kill().await.expect("a child of ours");
        // What it was process 1 of ends a moment later, and its ports are free then.
        let container = self.container(name);
        let ports = container["ports"].as_array().into_iter().flatten();
        for port in ports.filter_map(|port| port["containerPort"].as_u64()) {
            let address = ("0.0.0.0", u16::try_from(port).expect("a port"));
            eventually("its port is free", || async {
                std::net::TcpListener::bind(address).map(drop).map_err(|error| error.to_string())
            })
            .await;
        }
    }

    /// Kills all.
    pub(crate) async fn stop(&mut self) {
        for name in self.running.keys().cloned().collect::<Vec<_>>() {
            self.kill(&name).await;
        }
    }

    /// Sends that signal to the program of a container.
    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let entrypoint = self.image_of(name).entrypoint.as_bytes();
        let network = |process: &Path| fs::read_link(process.join("ns/net")).ok();
        let ours = network(Path::new("/proc/self"));
        let is_it = |process: &fs::DirEntry| {
            let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let same = command.split(|byte| *byte == 0).next() == Some(entrypoint);
            same && network(&process.path()) == ours // another suite's may be on this machine
        };
        let process = fs::read_dir("/proc").expect("proc").flatten().find(is_it);
        let pid = process.unwrap_or_else(|| panic!("{name} does not run")).file_name();
        let sent = std::process::Command::new("kill").arg(signal).arg(pid).status();
        assert!(sent.expect("kill can be started").success());
    }

    /// Brings volumes up to date as the kubelet does: the files of a Secret change together, by one link.
    pub(crate) async fn sync_volumes(&mut self, api: &Api) {
        self.synced += 1;
        for volume in self.spec["volumes"].as_array().cloned().unwrap_or_default() {
            let folder = self.volume(&name_of(&volume));
            fs::create_dir_all(&folder).unwrap();
            let sources = match &volume["projected"]["sources"] {
                Value::Array(sources) => {
                    sources.iter().map(|source| source["secret"].clone()).collect()
                }
                _ if volume["secret"].is_object() => vec![volume["secret"].clone()],
                _ => {
                    if self.synced == 1 && volume["emptyDir"]["medium"] == "Memory" {
                        mount_memory(&folder);
                    }
                    own(&folder); // fsGroup does it there
                    continue;
                }
            };
            let mut files = BTreeMap::new();
            for source in &sources {
                let name = source["secretName"].as_str().or(source["name"].as_str());
                match secret(api, &self.namespace, name.expect("a Secret's name")).await {
                    Ok(secret) => {
                        let keys = secret["data"].as_object().into_iter().flatten();
                        files.extend(keys.map(|(key, _)| {
                            (key.clone(), secret_bytes(&secret, key).expect("it has that key"))
                        }));
                    }
                    Err(_) if source["optional"] == true => {}
                    Err(missing) => panic!("no kubelet would start this Pod: {missing}"),
                }
            }
            self.write_volume(&folder, &files);
        }
    }

    /// Puts that into a file of a Secret's volume, until volumes are brought up to date again; `None` takes
    /// the file away.
    pub(crate) fn spoil(&mut self, volume: &str, file: &str, bytes: Option<&[u8]>) {
        self.synced += 1;
        let folder = self.volume(volume);
        let files = bytes.map(|bytes| (file.to_owned(), bytes.to_vec()));
        self.write_volume(&folder, &files.into_iter().collect());
    }

    fn write_volume(&self, folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
        let has: BTreeMap<String, Vec<u8>> = fs::read_dir(folder)
            .unwrap()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                Some((name, fs::read(entry.path()).ok()?))
            })
            .collect();
        if has == *files && folder.join("..data").exists() {
            return; // nor does the kubelet write what is there
        }
        let version = format!("..version-{}", self.synced);
        fs::create_dir(folder.join(&version)).unwrap();
        for (name, bytes) in files {
            fs::write(folder.join(&version).join(name), bytes).unwrap();
            if !folder.join(name).is_symlink() {
                symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
            }
        }
        let next = folder.join("..data_tmp");
        symlink(&version, &next).unwrap();
        fs::rename(next, folder.join("..data")).unwrap();
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let is_old = name.starts_with("..version-") && name != version;
            if is_old {
                fs::remove_dir_all(entry.path()).unwrap();
            } else if !name.starts_with("..") && !files.contains_key(&name) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    /// The token of the account, bound to the Pod.
    async fn write_account(&self, plane: &ControlPlane, api: &Api) {
        let account = self.spec["serviceAccountName"].as_str().expect("an account");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": self.name}}});
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", self.namespace);
        let answer = api.post(&path, &request).await;
        let folder = self.folder.path().join("account");
        fs::create_dir(&folder).unwrap();
        let token = answer["status"]["token"].as_str().expect("a token");
        fs::write(folder.join("token"), token).unwrap();
        fs::write(folder.join("namespace"), &self.namespace).unwrap();
        fs::copy(plane.ca_file(), folder.join("ca.crt")).unwrap();
    }

    /// What a volume's folder has, seen from here.
    pub(crate) fn volume(&self, name: &str) -> PathBuf {
        self.folder.path().join("volumes").join(name)
    }

    /// The volume that a container has there.
    pub(crate) fn volume_at(&self, container: &str, path: &str) -> String {
        self.volume_where(container, |mount| mount["mountPath"] == path)
    }

    /// The volume that a container can write, whose name ends so.
    pub(crate) fn writable_volume(&self, container: &str, end: &str) -> String {
        let ends = |mount: &Value| mount["name"].as_str().is_some_and(|name| name.ends_with(end));
        self.volume_where(container, |mount| mount["readOnly"] != true && ends(mount))
    }

    /// The folder of the volume that a flag of a container names.
    pub(crate) fn folder_of_flag(&self, container: &str, flag: &str) -> PathBuf {
        let of = self.container(container);
        let arguments = of["args"].as_array().expect("arguments").iter().filter_map(Value::as_str);
        let mut given =
            arguments.filter_map(|argument| argument.strip_prefix(flag)?.strip_prefix('='));
        let path = Path::new(given.next().expect("it is given"));
        let mounts = of["volumeMounts"].as_array().expect("mounts").iter();
        let mut below = mounts.filter_map(|mount| {
            let rest = path.strip_prefix(mount["mountPath"].as_str()?).ok()?;
            Some(self.volume(mount["name"].as_str()?).join(rest))
        });
        below.next().expect("it is in a volume")
    }

    fn volume_where(&self, container: &str, such: impl Fn(&Value) -> bool) -> String {
        let of = self.container(container);
        let mounts = of["volumeMounts"].as_array().expect("mounts");
        name_of(mounts.iter().find(|mount| such(mount)).expect("such a mount"))
    }

    /// What a container has said.
    pub(crate) fn log_of(&self, name: &str) -> String {
        fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn containers(&self, list: &str) -> Vec<Value> {
        self.spec[list].as_array().cloned().unwrap_or_default()
    }

    fn container(&self, name: &str) -> Value {
        let mut all = ["initContainers", "containers"].map(|list| self.containers(list)).concat();
        let at = all.iter().position(|container| container["name"] == name);
        all.swap_remove(at.unwrap_or_else(|| panic!("there is no container {name}")))
    }

    fn root_of(&self, container: &str) -> PathBuf {
        self.folder.path().join("roots").join(container)
    }

    fn image_of(&self, container: &str) -> &Image {
        let found = self.container(container);
        let reference = found["image"].as_str().expect("an image");
        let name = reference.rsplit('/').next().expect("a name");
        let name = name.split(':').next().expect("a name");
        let image = self.images.iter().find(|image| image.name == name);
        image.unwrap_or_else(|| panic!("the test has no image {reference}"))
    }

    /// Makes the root file system, and what mounts it and starts the program in it. It runs in a mount
    /// namespace of its own, in which nothing else sees it, and as process 1, with which all ends.
    fn script(&self, container: &Value) -> String {
        let name = name_of(container);
        let image = self.image_of(&name);
        let root = self.root_of(&name);
        let mut script = String::new();
        let mut mount = |from: &Path, to: &Path, how: &str| {
            let _ = writeln!(script, "mount --bind '{}' '{}'", from.display(), to.display());
            if how == "ro" {
                let _ = writeln!(script, "mount -o remount,bind,ro '{}'", to.display());
            }
        };
        let place = |path: &str| root.join(path.trim_start_matches('/'));
        fs::create_dir_all(place("/proc")).unwrap();
        mount(&root, &root, "rw");
        let file = |path: &str| {
            let to = place(path);
            fs::create_dir_all(to.parent().expect("a folder")).unwrap();
            fs::OpenOptions::new().create(true).append(true).open(&to).expect("a file to mount on");
            to
        };
        for (from, to) in &image.files {
            mount(from, &file(to), "ro");
        }
        mount(Path::new("/etc/hosts"), &file("/etc/hosts"), "ro");
        let folder = |path: &str| {
            let to = place(path);
            fs::create_dir_all(&to).unwrap();
            to
        };
        mount(&self.folder.path().join("account"), &folder(ACCOUNT), "ro");
        for of in container["volumeMounts"].as_array().into_iter().flatten() {
            let mut from = self.volume(&name_of_key(of, "name"));
            if let Some(below) = of["subPath"].as_str() {
                from.push(below);
                if !from.exists() {
                    fs::create_dir(&from).unwrap();
                    own(&from);
                }
            }
            let how = if of["readOnly"] == true { "ro" } else { "rw" };
            let to = name_of_key(of, "mountPath");
            mount(&from, &if from.is_file() { file(&to) } else { folder(&to) }, how);
        }
        let security = [&container["securityContext"], &self.spec["securityContext"]];
        let of = |key: &str| security.iter().find_map(|context| context[key].as_u64());
        let (user, group) = (of("runAsUser").expect("a user"), of("runAsGroup").expect("a group"));
        assert_eq!(security[0]["readOnlyRootFilesystem"], true, "{name}");
        let root = root.display();
        let _ = writeln!(script, "mount -t proc proc '{root}/proc'");
        let _ = writeln!(script, "mount -o remount,bind,ro '{root}'");
        let _ = write!(script, "chroot --userspec={user}:{group} '{root}' {}", image.entrypoint);
        for argument in container["args"].as_array().into_iter().flatten() {
            let argument = argument.as_str().expect("a text");
            assert!(!argument.contains('\''), "{argument}");
            let _ = write!(script, " '{argument}'");
        }
        // Not exec: with this process all of them end, whatever user they are.
        script.push_str(" &\nwait $!\n");
        script
    }

    fn environment(&self, container: &Value) -> Vec<(String, String)> {
        let mut all = vec![
            ("KUBERNETES_SERVICE_HOST".to_owned(), "127.0.0.1".to_owned()),
            (
                "KUBERNETES_SERVICE_PORT".to_owned(),
                self.api_server.rsplit(':').next().expect("a port").to_owned(),
            ),
        ];
        for variable in container["env"].as_array().into_iter().flatten() {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("spec.nodeName") => self.spec["nodeName"].as_str().expect("a node").to_owned(),
                Some("metadata.name") => self.name.clone(),
                Some("metadata.namespace") => self.namespace.clone(),
                Some(other) => panic!("a kubelet would know {other}"),
                None => variable["value"].as_str().unwrap_or_default().to_owned(),
            };
            all.push((name_of(variable), value));
        }
        all
    }
}

/// Where a probe asks.
fn probe_url(container: &Value, probe: &str) -> String {
    let ask = &container[probe]["httpGet"];
    let ports = container["ports"].as_array().into_iter().flatten();
    let named = ports
        .filter(|port| port["name"] == ask["port"])
        .find_map(|port| port["containerPort"].as_u64());
    let port = ask["port"].as_u64().or(named).expect("a port that the container has");
    format!("http://127.0.0.1:{port}{}", ask["path"].as_str().expect("a path"))
}

fn name_of(object: &Value) -> String {
    name_of_key(object, "name")
}

fn name_of_key(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_else(|| panic!("{object} has no {key}")).to_owned()
}

/// Makes a folder that of the Pods' user.
fn own(folder: &Path) {
    const NOBODY: u32 = 65534;
    chown(folder, Some(NOBODY), Some(NOBODY)).expect("these tests run as root");
}

/// Memory of a bounded size. It goes away with the mount namespace of these tests, and with [`Pod`].
fn mount_memory(folder: &Path) {
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(folder)
        .status();
    assert!(mounted.expect("mount can be started").success());
}

impl Drop for Pod {
    /// Tells what its containers said, if the test failed, and unmounts, or its folder could not be removed.
    fn drop(&mut self) {
        for name in self.running.keys().filter(|_| std::thread::panicking()) {
            let log = self.log_of(name);
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{name}:\n{}", lines[lines.len().saturating_sub(15)..].join("\n"));
        }
        for folder in
            fs::read_dir(self.folder.path().join("volumes")).into_iter().flatten().flatten()
        {
            let _ = std::process::Command::new("umount")
                .args(["--quiet", "--lazy"])
                .arg(folder.path())
                .stderr(Stdio::null())
                .status(); // most are no mounts
        }
    }
}
