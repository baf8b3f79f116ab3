//! The built binary: what it prints, and how it ends.

use crate::support::http::{eventually, get};
use crate::support::served::example_cluster;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

/// Nothing here should take near as long; a test that hangs must end.
const DEADLINE: Duration = Duration::from_secs(60);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodelocal-sd"));
    command
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs it to its end: exit code, standard output, standard error.
pub(crate) async fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = timeout(DEADLINE, command(arguments).output()).await.expect("it ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// One that runs until it is told to stop.
struct Running {
    child: Child,
    out: tokio::io::Lines<BufReader<ChildStdout>>,
    err: tokio::io::Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, out, err }
    }

    /// Reads its log up to the address of that listener.
    async fn address(&mut self, name: &str) -> String {
        let find = async {
            loop {
                let line = self.err.next_line().await.unwrap().expect("it runs on");
                if let Some((_, rest)) = line.split_once(&format!("{name}=")) {
                    return rest.split_whitespace().next().unwrap().to_owned();
                }
            }
        };
        timeout(DEADLINE, find).await.expect("it says where it listens")
    }

    /// Reads its output up to a line that begins so.
    async fn line(&mut self, begin: &str) -> String {
        let find = async {
            loop {
                let line = self.out.next_line().await.unwrap().expect("it runs on");
                if line.starts_with(begin) {
                    return line;
                }
            }
        };
        timeout(DEADLINE, find).await.unwrap_or_else(|_| panic!("no line begins with {begin:?}"))
    }

    /// Sends a signal; the exit code.
    async fn end(mut self, signal: rustix::process::Signal) -> Option<i32> {
        let pid = i32::try_from(self.child.id().expect("it runs")).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
        // Its pipes must not fill up while it says goodbye.
        tokio::spawn(async move { while let Ok(Some(_)) = self.out.next_line().await {} });
        tokio::spawn(async move { while let Ok(Some(_)) = self.err.next_line().await {} });
        timeout(DEADLINE, self.child.wait()).await.expect("it ends").unwrap().code()
    }
}

pub(crate) fn kubeconfig(api: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, \
         clusters: [{{name: c, cluster: {{server: '{api}'}}}}], users: [{{name: u, user: {{}}}}], \
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]}}"
    );
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    (folder, file)
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_one_line() {
    for (arguments, expected) in [
        (&["run", "--no-such-flag"][..], "unexpected argument '--no-such-flag' found"),
        (&["run"], "--node-name"),
        (&["run", "--node-name", "Not_A_Node"], "a node name is lower-case letters"),
        (
            &["run", "--node-name", "a", "--endpoints-from", "nodes"],
            "possible values: pods, slices",
        ),
        (&["demo", "--foreign-slices", "some"], "possible values: auto, all, off"),
        (&["run", "--node-name", "a", "--compat", "1.0"], "use 2.53, 3.5, 3.11 or latest"),
        (&["run", "--node-name", "a", "--log-level", "info,=x="], "--log-level"),
        (&["run", "--node-name", "a", "--listen", "localhost"], "--listen"),
        (&["run", "--node-name", "a"], "pass --kubeconfig"),
        (&["run", "--node-name", "a", "--kubeconfig", "/no/such/file"], "kubeconfig /no/such/file"),
        (&["targets", "pod?namespace=A"], "is not the name of a namespace"),
        (&["targets", "service"], "not local to a node"),
        (&["simulate", "--listen", "0.0.0.0:0"], "loopback only"),
        (&["simulate", "--listen", "127.0.0.1:0", "--manifests", "/no/such/file"], "--manifests"),
        (&["migrate"], "<NAMESPACE/NAME>"),
        (&["migrate", "a"], "\"a\" is not NAMESPACE/NAME"),
        (&["migrate", "a/b", "--kubeconfig", "/no/such/file"], "kubeconfig /no/such/file"),
        (&["migrate", "a/b", "--from", "c"], "cannot be used with"),
        (&["migrate", "--from", "/no/such/file"], "/no/such/file cannot be read"),
        (&["run", "--node-name", "a", "--agents", "a/b=c"], "--complement"),
        (&["run", "--complement", "--agent-delay", "1m"], "--agents"),
        (&["targets", "--node-name", "a", "--context", "c"], "pass --kubeconfig"),
        (&["run", "--agents", "a/b=c"], "--node-name"),
        (&["run", "--complement", "--agents", "b=c"], "give a namespace and a label selector"),
        (&["run", "--node-name", "a", "--exclude", "kube-system/app in"], "--exclude"),
        (&["run", "--node-name", "a", "--file-sd", "web=/sd/pod"], "--file-sd-dir"),
        (&["run", "--node-name", "a", "--file-sd-dir", "/sd"], "--file-sd <NAME=/sd/ROLE?QUERY>"),
        (
            &["demo", "--file-sd-dir", "/sd", "--file-sd", "../a=/sd/pod"],
            "the name has at most 200",
        ),
        (&["demo", "--file-sd-dir", "/sd", "--file-sd", "a"], "such as web=/sd/endpointslice"),
        (&["explode"], "unrecognized subcommand 'explode'"),
    ] {
        let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let is_run = arguments[0] == "run" && !arguments.contains(&"--listen");
        let arguments: Vec<&str> = arguments
            .iter()
            .copied()
            .chain(if is_run { &listen[..] } else { &[] }.iter().copied())
            .collect();
        let (code, out, err) = run(&arguments).await;
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{arguments:?}: {err}");
    }
}

