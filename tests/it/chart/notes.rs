//! What is printed after an installation.

use super::{Release, chart, objects};
use std::path::Path;
use std::process::Command;

const NO_CLUSTER: &str = "externalLabels.cluster is not set";
const NOBODY: &str = "complement.enabled is false";
const TWICE: &str = "(release kube-prometheus-stack)";

/// A copy of the chart whose notes are an object: without a cluster Helm 3 renders none.
fn with_notes(place: &Path) {
    // -L: links become files.
    let copied = Command::new("cp").arg("-RL").arg(chart()).arg(place).status().unwrap();
    assert!(copied.success());
    let templates = place.join("templates");
    std::fs::rename(templates.join("NOTES.txt"), place.join("notes.txt")).unwrap();
    let object = "kind: ConfigMap
metadata: {name: notes}
notes: {{ tpl (.Files.Get \"notes.txt\") . | toJson }}
";
    std::fs::write(templates.join("notes.yaml"), object).unwrap();
}

/// What was chosen is not asked for again.
#[test]
#[ignore = "needs helm; run by .ci/run chart"]
fn they_say_what_is_left_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("nodelocal-sd");
    with_notes(&copy);
    let release = Release { chart: &copy, name: "any", namespace: "two" };
    for (values, said) in [
        ("ci/defaults-values.yaml", &[NO_CLUSTER, NOBODY][..]),
        ("ci/complement-values.yaml", &[NO_CLUSTER]),
        ("examples/kube-prometheus-stack.yaml", &[TWICE]),
    ] {
        let objects = objects(&release.render(&[&chart().join(values)]).unwrap());
        let notes = objects.iter().find_map(|object| object["notes"].as_str()).unwrap();
        assert!(notes.contains("kubectl -n two rollout status daemonset/node-agent\n"), "{notes}");
        for note in [NO_CLUSTER, NOBODY, TWICE] {
            assert_eq!(notes.contains(note), said.contains(&note), "{values}: {note}: {notes}");
        }
    }
}
