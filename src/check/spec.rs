//! The fields of an agent, one by one.

use super::finding::{Finding, Severity, Verdict};
use super::set::{MONITORING, Set, in_daemonset_mode, runs};
use crate::operator::{Manifest, Version, fields};

/// The annotation of the operator's CRDs that has their version.
const CRD_VERSION: [&str; 3] = ["metadata", "annotations", "operator.prometheus.io/version"];

/// The version by which is judged: what is asked for, else that of the CRD, else the newest that is known.
pub(super) fn version(set: &Set<'_>, asked: Option<Version>) -> (Version, Vec<Finding>) {
    let crd = set
        .all("apiextensions.k8s.io", "CustomResourceDefinition")
        .find(|crd| crd.name == format!("prometheusagents.{MONITORING}"));
    let of_crd = crd.and_then(|crd| crd.text(&CRD_VERSION)).map(str::parse::<Version>);
    let version = match (asked, &of_crd) {
        (Some(version), _) => version,
        (None, Some(Ok(version))) => *version,
        (None, _) => Version::NEWEST,
    };
    let mut findings = Vec::new();
    if version > Version::NEWEST {
        let why = format!(
            "prometheus-operator {version} is newer than what is known here: judged by {}",
            Version::NEWEST
        );
        findings.push(Finding::unknown(
            why,
            "compare the rules of its CRD by hand, or look for a newer nodelocal-sd",
        ));
    }
    if let (None, Some(crd), None | Some(Err(_))) = (asked, crd, &of_crd) {
        let finding = Finding::of(Verdict::Unknown, crd, "metadata.annotations");
        findings.push(
            finding
                .because("it does not say which version of prometheus-operator it is of")
                .instead("say it with --operator-version"),
        );
    }
    (version, findings)
}

/// Judges each field that is set.
pub(super) fn judge(set: &Set<'_>, operator: Version, findings: &mut Vec<Finding>) {
    for agent in set.all(MONITORING, "PrometheusAgent") {
        // See the documentation of the module above: it may be a candidate, a shadow, or beside the nodes.
        let moves = set.nodes.is_empty() && runs(agent);
        if in_daemonset_mode(agent) {
            fields_of(agent, operator, findings);
        } else if moves {
            could_move(agent, operator, findings);
        }
    }
    for server in set.all(MONITORING, "Prometheus").filter(|_| set.nodes.is_empty()) {
        let finding = Finding::of(Verdict::Note, server, "");
        findings.push(
            finding
                .because("a Prometheus has no DaemonSet mode, so its fields are not judged")
                .instead(
                    "let agents on the nodes take its monitors, and send to it by remote write",
                ),
        );
    }
}

/// Judges an agent as if it were in DaemonSet mode: nothing is wrong with it as it is.
fn could_move(agent: &Manifest, operator: Version, findings: &mut Vec<Finding>) {
    let why =
        "it is in StatefulSet mode, and its fields are judged as if it were in DaemonSet mode";
    let instead = format!(
        "nodelocal-sd migrate {}/{} plans the move, with a shadow for what is refused",
        if agent.namespace.is_empty() { "NAMESPACE" } else { &*agent.namespace },
        agent.name
    );
    findings.push(Finding::of(Verdict::Note, agent, "spec.mode").because(why).instead(instead));
    let mut judged = Vec::new();
    fields_of(agent, operator, &mut judged);
    findings.extend(judged.into_iter().filter(|finding| finding.field != "spec.mode").map(
        |finding| match finding.verdict {
            Verdict::Fine | Verdict::Unknown => finding,
            verdict => {
                let why = match verdict {
                    Verdict::Refused => finding.why, // it says so
                    verdict => format!("{}: {}", verdict.word(), finding.why),
                };
                let why = format!("in DaemonSet mode: {why}");
                Finding::of(Verdict::Note, agent, finding.field).because(why)
            }
        },
    ));
}

fn fields_of(agent: &Manifest, operator: Version, findings: &mut Vec<Finding>) {
    let spec = agent.field(&["spec"]).and_then(|spec| spec.entries()).unwrap_or_default();
    for (key, value) in spec {
        if !fields::is_set(value) {
            continue;
        }
        let path = format!("spec.{}", key.text);
        let Some(field) = fields::field(&key.text) else {
            let finding = Finding::of(Verdict::Unknown, agent, path);
            let newest = Version::NEWEST;
            let mut why = format!("prometheus-operator {newest} has no such field");
            if operator < newest {
                let more = format!(
                    "; names are compared with that, the newest known here, and rules with {operator}"
                );
                why.push_str(&more);
            }
            findings.push(
                finding
                    .because(why)
                    .instead("correct its spelling, or look for a newer nodelocal-sd"),
            );
            continue;
        };
        let found = |verdict| Finding::of(verdict, agent, path.clone());
        let explained = |verdict| found(verdict).because(field.why).instead(field.instead);
        findings.push(match field.verdict(value, operator) {
            fields::Verdict::Fine => found(Verdict::Fine),
            fields::Verdict::Half => explained(Verdict::Half),
            fields::Verdict::Ignored => explained(Verdict::Ignored),
            fields::Verdict::Refused { since } => {
                let why = format!("refused by the CRD since {since}: {}", field.why);
                explained(Verdict::Refused).because(why).weighing(Severity::Negative)
            }
        });
    }
}
