//! Shadows: an agent in StatefulSet mode without replicas, whose rendered Secret the agents on the nodes mount.

use super::finding::{Finding, Verdict};
use super::set::{NodeAgent, Set, runs};
use crate::operator::Manifest;
use crate::yaml::{Scalar, Yaml};

/// What both must say alike, because the operator makes half of the nodes' jobs by one of them and half by the
/// other, or `global` by one and the jobs that count on it by the other.
const AGREED: [&str; 26] = [
    "version",
    "scrapeClasses",
    "externalLabels",
    "replicaExternalLabelName",
    "prometheusExternalLabelName",
    "enforcedBodySizeLimit",
    "enforcedKeepDroppedTargets",
    "enforcedLabelLimit",
    "enforcedLabelNameLengthLimit",
    "enforcedLabelValueLengthLimit",
    "enforcedNamespaceLabel",
    "enforcedSampleLimit",
    "enforcedTargetLimit",
    "excludedFromEnforcement",
    "ignoreNamespaceSelectors",
    "overrideHonorLabels",
    "overrideHonorTimestamps",
    "podTargetLabels",
    "arbitraryFSAccessThroughSMs",
    "bodySizeLimit",
    "keepDroppedTargets",
    "labelLimit",
    "labelNameLengthLimit",
    "labelValueLengthLimit",
    "sampleLimit",
    "targetLimit",
];

/// `secret-prom-agent-NAME-tls-assets-0` is the name of a volume, which may have 63 characters.
const LONGEST_NAME: usize = 63 - "secret-prom-agent--tls-assets-0".len();

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for agent in &set.nodes {
        for shadow in &agent.shadows {
            if agent.by_operator {
                name(shadow, Verdict::Breaks, findings);
                agreement(agent, shadow, findings);
            } else {
                image(agent, shadow, findings);
            }
            if runs(shadow) {
                findings.push(running(agent, shadow));
            }
        }
        missing(set, agent, findings);
    }
    let mounted = |other: &Manifest| set.nodes.iter().any(|n| n.shadows.contains(&other));
    for shadow in set.others.iter().filter(|o| o.kind == "PrometheusAgent") {
        if !runs(shadow) && !mounted(shadow) {
            name(shadow, Verdict::Half, findings);
        }
    }
}

fn name(shadow: &Manifest, verdict: Verdict, findings: &mut Vec<Finding>) {
    let length = shadow.name.chars().count();
    if length > LONGEST_NAME {
        let why = format!(
            "it has {length} characters: prometheus-operator makes names of volumes of it, which are cut then"
        );
        let instead = format!("give the shadow a name of {LONGEST_NAME} at most");
        findings.push(Finding::of(verdict, shadow, "metadata.name").because(why).instead(instead));
    }
}

fn running(agent: &NodeAgent<'_>, shadow: &Manifest) -> Finding {
    let why = format!("{} scrapes what it renders, and so do its own Pods", agent.object);
    Finding::of(Verdict::Conflict, shadow, "spec.replicas").because(why).instead("set it to 0")
}

/// What is mounted and not there.
fn missing(set: &Set<'_>, agent: &NodeAgent<'_>, findings: &mut Vec<Finding>) {
    let known = |name: &&&str| {
        agent.shadows.iter().any(|shadow| shadow.name == **name)
            || (agent.by_operator && agent.object.name == **name)
    };
    for name in agent.mounts.iter().filter(|name| !known(name)) {
        let object = format!("PrometheusAgent {}/{name}", agent.object.namespace);
        findings.push(if set.complete {
            Finding::of(Verdict::Breaks, agent.object, "")
                .because(format!("it mounts what the operator renders for {object}, which is not there: new Pods do not start"))
                .instead("create it, in StatefulSet mode with replicas 0")
        } else {
            Finding::of(Verdict::Note, agent.object, "")
                .because(format!("its shadow {object} is not among the manifests, and is not judged"))
        });
    }
    if agent.mounts.is_empty() && agent.by_operator {
        let finding = Finding::of(Verdict::Note, agent.object, "spec.secrets");
        findings.push(
            finding
                .because("it mounts no Secret of a shadow: its nodes scrape PodMonitors only")
                .instead("see operator-daemonset/agent.yaml for how ServiceMonitors come to it"),
        );
    }
}

fn agreement(agent: &NodeAgent<'_>, shadow: &Manifest, findings: &mut Vec<Finding>) {
    for field in AGREED {
        let of = |object: &Manifest| canonical(field, object.field(&["spec", field]));
        if of(agent.object) != of(shadow) {
            let why = format!("{shadow}, its shadow, has another value");
            let finding = Finding::of(Verdict::Conflict, agent.object, format!("spec.{field}"));
            findings
                .push(finding.because(why).instead("give both the same, by one patch for both"));
        }
    }
}

/// The operator renders for the version that the shadow names; a DaemonSet runs that of its image.
fn image(agent: &NodeAgent<'_>, shadow: &Manifest, findings: &mut Vec<Finding>) {
    let containers = agent.object.items(&["spec", "template", "spec", "containers"]).iter();
    let images = containers.filter_map(|container| container.get("image")?.text());
    let tag = images
        .filter_map(|image| image.rsplit_once(':'))
        .find(|(name, _)| name.rsplit('/').next() == Some("prometheus"))
        .map(|(_, tag)| tag.trim_end_matches("-distroless"));
    let version = shadow.text(&["spec", "version"]).map(without_v);
    if let (Some(tag), Some(version)) = (tag.map(without_v), version)
        && tag != version
        && tag.starts_with(|c: char| c.is_ascii_digit())
    {
        let why = format!("it runs Prometheus {tag}, and {shadow} renders for {version}");
        let finding = Finding::of(Verdict::Conflict, agent.object, "spec.template.spec.containers");
        findings.push(finding.because(why).instead("give the image the tag of spec.version"));
    }
}

fn without_v(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// A value so that equal meanings are equal: order of keys, and what is the same as nothing. An empty name is not
/// the same as none, because there is a default.
pub(super) fn canonical(field: &str, value: Option<&Yaml>) -> Option<Yaml> {
    let value = value?;
    if field == "version" {
        return value.text().map(|text| Yaml::string(without_v(text)));
    }
    simplified(value).or_else(|| {
        (field.ends_with("ExternalLabelName") && value.text() == Some("")).then(|| Yaml::string(""))
    })
}

fn simplified(value: &Yaml) -> Option<Yaml> {
    match value {
        Yaml::Scalar(Scalar { text, .. }) => {
            let nothing = value.is_null() || matches!(&**text, "" | "0" | "false");
            (!nothing).then(|| Yaml::string(text))
        }
        Yaml::Sequence(items) if items.is_empty() => None,
        // The place of an item says something.
        Yaml::Sequence(items) => {
            let items = items.iter().map(|item| simplified(item).unwrap_or(Yaml::string("")));
            Some(Yaml::Sequence(items.collect()))
        }
        Yaml::Mapping(entries) => {
            let of = |(key, value): &(Scalar, Yaml)| {
                Some((Scalar::string(&*key.text), simplified(value)?))
            };
            let mut entries: Vec<(Scalar, Yaml)> = entries.iter().filter_map(of).collect();
            entries.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
            (!entries.is_empty()).then_some(Yaml::Mapping(entries))
        }
    }
}
