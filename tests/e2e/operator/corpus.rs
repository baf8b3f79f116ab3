//! Monitors that use every field of both CRDs, in turn and at random.

use fastrand::Rng;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The kinds, and what a list of entries is called in each.
pub(crate) const KINDS: [(&str, &str); 2] =
    [("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")];

/// So many of each kind are made at random, beside those that take everything in turn.
const AT_RANDOM: usize = 20;

/// The alternatives of each group.
type Groups = Vec<Vec<Value>>;

/// The monitors, dealt out to these namespaces. `files` is the folder whose files they name.
pub(crate) fn monitors(namespaces: &[String], files: &str, rng: &mut Rng) -> Vec<Value> {
    let text = include_str!("corpus.yaml").replace("FILES", files);
    let corpus: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut monitors = Vec::new();
    for (kind, entries) in KINDS {
        let [spec, entry] = ["spec", "entry"].map(|part| groups(&corpus, kind, part));
        let longest = spec.iter().chain(&entry).map(Vec::len).max().expect("there are groups");
        let in_turn = (0..longest).map(|turn| {
            let take = |alternatives: &Vec<Value>| alternatives[turn % alternatives.len()].clone();
            (merged(&spec, take), vec![merged(&entry, take)])
        });
        let mut all: Vec<(Value, Vec<Value>)> = in_turn.collect();
        for number in 0..AT_RANDOM {
            let mut take = |alternatives: &Vec<Value>| {
                rng.choice(alternatives).expect("there are some").clone()
            };
            let of_spec = merged(&spec, &mut take);
            let of_entries = std::iter::repeat_with(|| merged(&entry, &mut take));
            all.push((of_spec, of_entries.take(number % 3 + 1).collect()));
        }
        for (number, (mut spec, of_entries)) in all.into_iter().enumerate() {
            spec[entries] = of_entries.into();
            let by_role = (spec["selectorMechanism"] == "RoleSelector").to_string();
            monitors.push(json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "spec": spec,
                "metadata": {"name": format!("m{number}"), "namespace": namespaces[number % namespaces.len()],
                    "labels": {"selects-by-role": by_role}}}));
        }
    }
    monitors
}

fn groups(corpus: &Value, kind: &str, part: &str) -> Groups {
    let (both, own) = (&corpus["both"][part], &corpus[kind][part]);
    let names: BTreeSet<&String> = [both, own]
        .into_iter()
        .flat_map(|groups| groups.as_object().expect("groups").keys())
        .collect();
    let alternatives = |name: &str| {
        let lists = [both, own].into_iter().filter_map(|groups| groups[name].as_array());
        lists.flatten().cloned().collect()
    };
    names.into_iter().map(|name| alternatives(name)).collect()
}

fn merged(groups: &Groups, take: impl FnMut(&Vec<Value>) -> Value) -> Value {
    let mut all = Map::new();
    for taken in groups.iter().map(take) {
        all.extend(taken.as_object().expect("a mapping").clone());
    }
    all.into()
}

/// Fields of the CRD's schema that none of these objects has.
pub(crate) fn unused(schema: &Value, objects: &[&Value]) -> Vec<String> {
    let mut unused = Vec::new();
    walk(schema, objects, "spec", &mut unused);
    unused
}

fn walk(schema: &Value, values: &[&Value], path: &str, unused: &mut Vec<String>) {
    if values.is_empty() {
        return unused.push(path.to_owned());
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let below: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
        walk(schema, &below, &format!("{path}.{name}"), unused);
    }
    let items = &schema["items"];
    if items.is_object() {
        let below: Vec<&Value> =
            values.iter().filter_map(|value| value.as_array()).flatten().collect();
        walk(items, &below, &format!("{path}[]"), unused);
    }
    let additional = &schema["additionalProperties"];
    if additional.is_object() {
        let below: Vec<&Value> =
            values.iter().filter_map(|value| value.as_object()).flat_map(Map::values).collect();
        walk(additional, &below, &format!("{path}.*"), unused);
    }
}

/// What the monitors refer to, in a namespace: credentials and certificates, all good.
pub(crate) fn referenced(namespace: &str, certificates: &Certificates) -> [Value; 3] {
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    let Certificates { authority, certificate, key } = certificates;
    [
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("credentials"),
            "stringData": {"user": "u", "password": "p: # \"x\""}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("tls"),
            "stringData": {"ca.crt": authority, "tls.crt": certificate, "tls.key": key}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("public"),
            "data": {"user": "u", "ca.crt": authority, "tls.crt": certificate}}),
    ]
}

/// A certificate that is its own authority, as PEM.
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

// === impl Certificates ===

impl Certificates {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["metrics.example".to_owned()])
            .expect("a certificate");
        let pem = made.cert.pem();
        Self { authority: pem.clone(), certificate: pem, key: made.signing_key.serialize_pem() }
    }

    /// Writes them, and a token, as the files that monitors name.
    pub(crate) fn write(&self, folder: &std::path::Path) {
        for (name, text) in [
            ("ca.crt", &*self.authority),
            ("tls.crt", &self.certificate),
            ("tls.key", &self.key),
            ("token", "a-token"),
        ] {
            std::fs::write(folder.join(name), text).expect("the folder can be written");
        }
    }
}