/// What is wrong with a query is said as http_sd says it.
#[tokio::test]
async fn wrong_files_end_with_2_and_one_line() {
    for (files, expected) in [
        (&["web=/sd/pod?x=1"][..], "--file-sd web: unknown parameter \"x\""),
        (&["web=/sd/service"], "--file-sd web: role service is not local to a node"),
        (&["web=/sd/pod", "web=/sd/node"], "--file-sd web: the name is given twice"),
    ] {
        for command in [
            &["run", "--node-name", "a", "--file-sd-dir", "/no/such"][..],
            &["demo", "--file-sd-dir", "/no/such"],
        ] {
            let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
            let files = files.iter().flat_map(|file| ["--file-sd", file]);
            let arguments: Vec<&str> = command.iter().copied().chain(listen).chain(files).collect();
            let (code, out, err) = run(&arguments).await;
            assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
            assert!(err.contains(expected), "{arguments:?}: {err}");
            assert_eq!(err.lines().count(), 1, "{arguments:?}: {err}");
        }
    }
}

/// The built binary writes what it serves, and leaves it behind.
#[tokio::test]
async fn run_writes_files_that_outlive_it() {
    let (api, _) = example_cluster().await;
    let (folder, file) = kubeconfig(&api);
    let to = folder.path().join("sd");
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let arguments = ["run", "--node-name", "node-a", "--kubeconfig", &file, "--file-sd-dir"];
    let files = [to.to_str().unwrap(), "--file-sd", "pods=/sd/pod?namespace=shop"];
    let mut sidecar = Running::start(&[&arguments[..], &files, &listen].concat());
    let url = format!("http://{}", sidecar.address("http_sd").await);
    let written = eventually("the file", || async {
        std::fs::read_to_string(to.join("pods.json")).map_err(|error| error.to_string())
    })
    .await;
    assert!(written.len() > 100, "{written}");
    assert_eq!(get(&format!("{url}/sd/pod?namespace=shop")).await.unwrap(), written);
    assert_eq!(sidecar.end(rustix::process::Signal::TERM).await, Some(0));
    assert_eq!(std::fs::read_to_string(to.join("pods.json")).unwrap(), written);
}

#[tokio::test]
async fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["--version"], &["run", "--help"]] {
        let (code, out, err) = run(arguments).await;
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        assert!(!out.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_address_in_use_ends_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, err) = run(&["run", "--node-name", "a", "--listen", &address]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains(&format!("--listen {address}")), "{err}");
}

