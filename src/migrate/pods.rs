//! What the Pods on the nodes and that of the complement have in common.

use super::containers;
use super::edit::{at, items, name, overlay, plain, push, set, string, texts};
use super::names::Names;
use super::notes::{Note, Weight};
use super::old::Old;
use super::settings::Settings;
use super::{affinity, arguments, image};
use crate::yaml::Yaml;

/// The containers of the template.
pub(super) const PROMETHEUS: &str = "prometheus";
pub(super) const SIDECAR: &str = "nodelocal-sd";
const RELOADERS: [&str; 2] = ["init-config-reloader", "config-reloader"];

/// Fields of the old one that are fields of a Pod by the same name.
const OF_THE_POD: [&str; 9] = [
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostUsers",
    "imagePullSecrets",
    "priorityClassName",
    "schedulerName",
    "terminationGracePeriodSeconds",
];

/// Makes of the Pod of the template that of this migration.
pub(super) fn edit(
    pod: &mut Yaml,
    old: &Old,
    names: &Names,
    settings: &Settings,
    notes: &mut Vec<Note>,
) {
    metadata(pod, old, notes);
    affinity::judge(old, pod, notes);
    let spec = at(pod, &["spec"]);
    let account = old.text("serviceAccountName").unwrap_or(&names.account);
    set(spec, &["serviceAccountName"], string(account));
    for field in OF_THE_POD {
        if let Some(value) = old.field(field) {
            set(spec, &[field], value.clone());
        }
    }
    if let Some(context) = old.field("securityContext") {
        overlay(spec, &["securityContext"], context);
    }
    for volume in items(spec, &["volumes"]) {
        let secret = match name(volume) {
            "shadow" => names.secret(),
            "certificates" => names.certificates(),
            _ => continue,
        };
        set(volume, &["secret", "secretName"], string(secret));
    }
    for list in ["initContainers", "containers"] {
        for container in items(spec, &[list]) {
            edit_container(container, old, settings, notes);
        }
    }
    volumes(spec, old, notes);
    containers::add(spec, old, notes);
}

/// Labels and annotations; by ours the Pods are found, so these stay.
fn metadata(pod: &mut Yaml, old: &Old, notes: &mut Vec<Note>) {
    for key in ["labels", "annotations"] {
        let given = old.field("podMetadata").and_then(|metadata| metadata.get(key)?.entries());
        let (kept_apart, carried): (Vec<_>, Vec<_>) = given
            .unwrap_or_default()
            .iter()
            .cloned()
            .partition(|(name, _)| key == "labels" && affinity::is_kept_apart(old, &name.text));
        let ours = at(pod, &["metadata", key]).clone();
        overlay(pod, &["metadata", key], &Yaml::Mapping(carried));
        overlay(pod, &["metadata", key], &ours);
        for (label, _) in kept_apart {
            let why = format!(
                "the label {} is not carried: by spec.affinity the old one's Pods would keep the new ones off their nodes",
                label.text
            );
            notes.push(Note::new("podMetadata", Weight::Changed, why));
        }
    }
}

fn edit_container(container: &mut Yaml, old: &Old, settings: &Settings, notes: &mut Vec<Note>) {
    let of_the_log = |flag: &str| {
        let fields = [("level", "logLevel"), ("format", "logFormat")];
        let given =
            fields.map(|(what, field)| Some(format!("--log{flag}{what}={}", old.text(field)?)));
        given.into_iter().flatten().collect::<Vec<_>>()
    };
    let container_name = name(container).to_owned();
    let more = match &*container_name {
        PROMETHEUS => {
            set(container, &["image"], string(image::of(old)));
            arguments::edit(container, old);
            [of_the_log("."), arguments::more(old, notes)].concat()
        }
        SIDECAR => {
            set(container, &["image"], string(&settings.image));
            return;
        }
        other if RELOADERS.contains(&other) => of_the_log("-"),
        _ => return,
    };
    let given = container.get("args").and_then(Yaml::items).unwrap_or_default();
    let given = given.iter().filter_map(Yaml::text).map(str::to_owned);
    let all = texts(given.chain(more).collect::<Vec<_>>());
    set(container, &["args"], all);
    if let Some(policy) = old.field("imagePullPolicy") {
        set(container, &["imagePullPolicy"], policy.clone());
    }
}

/// Volumes, and where Prometheus has them: Secrets and ConfigMaps where the operator mounts them.
fn volumes(spec: &mut Yaml, old: &Old, notes: &mut Vec<Note>) {
    let mut mounts = Vec::new();
    for (field, prefix, folder, source, key) in [
        ("secrets", "secret", "secrets", "secret", "secretName"),
        ("configMaps", "configmap", "configmaps", "configMap", "name"),
    ] {
        for object in old.items(field).iter().filter_map(Yaml::text) {
            let volume = volume_name(prefix, object);
            push(
                spec,
                &["volumes"],
                Yaml::mapping([
                    ("name", string(&volume)),
                    (source, Yaml::mapping([(key, string(object))])),
                ]),
            );
            mounts.push(Yaml::mapping([
                ("name", string(volume)),
                ("mountPath", string(format!("/etc/prometheus/{folder}/{object}"))),
                ("readOnly", plain("true")),
            ]));
        }
    }
    for volume in old.items("volumes") {
        if volume.get("persistentVolumeClaim").is_some() {
            let why = format!(
                "{} is one claim, and the Pods of all nodes would mount it: most kinds of storage allow that on one node \
                 only, and the others' Pods do not start; take it out of the manifests, or let it be ephemeral",
                name(volume)
            );
            notes.push(Note::new("volumes", Weight::First, why));
        }
        if has(spec, name(volume)) {
            notes.push(Note::new(
                "volumes",
                Weight::First,
                format!("{} is dropped: the Pods have another volume of that name", name(volume)),
            ));
        } else {
            push(spec, &["volumes"], volume.clone());
        }
    }
    for mount in old.items("volumeMounts") {
        if has(spec, name(mount)) {
            mounts.push(mount.clone());
        } else {
            notes.push(Note::new(
                "volumeMounts",
                Weight::First,
                format!(
                    "{} is dropped: only a Pod that the operator makes has that volume",
                    name(mount)
                ),
            ));
        }
    }
    let prometheus = items(spec, &["containers"]).iter_mut();
    if let Some(prometheus) = prometheus.into_iter().find(|container| name(container) == PROMETHEUS)
    {
        for mount in mounts {
            push(prometheus, &["volumeMounts"], mount);
        }
    }
}

/// Whether there is a volume of that name.
fn has(spec: &mut Yaml, volume: &str) -> bool {
    items(spec, &["volumes"]).iter().any(|other| name(other) == volume)
}

/// The name that the operator gives to the volume of a Secret or a ConfigMap.
fn volume_name(prefix: &str, object: &str) -> String {
    const MOST: usize = 63; // of a DNS label
    let name: String = format!("{prefix}-{object}").replace('.', "-").chars().take(MOST).collect();
    name.trim_end_matches('-').to_owned()
}
