//! What becomes of each field of a PrometheusAgent's `spec` in DaemonSet mode.
//!
//! From the CRD's own rules (`x-kubernetes-validations`, which came one by one from 0.84.0 to 0.91.0 of the
//! operator), the operator's code (`pkg/prometheus/agent/daemonset.go`, `pkg/prometheus/promcfg.go`), and what
//! 0.93.1 was seen to do. A test has it compared with the CRD and with a real operator (`tests/e2e/operator`).

use super::version::Version;
use crate::yaml::Yaml;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The CRD refuses the agent.
    Refused {
        /// The first version of the operator whose CRD does.
        since: Version,
    },
    /// It has no effect.
    Ignored,
    /// It has an effect, and not the one that it has in StatefulSet mode.
    Half,
    /// As in StatefulSet mode.
    Fine,
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Why it is not fine; empty if it is.
    pub why: &'static str,
    /// What to do; empty if it is fine.
    pub instead: &'static str,
    /// The first version of the operator whose CRD refuses it, if one does.
    refused: Option<Version>,
    /// What the operator makes of it where it is not refused.
    effect: Verdict,
}

/// The field of that name; `None` if the newest CRD that is known here has none.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

/// All fields, by name.
pub fn all() -> &'static [Field] {
    FIELDS
}

/// Whether a value counts as given: as `has()` of CEL says, which takes `{}` for one, and after the API server
/// has taken away what is null.
pub fn is_set(value: &Yaml) -> bool {
    !value.is_null()
}

// === impl Field ===

impl Field {
    /// What becomes of that value with that version of the operator and its CRD.
    pub fn verdict(&self, value: &Yaml, operator: Version) -> Verdict {
        let text = value.text();
        match self.name {
            // Its rule alone looks at the value.
            "shards" if text.and_then(|text| text.parse().ok()).is_some_and(|n: i64| n <= 1) => {
                Verdict::Fine
            }
            "replicaExternalLabelName" if text == Some("") => Verdict::Fine,
            "hostNetwork" | "listenLocal" if text == Some("false") => Verdict::Fine,
            "reloadStrategy" if text == Some("HTTP") => Verdict::Fine,
            "routePrefix" if matches!(text, Some("" | "/")) => Verdict::Fine,
            "volumes" if value.items().is_some_and(<[_]>::is_empty) => Verdict::Fine,
            "web" if value.get("tlsConfig").is_none_or(Yaml::is_null) => Verdict::Fine,
            _ => match self.refused {
                Some(since) if operator >= since => Verdict::Refused { since },
                _ => self.effect,
            },
        }
    }
}

const fn fine(name: &'static str) -> Field {
    Field { name, why: "", instead: "", refused: None, effect: Verdict::Fine }
}

const fn half(name: &'static str, why: &'static str, instead: &'static str) -> Field {
    Field { name, why, instead, refused: None, effect: Verdict::Half }
}

const fn ignored(name: &'static str, why: &'static str, instead: &'static str) -> Field {
    Field { name, why, instead, refused: None, effect: Verdict::Ignored }
}

const fn refused(
    name: &'static str,
    since: Version,
    before: Verdict,
    why: &'static str,
    instead: &'static str,
) -> Field {
    Field { name, why, instead, refused: Some(since), effect: before }
}

