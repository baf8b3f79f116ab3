//! What the operator's DaemonSet mounts: only its own volumes (prometheus-operator#7813), and nothing at
//! `/prometheus` (#7812).

use super::finding::{Finding, Verdict};
use super::set::{MONITORING, Set, in_daemonset_mode};
use crate::operator::Manifest;
use crate::yaml::Yaml;
use std::collections::BTreeSet;

/// Volumes that are always there (`BuildCommonVolumes`, `BuildWebconfig`).
const ALWAYS: [&str; 4] = ["config", "config-out", "tls-assets", "web-config"];
/// The one that a bare file name in `scrapeFailureLogFile` makes.
const LOG_FILE: &str = "log-file";
/// Volume names are cut there (`DNS1123Label`).
const LONGEST: usize = 63;

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for agent in set.all(MONITORING, "PrometheusAgent").filter(|agent| in_daemonset_mode(agent)) {
        unknown_volumes(agent, findings);
        data_directory(agent, findings);
    }
}

fn unknown_volumes(agent: &Manifest, findings: &mut Vec<Finding>) {
    let known = volumes(agent);
    let mut judge = |mounts: &[Yaml], field: &str| {
        let names = mounts.iter().filter_map(|mount| mount.get("name")?.text());
        for name in names.filter(|name| !known.contains(*name)) {
            let why =
                format!("there is no volume {name:?}, and the operator cannot make the DaemonSet");
            findings.push(Finding::of(Verdict::Breaks, agent, field).because(why).instead(
                "use one of config, config-out, tls-assets, web-config, log-file, secret-NAME of secrets, \
                 configmap-NAME of configMaps",
            ));
        }
    };
    judge(agent.items(&["spec", "volumeMounts"]), "spec.volumeMounts");
    for list in ["initContainers", "containers"] {
        for container in agent.items(&["spec", list]) {
            let name = container.get("name").and_then(Yaml::text).unwrap_or_default();
            let mounts = container.get("volumeMounts").and_then(Yaml::items).unwrap_or_default();
            judge(mounts, &format!("spec.{list}[{name}].volumeMounts"));
        }
    }
}

fn volumes(agent: &Manifest) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = ALWAYS.map(str::to_owned).into();
    if has_log_file(agent) {
        known.insert(LOG_FILE.to_owned());
    }
    for (list, prefix) in [("secrets", "secret"), ("configMaps", "configmap")] {
        for name in agent.items(&["spec", list]).iter().filter_map(Yaml::text) {
            let volume = format!("{prefix}-{name}").to_lowercase().replace('.', "-");
            known.insert(volume.chars().take(LONGEST).collect());
        }
    }
    known
}

fn has_log_file(agent: &Manifest) -> bool {
    let file = agent.text(&["spec", "scrapeFailureLogFile"]).unwrap_or_default();
    !file.is_empty() && !file.contains('/')
}

/// Prometheus locks its data directory at its start.
fn data_directory(agent: &Manifest, findings: &mut Vec<Finding>) {
    let at_data = |mounts: &[Yaml]| {
        mounts.iter().any(|m| m.get("mountPath").and_then(Yaml::text) == Some("/prometheus"))
    };
    let container = agent.items(&["spec", "containers"]).iter();
    let own = container.filter(|c| c.get("name").and_then(Yaml::text) == Some("prometheus"));
    let has_one = |container: &Yaml| {
        let root = container.get("securityContext").and_then(|c| c.get("readOnlyRootFilesystem"));
        root.and_then(Yaml::text) == Some("false")
            || at_data(container.get("volumeMounts").and_then(Yaml::items).unwrap_or_default())
    };
    if at_data(agent.items(&["spec", "volumeMounts"])) || own.into_iter().any(has_one) {
        return;
    }
    let finding = Finding::of(Verdict::Half, agent, "spec.volumeMounts");
    findings.push(
        finding
            .because("nothing is mounted at /prometheus and the root file system is read-only: Prometheus cannot start where the runtime adds no volume")
            .instead("set scrapeFailureLogFile to a bare name and mount its volume log-file at /prometheus with a subPath"),
    );
}
