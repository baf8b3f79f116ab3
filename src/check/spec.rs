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
        if in_daemonset_mode(agent) || moves {
            fields_of(agent, operator, findings);
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

fn fields_of(agent: &Manifest, operator: Version, findings: &mut Vec<Finding>) {
    let spec = agent.field(&["spec"]).and_then(|spec| spec.entries()).unwrap_or_default();
    for (key, value) in spec {
        if !fields::is_set(value) {
            continue;
        }
        let path = format!("spec.{}", key.text);
        let Some(field) = fields::field(&key.text) else {
            let finding = Finding::of(Verdict::Unknown, agent, path);
            let why = format!("prometheus-operator {} has no such field", Version::NEWEST);
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