/// No API server is no reason to end: it may come back, and until then the answer is 503.
#[tokio::test]
async fn run_waits_for_an_api_server_that_is_away() {
    let (_folder, file) = kubeconfig("http://127.0.0.1:1");
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let arguments = ["run", "--node-name", "node-a", "--kubeconfig", &file];
    let mut sidecar = Running::start(&[&arguments[..], &listen].concat());
    let admin = sidecar.address("admin").await;
    let reason = eventually("the reason", || async {
        match get(&format!("http://{admin}/readyz")).await {
            Err(answer) if answer.contains("503") && answer.contains("refused") => Ok(answer),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(reason.contains("list pods for node node-a"), "{reason}");
    get(&format!("http://{admin}/livez")).await.expect("alive");
    assert_eq!(sidecar.end(rustix::process::Signal::TERM).await, Some(0));
}

#[tokio::test]
async fn run_serves_and_targets_prints() {
    let (api, simulator) = example_cluster().await;
    let (_folder, file) = kubeconfig(&api);
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let arguments = ["run", "--node-name", "node-a", "--kubeconfig", &file];
    let mut sidecar = Running::start(&[&arguments[..], &listen].concat());
    let url = format!("http://{}", sidecar.address("http_sd").await);

    let (code, from_sidecar, err) = run(&["targets", "pod", "--url", &url]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let header: Vec<&str> = from_sidecar.lines().next().unwrap().split("  ").collect();
    assert_eq!(header[0], "ADDRESS");
    assert!(from_sidecar.lines().count() > 3, "{from_sidecar}");

    let direct =
        ["targets", "pod", "--node-name", "node-a", "--kubeconfig", &file, "--log-level", "off"];
    let (code, from_api, err) = run(&direct).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(from_api, from_sidecar);

    let name = concat!("nodelocal-sd/", env!("CARGO_PKG_VERSION"));
    for request in simulator.requests() {
        assert_eq!(request.header("user-agent"), name, "{request:?}");
    }

    let (code, json, _) = run(&["targets", "pod", "--url", &url, "--output", "json"]).await;
    assert_eq!(code, 0);
    assert_eq!(json.trim_end(), get(&format!("{url}/sd/pod")).await.unwrap());

    assert_eq!(sidecar.end(rustix::process::Signal::INT).await, Some(0));
    let (code, _, err) = run(&["targets", "pod", "--url", &url]).await;
    assert_eq!(code, 1);
    assert!(err.contains("Connection refused"), "{err}");
    assert!(err.contains("is the sidecar running there?"), "{err}");
}

/// As in `nodelocal-sd targets pod | true`: what is printed finds no reader, and that is no failure.
#[tokio::test]
async fn a_closed_pipe_ends_a_command_quietly() {
    let (api, _simulator) = example_cluster().await;
    let (folder, kubeconfig) = kubeconfig(&api);
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let config = file("config", "scrape_configs:\n- job_name: a\n  static_configs: []\n");
    let pod = file("pod.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}}");
    let agent = file(
        "agent.yaml",
        "{apiVersion: monitoring.coreos.com/v1alpha1, kind: PrometheusAgent, metadata: {name: a, namespace: b}, \
         spec: {podMonitorSelector: {}, remoteWrite: [{url: 'http://store.example/'}]}}",
    );
    let of_node = ["--node-name", "node-a", "--kubeconfig", &kubeconfig, "--log-level", "off"];
    let of_node = of_node.as_slice();
    for (arguments, of_node) in [
        (["targets", "pod"].as_slice(), of_node),
        (&["targets", "pod", "--output", "json"], of_node),
        (&["explain", "shop/none"], of_node),
        (&["explain", "shop/none", "--output", "json"], of_node),
        (&["rewrite", &config], &[]),
        (&["check", &pod], &[]),
        (&["check", &pod, "--output", "json"], &[]),
        (&["migrate", "--from", &agent], &[]),
    ] {
        let arguments = [arguments, of_node].concat();
        let (expected, out, err) = run(&arguments).await;
        assert!(!out.is_empty(), "{arguments:?} prints something: {err}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (no_reader, nobody) = std::io::pipe().unwrap();
        drop(no_reader);
        let mut child = command(&arguments);
        let child = child.stdout(writer).spawn().unwrap();
        let quiet = timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
        let told = String::from_utf8(quiet.stderr).unwrap();
        assert_eq!((quiet.status.code(), told), (Some(expected), err), "{arguments:?}");
        // As with `2>&1 | true`.
        let mut child = command(&arguments);
        let status = timeout(DEADLINE, child.stderr(nobody).status()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(expected), "{arguments:?}: standard error is closed");
    }
}

#[tokio::test]
async fn simulate_prints_a_kubeconfig_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("pod.yaml");
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, \
               spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80}]}]}, \
               status: {podIP: 10.0.0.1}}";
    std::fs::write(&manifest, pod).unwrap();
    let path = folder.path().display().to_string();
    let mut simulator =
        Running::start(&["simulate", "--listen", "127.0.0.1:0", "--manifests", &path]);
    let mut text = String::new();
    while !text.contains("user: nobody") {
        text.push_str(&simulator.out.next_line().await.unwrap().expect("it runs on"));
        text.push('\n');
    }
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, text).unwrap();
    let file = kubeconfig.display().to_string();
    let direct =
        ["targets", "pod", "--node-name", "n1", "--kubeconfig", &file, "--log-level", "off"];
    let (code, table, err) = run(&direct).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(table.contains("10.0.0.1:80"), "{table}");
    assert_eq!(simulator.end(rustix::process::Signal::INT).await, Some(0));
}

