//! The way there and the way back, in an order in which no target is ever unscraped.
//!
//! There: what scrapes comes first, then what scraped goes; and the nodes come before the complement, which would
//! take their targets for ones of nodes without an agent. Back: the same from the end.

use super::complement::AGENT_DELAY;
use super::file::File;
use super::names::Names;
use super::old::{Kind, Old, REPLICAS, UNSET};
use super::settings::Settings;
use super::shadow;
use crate::config;
use crate::yaml::Yaml;

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub id: &'static str,
    /// What happens in it.
    pub what: String,
    /// What to run, one after the other; each has ended before the next begins.
    pub commands: Vec<String>,
    /// What to look at when they have ended; empty if there is nothing.
    pub after: String,
    /// What is scraped twice when it has ended.
    pub twice: Twice,
}

/// What is scraped twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// Nothing.
    Nothing,
    /// What belongs to nodes that have an agent: by that and the old one.
    Nodes,
    /// Everything: by the old one, and by the nodes' agents or the complement.
    Everything,
}

// === impl Twice ===

impl Twice {
    /// As a sentence of the plan has it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Nodes => "the targets of each node that has an agent",
            Self::Everything => "everything",
        }
    }
}

/// How the files are applied, and taken away. What they own is gone when the command ends.
const APPLY: &str = "kubectl apply --server-side -f";
const DELETE: &str = "kubectl delete --ignore-not-found --cascade=foreground -f";

/// The way there.
pub(super) fn there(old: &Old, names: &Names, settings: &Settings) -> Vec<Step> {
    let namespace = &old.namespace;
    let twice = scrapes(old) * 2;
    vec![
        files(settings),
        Step {
            id: "shadow",
            what: "The operator renders for the shadow what it renders for the old one. Nothing runs yet. (kubectl has \
                   --for=create since 1.31.)"
                .to_owned(),
            commands: vec![
                format!("{APPLY} {}", path(settings, File::RIGHTS)),
                format!("{APPLY} {}", path(settings, File::SHADOW)),
                wait(namespace, &format!("--for=create secret/{}", names.secret()), "2m"),
                wait(namespace, &format!("--for=create secret/{}", names.certificates()), "2m"),
            ],
            after: String::new(),
            twice: Twice::Nothing,
        },
        Step {
            id: "nodes",
            what: format!(
                "An agent on each node. When it is ready it knows its targets; it has scraped each of them after another \
                 scrape interval: where a monitor has a longer one than the sleep, sleep longer. Samples of both go to the receiver{}. While a node \
                 is NotReady the rollout has no end: then go on without it. Its targets are the complement's {AGENT_DELAY} minutes \
                 after that has begun.",
                old_and_new(old)
            ),
            commands: vec![
                format!("{APPLY} {}", path(settings, File::NODES)),
                format!("kubectl -n {namespace} rollout status daemonset/{} --timeout=30m", names.nodes),
                format!("sleep {twice}"),
            ],
            after: String::new(),
            twice: Twice::Nodes,
        },
        Step {
            id: "complement",
            what: format!(
                "What belongs to no node, Probes and ScrapeConfigs at once, and after {AGENT_DELAY} minutes what belongs to \
                 nodes that still have no agent. From the step before to the end of the next one two agents overlap: for as \
                 long as the rollout takes, and some {} minutes.",
                (AGENT_DELAY * 60 + twice * 2).div_ceil(60)
            ),
            commands: vec![
                format!("{APPLY} {}", path(settings, File::COMPLEMENT)),
                format!("kubectl -n {namespace} rollout status deployment/{} --timeout=15m", names.complement),
                format!("sleep {}", AGENT_DELAY * 60 + twice),
            ],
            after: before_off(old, settings),
            twice: Twice::Everything,
        },
        Step {
            id: "old-off",
            what: format!(
                "The old one ends, and stays with 0 replicas: it is the way back. Before it ends it sends what it has, for a \
                 minute at most. What it has not sent then is lost with it, and the new ones have sent the same: nothing is \
                 missing unless it was behind by more than the overlap. {}",
                match old.kind {
                    Kind::Agent => "Its volumes, with its write-ahead log, are not read again.",
                    Kind::Server => "What it has stored stays in its volumes, and nobody answers queries of it.",
                }
            ),
            commands: vec![
                scale(old, false),
                wait(
                    namespace,
                    &format!("--for=delete pod -l {}", selector(old)),
                    "15m",
                ),
            ],
            after: String::new(),
            twice: Twice::Nothing,
        },
    ]
}

/// The way back, from wherever one is.
pub(super) fn back(old: &Old, settings: &Settings) -> Vec<Step> {
    let namespace = &old.namespace;
    let what = format!("{}/{}", old.kind.resource(), old.name);
    vec![
        files(settings),
        Step {
            id: "old-on",
            what: "The old one has its replicas again. When they are ready they know their targets; they have scraped each of \
                   them after another scrape interval: where a monitor has a longer one than the sleep, sleep longer."
                .to_owned(),
            commands: vec![
                scale(old, true),
                wait(
                    namespace,
                    &format!("--for=jsonpath='{{.status.availableReplicas}}'={} {what}", old.pods()),
                    "30m",
                ),
                format!("sleep {}", scrapes(old) * 2),
            ],
            after: String::new(),
            twice: Twice::Everything,
        },
        Step {
            id: "complement-off",
            what: "It sends what it has, for a minute at most.".to_owned(),
            commands: vec![format!("{DELETE} {}", path(settings, File::COMPLEMENT))],
            after: String::new(),
            twice: Twice::Nodes,
        },
        Step {
            id: "nodes-off",
            what: "So does each node's agent.".to_owned(),
            commands: vec![format!("{DELETE} {}", path(settings, File::NODES))],
            after: String::new(),
            twice: Twice::Nothing,
        },
        Step {
            id: "shadow-off",
            what: "What the operator has rendered for it goes too; and it does not take an annotation away that it once \
                   copied to the StatefulSets."
                .to_owned(),
            commands: vec![
                format!(
                    "kubectl -n {namespace} annotate statefulsets -l {} {REPLICAS}-",
                    selector(old)
                ),
                format!("{DELETE} {}", path(settings, File::SHADOW)),
                format!("{DELETE} {}", path(settings, File::RIGHTS)),
            ],
            after: String::new(),
            twice: Twice::Nothing,
        },
    ]
}

