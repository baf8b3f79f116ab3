//! What is rendered for each of the chart's examples, as text, so that a change of a template shows what it does.
//!
//! `GOLDEN=write .ci/run chart` writes the files anew.

use super::{KUBERNETES, chart, helm, name, objects, read, root, usual};
use crate::commands;
use clap::Parser as _;
use nodelocal_sd::cli::{Cli, Command};
use std::path::{Path, PathBuf};

/// Alerts and dashboard, whose texts are those of manifests/monitoring: `same` compares them.
const LONG: [&str; 2] = ["prometheus-rule.yaml", "dashboard.yaml"];

/// The values in `ci`, and of the examples those of this chart.
fn values() -> Vec<PathBuf> {
    let files = std::fs::read_dir(chart().join("ci")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.push(chart().join("examples/kube-prometheus-stack.yaml"));
    files.sort();
    files
}

fn folder() -> PathBuf {
    root().join("tests/it/chart/golden")
}

fn golden_of(values: &Path) -> PathBuf {
    let name = values.file_name().unwrap().to_str().unwrap();
    folder().join(name.replace("-values", ""))
}

/// Without the documents of templates that are not compared here, and without the empty lines around documents, of
/// which each helm has its own.
fn compared(text: &str) -> String {
    let is_long =
        |document: &str| LONG.iter().any(|file| document.contains(&format!("/templates/{file}\n")));
    let documents = text.split("---\n").map(str::trim);
    let documents = documents.filter(|document| !document.is_empty() && !is_long(document));
    documents.map(|document| format!("---\n{document}\n")).collect()
}

#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn templates_render_as_they_did() {
    let mut stale: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    let mut changed = Vec::new();
    for values in values() {
        let expected = golden_of(&values);
        let rendered = compared(&usual(&chart()).render(&[&values]).unwrap());
        if std::env::var("GOLDEN").is_ok_and(|told| told == "write") {
            std::fs::write(&expected, &rendered).unwrap();
        }
        stale.retain(|file| *file != expected);
        if !expected.exists() || read(&expected) != rendered {
            changed.push(expected);
        }
    }
    let again = "GOLDEN=write .ci/run chart writes them anew; git diff then shows what changed";
    assert!(changed.is_empty(), "{changed:?} are not what is rendered; {again}");
    assert!(stale.is_empty(), "{stale:?} are of no values in charts/nodelocal-sd; remove them");
}

/// What the program itself says of what the chart renders.
#[tokio::test]
async fn check_has_no_negative_verdict() {
    for values in values() {
        let golden = golden_of(&values);
        let (code, out, err) = commands::run(&["check", golden.to_str().unwrap()]).await;
        assert_eq!((code, &*err), (0, ""), "{}: {out}", golden.display());
        assert!(out.starts_with("VERDICT"), "{out}");
    }
}

#[test]
fn the_sidecars_arguments_are_understood() {
    let mut sidecars = 0;
    for values in values() {
        for object in objects(&read(&golden_of(&values))) {
            let pod = &object["spec"]["template"]["spec"];
            let Some(arguments) = pod["initContainers"][0]["args"].as_array() else { continue };
            let arguments = arguments.iter().map(|argument| argument.as_str().unwrap());
            // The node's name is in the environment there.
            let typed = ["nodelocal-sd"].into_iter().chain(arguments).chain(["--node-name=a"]);
            let Command::Run(run) = Cli::try_parse_from(typed).unwrap().command else {
                panic!("{}: not run", name(&object))
            };
            let is_complement = object["kind"] == "Deployment";
            assert_eq!(run.complement.complement, is_complement, "{}", name(&object));
            sidecars += 1;
        }
    }
    assert!(sidecars > values().len(), "some have a complement");
}

#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn lint_has_nothing_to_say() {
    for values in values() {
        let [chart, values] =
            [&chart(), &values].map(|path: &PathBuf| path.to_str().unwrap().to_owned());
        let said =
            helm(&["lint", "--strict", &chart, "--values", &values, "--kube-version", KUBERNETES]);
        let said = said.unwrap();
        assert!(!said.contains("[WARNING]") && !said.contains("[ERROR]"), "{values}: {said}");
    }
}

/// Files of the repository are in it by symbolic links, which a package must not have.
#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn a_package_renders_what_the_folder_does() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    helm(&["package", chart().to_str().unwrap(), "--destination", place]).unwrap();
    let file = format!("nodelocal-sd-{}.tgz", env!("CARGO_PKG_VERSION"));
    let package = Path::new(place).join(file);
    let values = chart().join("ci/everything-values.yaml");
    let of_folder = usual(&chart()).render(&[&values]).unwrap();
    assert!(of_folder.contains("NodelocalSdNodeWithoutAgent"), "the rules are in it");
    assert_eq!(usual(&package).render(&[&values]).unwrap(), of_folder);
}
