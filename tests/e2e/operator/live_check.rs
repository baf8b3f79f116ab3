//! `check` of what is applied: our manifests as kustomize renders them, and a cluster that has them.

use super::super::block_on;
use super::super::control_plane::{ControlPlane, kubeconfig};
use super::install::{established, folder};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) fn check_judges_what_is_applied(_: &ControlPlane) {
    // Of its own, because its account may see all.
    let plane = ControlPlane::start();
    let crds = folder().join("crds");
    plane.kubectl(&["apply", "--server-side", "-f", crds.to_str().expect("UTF-8")]);
    block_on(established(&plane));
    plane.kubectl(&["create", "namespace", "monitoring"]);
    for overlay in overlays() {
        let rendered = plane.kubectl(&["kustomize", overlay.to_str().expect("UTF-8")]);
        let (code, said) = check(&["-"], &rendered);
        assert_eq!(code, 0, "{}: {said}", overlay.display());
        assert!(!words(&said).contains(&"half".to_owned()), "{}: {said}", overlay.display());
    }
    let base = manifests().join("operator-daemonset");
    plane.kubectl(&["apply", "--server-side", "-k", base.to_str().expect("UTF-8")]);
    let admin = plane.kubeconfig().display().to_string();
    let live = ["--live", "--kubeconfig", &*admin];
    let (code, said) = check(&live, "");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("\"operatorVersion\": \"0.93.1\""), "{said}");
    assert!(words(&said).contains(&"taken".to_owned()), "{said}");

    // What is about to be applied counts in the place of what is there.
    let get = ["-n", "monitoring", "get", "prometheusagent", "node", "-o", "json"];
    let mut changed: Value = serde_json::from_str(&plane.kubectl(&get)).expect("JSON");
    changed["spec"]["replicas"] = json!(1);
    let (code, said) = check(&[&["-"], &live[..]].concat(), &changed.to_string());
    assert_eq!((code, count(&said, "refused")), (1, 1), "{said}");

    // An account that may read nothing.
    let path = plane.folder().join("nobody.kubeconfig");
    let credential =
        format!("tokenFile: '{}', as: nobody", plane.folder().join("admin.token").display());
    std::fs::write(&path, kubeconfig(&plane.url, &plane.ca_file(), &credential)).unwrap();
    let (code, said) = check(&["--live", "--kubeconfig", path.to_str().expect("UTF-8")], "");
    assert_eq!((code, count(&said, "unknown")), (3, 15), "{said}");
    assert!(said.contains("no right to list /api/v1/services"), "{said}");

    // A kind that is not installed.
    plane.kubectl(&["delete", "crd", "probes.monitoring.coreos.com"]);
    let (code, said) = check(&live, "");
    assert_eq!((code, count(&said, "unknown")), (3, 1), "{said}");
    assert!(said.contains("the kind probes is not installed"), "{said}");
    plane.kubectl(&["apply", "--server-side", "-f", crds.to_str().expect("UTF-8")]);
    block_on(established(&plane));

    // What is not there does not exist.
    plane.kubectl(&["delete", "clusterrole", "nodelocal-sd"]);
    let (code, said) = check(&live, "");
    assert_eq!((code, count(&said, "forbidden")), (1, 4), "{said}");
    plane.kubectl(&["-n", "monitoring", "delete", "prometheusagent", "node-shadow"]);
    let (code, said) = check(&live, "");
    assert_eq!((code, count(&said, "breaks")), (1, 1), "{said}");
    assert!(said.contains("node-shadow, which is not there"), "{said}");
}

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

/// The deployments, and all overlays of them.
fn overlays() -> Vec<PathBuf> {
    let overlays = std::fs::read_dir(manifests().join("overlays")).expect("there are some");
    let overlays = overlays.flatten().map(|overlay| overlay.path());
    let bases = ["daemonset", "operator-daemonset"].map(|base| manifests().join(base));
    overlays.chain(bases).collect()
}

/// The built binary: its exit code and what it prints.
fn check(arguments: &[&str], input: &str) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nodelocal-sd"))
        .args(["check", "--output", "json"])
        .args(arguments)
        .env_remove("KUBECONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout) + &text(stderr))
}

/// The verdicts in its output.
fn words(said: &str) -> Vec<String> {
    let json = said.rsplit_once('}').map_or("{}".to_owned(), |(json, _)| format!("{json}}}"));
    let report: Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("{said}"));
    let findings = report["findings"].as_array().expect("findings").iter();
    findings.map(|finding| finding["verdict"].as_str().expect("a word").to_owned()).collect()
}

fn count(said: &str, verdict: &str) -> usize {
    words(said).iter().filter(|word| *word == verdict).count()
}