/// By name. All fields that the CRD of [`Version::NEWEST`] has.
const FIELDS: &[Field] = &[
    fine("additionalArgs"),
    refused(
        "additionalScrapeConfigs",
        Version(0, 88, 0),
        Verdict::Half,
        "every node would scrape the same",
        "give jobs that are local to a node to the sidecar with --jobs-from, and others to the complement",
    ),
    fine("affinity"),
    half(
        "apiserverConfig",
        "jobs that ask the sidecar do not use it, and they seem to be of another cluster",
        "give the sidecar --own-api-server with its host",
    ),
    ignored(
        "arbitraryFSAccessThroughSMs",
        "it is for ServiceMonitors, which are not rendered in DaemonSet mode",
        "set it in the shadow, which renders them",
    ),
    fine("automountServiceAccountToken"),
    fine("bodySizeLimit"),
    fine("configMaps"),
    fine("containers"),
    fine("convertClassicHistogramsToNHCB"),
    fine("dnsConfig"),
    fine("dnsPolicy"),
    fine("enableFeatures"),
    fine("enableOTLPReceiver"),
    fine("enableRemoteWriteReceiver"),
    fine("enableServiceLinks"),
    fine("enforcedBodySizeLimit"),
    half(
        "enforcedKeepDroppedTargets",
        "each agent counts its own targets: it is per node",
        "choose it for one node; a limit that fits the cluster is never reached",
    ),
    fine("enforcedLabelLimit"),
    fine("enforcedLabelNameLengthLimit"),
    fine("enforcedLabelValueLengthLimit"),
    fine("enforcedNamespaceLabel"),
    fine("enforcedSampleLimit"),
    half(
        "enforcedTargetLimit",
        "each agent counts its own targets: it is per node",
        "choose it for one node; a limit that fits the cluster is never reached",
    ),
    fine("excludedFromEnforcement"),
    fine("externalLabels"),
    fine("externalUrl"),
    fine("hostAliases"),
    half(
        "hostNetwork",
        "all ports of the Pod are ports of the node, the sidecar's 9911 and 9912 too",
        "see that nothing else on the nodes uses them",
    ),
    fine("hostUsers"),
    fine("ignoreNamespaceSelectors"),
    fine("image"),
    fine("imagePullPolicy"),
    fine("imagePullSecrets"),
    fine("initContainers"),
    half(
        "keepDroppedTargets",
        "each agent counts its own targets: it is per node",
        "choose it for one node; a limit that fits the cluster is never reached",
    ),
    fine("labelLimit"),
    fine("labelNameLengthLimit"),
    fine("labelValueLengthLimit"),
    half(
        "listenLocal",
        "an agent whose containers override the arguments of config-reloader, as one with the sidecar does, does not pass it on to config-reloader",
        "give config-reloader --listen-address=localhost:8080 yourself",
    ),
    fine("logFormat"),
    fine("logLevel"),
    fine("maximumStartupDurationSeconds"),
    fine("minReadySeconds"),
    fine("mode"),
    fine("nameEscapingScheme"),
    fine("nameValidationScheme"),
    fine("nodeSelector"),
    fine("otlp"),
    fine("overrideHonorLabels"),
    fine("overrideHonorTimestamps"),
    fine("paused"),
    refused(
        "persistentVolumeClaimRetentionPolicy",
        Version(0, 84, 0),
        Verdict::Ignored,
        "there are no claims in DaemonSet mode",
        "remove it",
    ),
    ignored("podManagementPolicy", "it is a StatefulSet's", "remove it"),
    fine("podMetadata"),
    fine("podMonitorNamespaceSelector"),
    fine("podMonitorSelector"),
    fine("podTargetLabels"),
    fine("portName"),
    fine("priorityClassName"),
    refused(
        "probeNamespaceSelector",
        Version(0, 88, 0),
        Verdict::Ignored,
        "Probes are not rendered in DaemonSet mode: what they probe belongs to no node",
        "leave them to the complement, or to another agent in StatefulSet mode",
    ),
    refused(
        "probeSelector",
        Version(0, 85, 0),
        Verdict::Ignored,
        "Probes are not rendered in DaemonSet mode: what they probe belongs to no node",
        "leave them to the complement, or to another agent in StatefulSet mode",
    ),
    fine("prometheusExternalLabelName"),
    half(
        "reloadStrategy",
        "an agent whose containers override the arguments of config-reloader, as one with the sidecar does, does not pass it on to config-reloader",
        "give config-reloader --reload-method and --runtimeinfo-url yourself",
    ),
    fine("remoteWrite"),
    fine("remoteWriteReceiverMessageVersions"),
    half(
        "replicaExternalLabelName",
        "its value is the Pod's name, which is random in DaemonSet mode: each rollout makes all series new",
        "set it to \"\"",
    ),
    refused(
        "replicas",
        Version(0, 84, 0),
        Verdict::Ignored,
        "in DaemonSet mode there is one agent on each node",
        "remove it",
    ),
    fine("resources"),
    half(
        "routePrefix",
        "an agent whose containers override the arguments of config-reloader, as one with the sidecar does, does not pass it on to config-reloader",
        "write it into config-reloader's --reload-url yourself",
    ),
    fine("runtime"),
    fine("sampleLimit"),
    fine("schedulerName"),
    fine("scrapeClasses"),
    fine("scrapeClassicHistograms"),
    refused(
        "scrapeConfigNamespaceSelector",
        Version(0, 88, 0),
        Verdict::Ignored,
        "ScrapeConfigs are not rendered in DaemonSet mode: every node would scrape the same",
        "leave them to the complement, or to another agent in StatefulSet mode",
    ),
    refused(
        "scrapeConfigSelector",
        Version(0, 85, 0),
        Verdict::Ignored,
        "ScrapeConfigs are not rendered in DaemonSet mode: every node would scrape the same",
        "leave them to the complement, or to another agent in StatefulSet mode",
    ),
    fine("scrapeFailureLogFile"),
    fine("scrapeInterval"),
    fine("scrapeNativeHistograms"),
    fine("scrapeProtocols"),
    fine("scrapeTimeout"),
    fine("secrets"),
    fine("securityContext"),
    fine("serviceAccountName"),
    ignored(
        "serviceDiscoveryRole",
        "it is for ServiceMonitors, which are not rendered in DaemonSet mode",
        "set it in the shadow, which renders them",
    ),
    refused(
        "serviceMonitorNamespaceSelector",
        Version(0, 88, 0),
        Verdict::Ignored,
        "the operator renders no ServiceMonitors in DaemonSet mode",
        "put it into a shadow: an agent in StatefulSet mode with replicas 0, whose jobs the sidecar takes",
    ),
    refused(
        "serviceMonitorSelector",
        Version(0, 88, 0),
        Verdict::Ignored,
        "the operator renders no ServiceMonitors in DaemonSet mode",
        "put it into a shadow: an agent in StatefulSet mode with replicas 0, whose jobs the sidecar takes",
    ),
    ignored("serviceName", "it is a StatefulSet's", "remove it"),
    refused(
        "shardingStrategy",
        Version(0, 91, 0),
        Verdict::Ignored,
        "nodes are the shards",
        "remove it",
    ),
    refused(
        "shards",
        Version(0, 84, 0),
        Verdict::Ignored,
        "nodes are the shards: more than 1 means nothing",
        "remove it",
    ),
    refused(
        "storage",
        Version(0, 84, 0),
        Verdict::Ignored,
        "the operator mounts no volume of its own in DaemonSet mode",
        "remove it; scrapeFailureLogFile with a bare name makes the volume log-file, which volumeMounts may put at /prometheus",
    ),
    half(
        "targetLimit",
        "each agent counts its own targets: it is per node",
        "choose it for one node; a limit that fits the cluster is never reached",
    ),
    fine("terminationGracePeriodSeconds"),
    fine("tolerations"),
    half(
        "topologySpreadConstraints",
        "a DaemonSet has a Pod for each node: a constraint that cannot hold leaves a node without an agent",
        "remove it",
    ),
    fine("tracingConfig"),
    fine("tsdb"),
    ignored(
        "updateStrategy",
        "nodes are updated one at a time, and the operator has no setting for it",
        "remove it; minReadySeconds works, and a DaemonSet of your own has maxUnavailable",
    ),
    fine("version"),
    fine("volumeMounts"),
    ignored(
        "volumes",
        "the operator mounts only its own volumes in DaemonSet mode; who mounts one of these makes the DaemonSet invalid",
        "use secrets and configMaps, which make volumes that any container may mount",
    ),
    fine("walCompression"),
    half(
        "web",
        "an agent whose containers override the arguments of config-reloader, as one with the sidecar does, does not pass it on to config-reloader",
        "with web.tlsConfig, write https into config-reloader's --reload-url yourself",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn names_are_sorted_and_texts_complete() {
        assert!(FIELDS.is_sorted_by(|a, b| a.name < b.name));
        for Field { name, why, instead, effect, .. } in FIELDS {
            let is_fine = *effect == Verdict::Fine;
            assert_eq!((why.is_empty(), instead.is_empty()), (is_fine, is_fine), "{name}");
        }
    }

    #[test]
    fn values_and_versions_matter() {
        let refused = |minor| Verdict::Refused { since: Version(0, minor, 0) };
        for (name, value, minor, expected) in [
            ("replicas", "0", 93, refused(84)),
            ("replicas", "0", 83, Verdict::Ignored),
            ("shards", "2", 93, refused(84)),
            ("shards", "1", 93, Verdict::Fine),
            ("storage", "{}", 93, refused(84)),
            ("probeSelector", "{}", 85, refused(85)),
            ("probeNamespaceSelector", "{}", 85, Verdict::Ignored),
            ("serviceMonitorSelector", "{}", 87, Verdict::Ignored),
            ("additionalScrapeConfigs", "{}", 87, Verdict::Half),
            ("additionalScrapeConfigs", "{}", 88, refused(88)),
            ("volumes", "[]", 93, Verdict::Fine),
            ("volumes", "[{name: a}]", 93, Verdict::Ignored),
            ("replicaExternalLabelName", "\"\"", 93, Verdict::Fine),
            ("replicaExternalLabelName", "replica", 93, Verdict::Half),
            ("web", "{pageTitle: a}", 93, Verdict::Fine),
            ("web", "{tlsConfig: {}}", 93, Verdict::Half),
            ("externalLabels", "{}", 93, Verdict::Fine),
        ] {
            let value = yaml::read(value).unwrap();
            let verdict = field(name).unwrap().verdict(&value, Version(0, minor, 0));
            assert_eq!(verdict, expected, "{name}, 0.{minor}");
        }
        assert!(field("hostPID").is_none());
        assert!(is_set(&yaml::read("{}").unwrap()) && !is_set(&yaml::read("null").unwrap()));
    }
}
