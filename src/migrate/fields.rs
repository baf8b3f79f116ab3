//! What becomes of each field of the old agent's `spec`.

use super::notes::{Note, Weight};
use super::old::Old;
use crate::yaml::Yaml;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The shadow has it as it is: the operator renders it into the configuration of all new agents.
    Shadow,
    /// The Pods on the nodes and that of the complement have it.
    Pods,
    /// It is carried, but not as it is.
    Changed(&'static str),
    /// The complement alone has it.
    Complement(&'static str),
    /// It is not carried.
    Dropped(&'static str),
    /// It is not carried, and something is lost that somebody may need.
    First(&'static str),
    /// Only a server can do it.
    Server(&'static str),
}

use Fate::{Changed, Complement, Dropped, First, Pods, Server, Shadow};

const RULES: &str = "no agent evaluates rules: let the server that receives remote write do it";
const QUERIES: &str = "no agent answers queries: ask the server that receives remote write";
const STORED: &str = "no agent stores anything: the server that receives remote write does";
const PUSHED: &str =
    "what is pushed needs one address: give it an agent of its own, and point the senders there";
const ALERTS: &str = "no agent sends alerts: let the server that receives remote write do it";
const STATEFUL_SET: &str = "there is no StatefulSet";
const ONE_PAGE: &str = "there are many agents, and nobody reaches them at one address";
const PER_NODE: &str = "as it is, but a job has so many targets on each node now";

/// The fields of PrometheusAgent and Prometheus in the CRDs of prometheus-operator 0.93.1, without those that a
/// test finds missing here.
pub const FIELDS: [(&str, Fate); 127] = [
    ("additionalAlertManagerConfigs", Server(ALERTS)),
    ("additionalAlertRelabelConfigs", Server(ALERTS)),
    ("additionalArgs", Pods),
    ("additionalScrapeConfigs", Shadow),
    (
        "affinity",
        Complement(
            "an agent on each node has no choice of nodes. Without podAffinity and podAntiAffinity: old Pods and new ones \
      would keep each other off their nodes while both run",
        ),
    ),
    ("alerting", Server(ALERTS)),
    ("allowOverlappingBlocks", Dropped(STORED)),
    (
        "apiserverConfig",
        Dropped(
            "the sidecar speaks to the API server with the Pod's account. If this is another cluster's, do not migrate",
        ),
    ),
    ("arbitraryFSAccessThroughSMs", Shadow),
    ("automountServiceAccountToken", Dropped("the sidecar needs the token")),
    ("baseImage", Changed("as part of the image")),
    ("bodySizeLimit", Shadow),
    ("configMaps", Pods),
    ("containers", Pods),
    ("convertClassicHistogramsToNHCB", Shadow),
    ("disableCompaction", Dropped(STORED)),
    ("dnsConfig", Pods),
    ("dnsPolicy", Pods),
    ("enableAdminAPI", Dropped(QUERIES)),
    ("enableFeatures", Pods),
    ("enableOTLPReceiver", First(PUSHED)),
    ("enableRemoteWriteReceiver", First(PUSHED)),
    ("enableServiceLinks", Pods),
    ("enforcedBodySizeLimit", Shadow),
    ("enforcedKeepDroppedTargets", Shadow),
    ("enforcedLabelLimit", Shadow),
    ("enforcedLabelNameLengthLimit", Shadow),
    ("enforcedLabelValueLengthLimit", Shadow),
    ("enforcedNamespaceLabel", Shadow),
    ("enforcedSampleLimit", Shadow),
    ("enforcedTargetLimit", Changed(PER_NODE)),
    ("evaluationInterval", Dropped(RULES)),
    ("excludedFromEnforcement", Shadow),
    ("exemplars", Dropped(STORED)),
    ("externalLabels", Shadow),
    ("externalUrl", Dropped(ONE_PAGE)),
    ("hostAliases", Pods),
    (
        "hostNetwork",
        First(
            "the ports would be the node's, and the old agent has them while both run. If targets can only be reached so, set it by hand when the old one is gone",
        ),
    ),
    ("hostUsers", Pods),
    ("ignoreNamespaceSelectors", Shadow),
    ("image", Pods),
    ("imagePullPolicy", Pods),
    ("imagePullSecrets", Pods),
    ("initContainers", Pods),
    ("keepDroppedTargets", Shadow),
    ("labelLimit", Shadow),
    ("labelNameLengthLimit", Shadow),
    ("labelValueLengthLimit", Shadow),
    ("listenLocal", Dropped("the kubelet's probes need the port")),
    ("logFormat", Pods),
    ("logLevel", Pods),
    ("maximumStartupDurationSeconds", Dropped("an agent without a log to replay starts at once")),
    ("minReadySeconds", Pods),
    ("mode", Changed("that of the shadow is StatefulSet, with no replicas")),
    ("nameEscapingScheme", Shadow),
    ("nameValidationScheme", Shadow),
    (
        "nodeSelector",
        Complement(
            "of it the nodes' agents have the operating system and the architecture: a node without an agent is left to the complement",
        ),
    ),
    ("otlp", Dropped("it belongs to the receiver of OTLP")),
    ("overrideHonorLabels", Shadow),
    ("overrideHonorTimestamps", Shadow),
    ("paused", Dropped("it is false")),
    ("persistentVolumeClaimRetentionPolicy", Dropped("there are no claims")),
    ("podManagementPolicy", Dropped(STATEFUL_SET)),
    ("podMetadata", Pods),
    ("podMonitorNamespaceSelector", Shadow),
    ("podMonitorSelector", Shadow),
    ("podTargetLabels", Shadow),
    ("portName", Dropped("the port is called web, as our PodMonitor has it")),
    ("priorityClassName", Pods),
    ("probeNamespaceSelector", Shadow),
    ("probeSelector", Shadow),
    (
        "prometheusExternalLabelName",
        Changed(
            "\"\" in the shadow, because the label would name the shadow; its externalLabels have it, with the name of the old one",
        ),
    ),
    ("prometheusRulesExcludedFromEnforce", Server(RULES)),
    ("query", Dropped(QUERIES)),
    ("queryLogFile", Dropped(QUERIES)),
    ("reloadStrategy", Dropped("config-reloader asks Prometheus over HTTP, in the Pod")),
    ("remoteRead", Server(QUERIES)),
    ("remoteWrite", Shadow),
    ("remoteWriteReceiverMessageVersions", Dropped("it belongs to the receiver of remote write")),
    (
        "replicaExternalLabelName",
        Changed(
            "\"\": a DaemonSet's Pod names are random, and every rollout would make every series new. A receiver that \
      removes duplicates by this label gets each sample once now",
        ),
    ),
    (
        "replicas",
        Changed(
            "one agent on each node, and none takes over for another: a node that is gone takes its agent along",
        ),
    ),
    (
        "resources",
        Complement(
            "they are for an agent that scrapes the whole cluster; those on the nodes have what manifests/daemonset has",
        ),
    ),
    ("retention", Server(STORED)),
    ("retentionSize", Server(STORED)),
    ("routePrefix", Dropped(ONE_PAGE)),
    ("ruleNamespaceSelector", Server(RULES)),
    ("ruleQueryOffset", Server(RULES)),
    ("ruleSelector", Server(RULES)),
    ("rules", Server(RULES)),
    ("runtime", Shadow),
    ("sampleLimit", Shadow),
    ("schedulerName", Pods),
    ("scrapeClasses", Shadow),
    ("scrapeClassicHistograms", Shadow),
    ("scrapeConfigNamespaceSelector", Shadow),
    ("scrapeConfigSelector", Shadow),
    ("scrapeFailureLogFile", Dropped("nobody would rotate a file on each node")),
    ("scrapeInterval", Shadow),
    ("scrapeNativeHistograms", Shadow),
    ("scrapeProtocols", Shadow),
    ("scrapeTimeout", Shadow),
    ("secrets", Pods),
    ("securityContext", Pods),
    ("serviceAccountName", Pods),
    ("serviceDiscoveryRole", Shadow),
    ("serviceMonitorNamespaceSelector", Shadow),
    ("serviceMonitorSelector", Shadow),
    ("serviceName", Dropped(STATEFUL_SET)),
    ("sha", Changed("as part of the image")),
    ("shardRetentionPolicy", Dropped(STORED)),
    (
        "shardingStrategy",
        Changed(
            "nodes are the shards. Its label of the zone is on no series any more: take it from the Node, with attachMetadata",
        ),
    ),
    (
        "shards",
        Changed(
            "nodes are the shards. The shadow says 2 and runs none: that marks the jobs that belong to no node",
        ),
    ),
    (
        "storage",
        Dropped(
            "the write-ahead log lies in an emptyDir, because what an ended Pod has not sent is not sent by the next one either; \
      manifests/components/host-path has another way",
        ),
    ),
    ("tag", Changed("as part of the image")),
    ("targetLimit", Changed(PER_NODE)),
    ("terminationGracePeriodSeconds", Pods),
    ("thanos", Server(STORED)),
    (
        "tolerations",
        Complement(
            "the nodes' agents tolerate everything: a node without an agent is left to the complement",
        ),
    ),
    ("topologySpreadConstraints", Dropped("there is one Pod on each node")),
    ("tracingConfig", Shadow),
    ("tsdb", Changed("outOfOrderTimeWindow only: an agent has nothing else of a database")),
    ("updateStrategy", Dropped("it is a StatefulSet's; nodes are updated 10 % at a time")),
    ("version", Shadow),
    ("volumeMounts", Pods),
    ("volumes", Pods),
    ("walCompression", Pods),
    (
        "web",
        Changed(
            "title and connections only: the agents' own page is plain HTTP, and a NetworkPolicy lets the namespace in",
        ),
    ),
];

/// What becomes of a field; `None` if no version of the operator that is known here has it.
pub(super) fn fate(field: &str) -> Option<Fate> {
    FIELDS.iter().find(|(name, _)| *name == field).map(|(_, fate)| *fate)
}

/// Labels that are changed because of what they are by default.
pub(super) const LABELS: [&str; 2] = ["prometheusExternalLabelName", "replicaExternalLabelName"];

/// Whether a field is carried as it is.
fn is_carried(field: &str, value: &Yaml) -> bool {
    matches!(fate(field), Some(Shadow | Pods))
        || LABELS.contains(&field) && value.text() == Some("")
}

/// The fields of the old one that are carried as they are.
pub(super) fn carried(old: &Old) -> Vec<String> {
    let carried = old.fields().filter(|(field, value)| is_carried(field, value));
    carried.map(|(field, _)| field.to_owned()).collect()
}

/// A note on each of the others, but for what is off: nothing is lost by that.
pub(super) fn notes(old: &Old) -> Vec<Note> {
    let is_off = |field, value: &Yaml| {
        matches!(fate(field), Some(First(_))) && value.text() == Some("false")
    };
    let others = old.fields().filter(|(field, value)| !is_carried(field, value));
    let others = others.filter(|(field, value)| !is_off(field, value));
    others.map(|(field, _)| note(field)).collect()
}

/// What the table says of a field that is not carried as it is.
pub(super) fn note(field: &str) -> Note {
    let (weight, why) = match fate(field) {
        Some(First(why) | Server(why)) => (Weight::First, why),
        Some(Changed(why) | Complement(why)) => (Weight::Changed, why),
        Some(Dropped(why)) => (Weight::Dropped, why),
        Some(Shadow | Pods) => (Weight::Changed, ""),
        None => (Weight::First, "this version does not know the field, and has not carried it"),
    };
    Note::new(field, weight, why)
}