/// What the operator labels all with that it makes for the old one.
fn selector(old: &Old) -> String {
    format!("operator.prometheus.io/name={},app.kubernetes.io/name={}", old.name, old.kind.app())
}

fn files(settings: &Settings) -> Step {
    let what = match settings.command {
        Some(_) => {
            "Writes the manifests that the steps apply. It gives the same whenever it is run."
                .to_owned()
        }
        None => format!(
            "The manifests that the steps apply were made of what was given on standard input, which no step can read again: if \
             they are not in {} yet, give the same once more, with --output-dir={}.",
            settings.folder, settings.folder
        ),
    };
    Step {
        id: "files",
        what,
        commands: settings.command.clone().into_iter().collect(),
        after: String::new(),
        twice: Twice::Nothing,
    }
}

fn path(settings: &Settings, file: &str) -> String {
    format!("{}/{file}", settings.folder)
}

fn wait(namespace: &str, what: &str, patience: &str) -> String {
    format!("kubectl -n {namespace} wait {what} --timeout={patience}")
}

/// Takes the replicas of the old one away, and remembers them; or gives them back.
fn scale(old: &Old, on: bool) -> String {
    let (annotation, replicas) = match (on, old.replicas) {
        (true, Some(number)) => ("null".to_owned(), number.to_string()),
        (true, None) => ("null".to_owned(), "null".to_owned()),
        (false, Some(number)) => (format!("\"{number}\""), "0".to_owned()),
        (false, None) => (format!("\"{UNSET}\""), "0".to_owned()),
    };
    format!(
        "kubectl -n {} patch {} {} --type=merge --patch='{{\"metadata\":{{\"annotations\":{{\"{REPLICAS}\":{annotation}}}}},\
         \"spec\":{{\"replicas\":{replicas}}}}}'",
        old.namespace,
        old.kind.resource(),
        old.name
    )
}

/// How long each target takes to be scraped, in seconds.
fn scrapes(old: &Old) -> u32 {
    const DEFAULT: u32 = 30;
    const LONGEST: u32 = 3600;
    let interval = old.text("scrapeInterval").and_then(config::duration);
    let seconds = interval.map(|interval| u32::try_from(interval.as_secs()).unwrap_or(LONGEST));
    seconds.unwrap_or(DEFAULT).clamp(1, LONGEST)
}

/// The label that tells the old one's replicas, if there is one.
fn replica_label(old: &Old) -> Option<&str> {
    match old.field("replicaExternalLabelName").and_then(Yaml::text) {
        None => Some("prometheus_replica"),
        Some("") => None,
        Some(label) => Some(label),
    }
}

fn old_and_new(old: &Old) -> String {
    replica_label(old).map_or_else(
        || ", in the same series: it may refuse some of them as out of order".to_owned(),
        |label| format!("; those of the new one have no label {label}"),
    )
}

/// What to look at before the old one ends.
fn before_off(old: &Old, settings: &Settings) -> String {
    format!(
        "{}\n\nThe old one must not be behind by more than the overlap: each number that this gives must be small.\n\n    {}\n\n\
         And `nodelocal-sd check --live {}` judges all of it. Conflicts with {old} it finds too: they end with the next step.",
        query(old),
        pending(old),
        settings.folder
    )
}

/// What gives the samples that each Pod of the old one has not sent yet.
fn pending(old: &Old) -> String {
    let namespace = &old.namespace;
    let prefix = old.text("routePrefix").unwrap_or_default().trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    let tls = old.field("web").is_some_and(|web| web.get("tlsConfig").is_some());
    let scheme = if tls { "https:" } else { "" };
    format!(
        "kubectl -n {namespace} get pods -l {} -o name | sed 's,^pod/,,' | xargs -I{{}} kubectl get --raw \
         '/api/v1/namespaces/{namespace}/pods/{scheme}{{}}:9090/proxy{prefix}/metrics' | \
         grep '^prometheus_remote_storage_samples_pending'",
        selector(old)
    )
}

/// What tells whether the new ones have all that the old one has. Others may send to the same receiver.
fn query(old: &Old) -> String {
    let Some(replica) = replica_label(old) else {
        let agent = shadow::agent_label(old)
            .map(|(label, value)| format!("{{{label}=\"{value}\"}}"))
            .unwrap_or_default();
        return format!(
            "Old and new send the same series, so no query at the receiver tells who scrapes. Keep what this one gives now, \
             and compare five minutes after the next step: what is missing then only the old one scraped.\n\n    \
             count by (job) (up{agent})"
        );
    };
    let (agent, limits) = match shadow::agent_label(old) {
        Some((label, value)) => (format!("{label}=\"{value}\","), ""),
        None => (
            String::new(),
            ", and only where nobody else sends to it: spec.prometheusExternalLabelName is \"\", so no label names the agent",
        ),
    };
    format!(
        "Then this query at the receiver must give nothing{limits}. What it gives only the old one scrapes:\n\n    \
         up{{{agent}{replica}!=\"\"}} unless ignoring({replica}) up{{{agent}{replica}=\"\"}}"
    )
}
