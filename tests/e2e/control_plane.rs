//! A real control plane: etcd, kube-apiserver and kube-controller-manager, with certificates of its
//! own, on loopback. No kubelet and no scheduler: Nodes and Pods are objects, and a Pod runs as soon
//! as its status says so.
//!
//! Everything ends with it. Each process is started through `setpriv --pdeathsig`, so that it also
//! ends when the test is killed. The signal follows the thread that started the process, which is
//! why a control plane is started on the main thread.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;

/// The token of an administrator.
pub(crate) const ADMIN: &str = "admin-of-the-test";

/// A running control plane.
pub(crate) struct ControlPlane {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    folder: TempDir,
    processes: Mutex<Vec<(&'static str, Child)>>,
    api_server: Vec<String>,
}

const API_SERVER: &str = "kube-apiserver";

/// How often is looked whether the API server is ready; it takes five seconds.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
const LOOKS: u32 = 600;

impl ControlPlane {
    /// Starts one from the binaries that the variables `ETCD_BIN` and `KUBERNETES_BIN` name, and
    /// waits until the API server is ready.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        write_certificates(folder.path());
        let [etcd, peer, api] = free_ports();
        let etcd_url = format!("http://127.0.0.1:{etcd}");
        let url = format!("https://127.0.0.1:{api}");
        write(folder.path(), "tokens.csv", &format!("{ADMIN},admin,admin,system:masters\n"));
        write(folder.path(), "admin.kubeconfig", &kubeconfig(&url, &path("ca.crt"), ADMIN));

        let api_server = [
            format!("--etcd-servers={etcd_url}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={api}"),
            format!("--tls-cert-file={}", path("server.crt")),
            format!("--tls-private-key-file={}", path("server.key")),
            "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112".to_owned(), // dual stack
            "--service-account-issuer=https://issuer.invalid".to_owned(),
            format!("--service-account-key-file={}", path("accounts.pub")),
            format!("--service-account-signing-key-file={}", path("accounts.key")),
            format!("--token-auth-file={}", path("tokens.csv")),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(), // Pods need no account
            "--endpoint-reconciler-type=none".to_owned(),
        ];
        let etcd = [
            "--unsafe-no-fsync".to_owned(),
            format!("--data-dir={}", path("etcd")),
            format!("--listen-client-urls={etcd_url}"),
            format!("--advertise-client-urls={etcd_url}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        ];
        let controllers = "endpointslice-controller,endpoints-controller,\
            endpointslice-mirroring-controller,namespace-controller,garbage-collector-controller,\
            serviceaccount-controller,serviceaccount-token-controller,\
            root-ca-certificate-publisher-controller";
        let controller_manager = [
            format!("--kubeconfig={}", path("admin.kubeconfig")),
            format!("--controllers={controllers}"),
            "--leader-elect=false".to_owned(),
            "--kube-api-qps=2000".to_owned(),
            "--kube-api-burst=4000".to_owned(),
            format!("--service-account-private-key-file={}", path("accounts.key")),
            format!("--root-ca-file={}", path("ca.crt")),
            "--secure-port=0".to_owned(),
        ];
        let processes = Mutex::default();
        let plane = Self { url, folder, processes, api_server: api_server.to_vec() };
        plane.spawn("etcd", "ETCD_BIN", &etcd);
        plane.start_api_server();
        plane.spawn("kube-controller-manager", "KUBERNETES_BIN", &controller_manager);
        plane
    }

    /// Starts the API server, for the first time or again, and waits until it is ready.
    pub(crate) fn start_api_server(&self) {
        self.spawn(API_SERVER, "KUBERNETES_BIN", &self.api_server);
        self.wait_ready();
    }

    /// Kills the API server. The rest stays.
    pub(crate) fn kill_api_server(&self) {
        let mut processes = self.processes.lock().unwrap();
        let at = processes.iter().position(|(name, _)| *name == API_SERVER).expect("it runs");
        end(&mut processes.remove(at).1);
    }

    /// The certificate authority's file.
    pub(crate) fn ca_file(&self) -> String {
        self.path("ca.crt")
    }

    /// An administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("admin.kubeconfig")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn spawn(&self, name: &'static str, variable: &str, arguments: &[String]) {
        let log = File::create(self.folder.path().join(format!("{name}.log"))).expect("a log");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(binary(variable, name))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        self.processes.lock().unwrap().push((name, child));
    }

    /// `/readyz` says yes to everybody only after RBAC is there; kubectl asks as the administrator.
    fn wait_ready(&self) {
        let kubectl = binary("KUBERNETES_BIN", "kubectl");
        let mut looks = 0;
        loop {
            let output = Command::new(&kubectl)
                .arg("--kubeconfig")
                .arg(self.kubeconfig())
                .args(["get", "--raw", "/readyz"])
                .output()
                .expect("kubectl can be started");
            if output.status.success() {
                return;
            }
            for (name, child) in self.processes.lock().unwrap().iter_mut() {
                if let Some(status) = child.try_wait().expect("a child of ours") {
                    panic!("{name} ended with {status}:\n{}", end_of_log(self.folder.path(), name));
                }
            }
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(looks < LOOKS, "the API server is not ready: {why}");
            looks += 1;
            std::thread::park_timeout(BETWEEN_LOOKS);
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for (_, child) in self.processes.get_mut().unwrap().iter_mut().rev() {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    let _ = child.kill(); // one that has ended by itself is as good
    let _ = child.wait();
}

fn end_of_log(folder: &Path, name: &str) -> String {
    let log = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A kubeconfig with a bearer token.
pub(crate) fn kubeconfig(url: &str, ca_file: &str, token: &str) -> String {
    let mut text = String::from("apiVersion: v1\nkind: Config\ncurrent-context: c\n");
    let _ = writeln!(
        text,
        "clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: '{ca_file}'}}}}]"
    );
    let _ = writeln!(text, "users: [{{name: u, user: {{token: '{token}'}}}}]");
    let _ = writeln!(text, "contexts: [{{name: c, context: {{cluster: c, user: u}}}}]");
    text
}

fn binary(variable: &str, name: &str) -> PathBuf {
    let folder = std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} must name a folder with {name}; .ci/run sets it"));
    let path = PathBuf::from(folder).join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// Free now; nothing else on the machine is likely to take them in the next second.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("bound").port())
}

/// An authority, a server certificate for loopback, and a key that signs tokens of accounts.
fn write_certificates(folder: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("an authority");
    let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    let server = CertificateParams::new(names).expect("good names");
    let server_key = key();
    let certificate = server.signed_by(&server_key, &authority).expect("a certificate");
    write(folder, "ca.crt", &authority.pem());
    write(folder, "server.crt", &certificate.pem());
    write(folder, "server.key", &server_key.serialize_pem());
    let accounts = key();
    write(folder, "accounts.key", &accounts.serialize_pem());
    write(folder, "accounts.pub", &accounts.public_key_pem());
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the folder can be written");
}