#[tokio::test]
async fn demo_shows_targets_and_ends_cleanly() {
    let mut demo =
        Running::start(&["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let url = demo.line("  curl http").await;
    demo.line("+ pod ").await;
    demo.line("+ endpointslice ").await;
    demo.line("# ").await;
    let answer = get(url.trim_start_matches("  curl ")).await.unwrap();
    assert!(answer.contains("__meta_kubernetes_pod_name"), "{answer}");
    assert_eq!(demo.end(rustix::process::Signal::INT).await, Some(0));
}

#[tokio::test]
async fn rewrite_prints_the_jobs_that_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let good = "scrape_configs:\n- job_name: pods\n  kubernetes_sd_configs: [{role: pod}]\n";
    let bad = format!("{good}- job_name: bad\n  kubernetes_sd_configs: [{{role: pods}}]\n");
    let mut gzipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzipped.write_all(good.as_bytes()).unwrap();
    let gzipped = gzipped.finish().unwrap();
    let expected = "scrape_configs:\n- job_name: pods\n  http_sd_configs:\n  - url: \"http://10.0.0.1/sd/pod\"\n    \
                    refresh_interval: 5s\n";
    let cases = [
        (file("good", good.as_bytes()), 0, expected, ""),
        (file("gzipped", &gzipped), 0, expected, ""),
        (
            file("bad", bad.as_bytes()),
            1,
            expected,
            "job bad is left out: kubernetes_sd_configs has the unknown role",
        ),
        (
            file("cut off", &gzipped[..gzipped.len() - 9]),
            2,
            "",
            "cut off: it is gzipped, and cannot be unpacked",
        ),
        (file("empty", b""), 2, "", "empty: it is empty"),
        (
            file("object", b"{apiVersion: v1, kind: Pod}"),
            2,
            "",
            "object: it is an object of Kubernetes",
        ),
        ("/no/such/file".to_owned(), 2, "", "/no/such/file cannot be read"),
    ];
    for (path, code, out, error) in cases {
        let flags = ["--sd-url", "http://10.0.0.1/", "--refresh-interval", "5s"];
        let ended = run(&[&["rewrite", &path][..], &flags].concat()).await;
        assert_eq!((ended.0, &*ended.1), (code, out), "{path}: {}", ended.2);
        assert!(ended.2.contains(error), "{path}: {}", ended.2);
    }
    let role_service =
        "scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{role: service}]\n";
    let path = file("service", role_service.as_bytes());
    for (flags, kept) in [(&[][..], false), (&["--complement"], true)] {
        let (code, out, _) = run(&[&["rewrite", &path][..], flags].concat()).await;
        assert_eq!((code, out.contains("role: service")), (0, kept), "{out}");
    }
    let (code, _, error) = run(&["rewrite", "/dev/null", "--sd-url", "10.0.0.1"]).await;
    assert_eq!(code, 2);
    assert!(error.contains("--sd-url 10.0.0.1: give it as http://HOST:PORT"), "{error}");
}
