//! What is migrated.

use super::edit;
use crate::operator::Manifest;
use crate::yaml::Yaml;
use std::collections::BTreeSet;
use std::fmt;

/// The agent, or the server, that the nodes' agents replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    /// What it is.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many replicas of each shard it has when it runs, if it says so.
    pub replicas: Option<u32>,
    /// How many shards it has.
    pub shards: u32,
    spec: Yaml,
}

/// What can be migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A PrometheusAgent.
    Agent,
    /// A Prometheus.
    Server,
}

/// Why something cannot be migrated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct OldError {
    what: String,
    why: String,
}

/// Remembers the replicas of the old one while it has none, for the way back. Its value is a number, or [`UNSET`].
pub(super) const REPLICAS: &str = "nodelocal-sd/replicas";
/// If the field was not there.
pub(super) const UNSET: &str = "unset";

/// What selects something to scrape.
const SELECTORS: [&str; 4] =
    ["serviceMonitorSelector", "podMonitorSelector", "probeSelector", "scrapeConfigSelector"];

// === impl Kind ===

impl Kind {
    /// The kind of that object, if it can be migrated.
    pub fn of(manifest: &Manifest) -> Option<Self> {
        [Self::Agent, Self::Server]
            .into_iter()
            .find(|kind| manifest.is("monitoring.coreos.com", kind.name()))
    }

    /// `kind` of the object.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "PrometheusAgent",
            Self::Server => "Prometheus",
        }
    }

    /// What kubectl calls it.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Agent => "prometheusagents.monitoring.coreos.com",
            Self::Server => "prometheuses.monitoring.coreos.com",
        }
    }

    /// Where the API server has one.
    pub fn path(self, namespace: &str, name: &str) -> String {
        let (version, plural) = match self {
            Self::Agent => ("v1alpha1", "prometheusagents"),
            Self::Server => ("v1", "prometheuses"),
        };
        format!("/apis/monitoring.coreos.com/{version}/namespaces/{namespace}/{plural}/{name}")
    }

    /// The value of `app.kubernetes.io/name` of its Pods.
    pub(super) fn app(self) -> &'static str {
        match self {
            Self::Agent => "prometheus-agent",
            Self::Server => "prometheus",
        }
    }
}

// === impl Old ===

impl Old {
    /// What is to be migrated. How many replicas it has when it runs can be said instead of the manifest.
    ///
    /// # Errors
    /// If that cannot be done, or would lose everything.
    pub fn read(manifest: &Manifest, replicas: Option<u32>) -> Result<Self, OldError> {
        let error = |why: &str| OldError {
            what: format!("{}: {manifest}", manifest.source),
            why: why.to_owned(),
        };
        let kind = Kind::of(manifest).ok_or_else(|| {
            error("is neither a PrometheusAgent nor a Prometheus: name one of these")
        })?;
        for (field, value) in
            [("metadata.name", &manifest.name), ("metadata.namespace", &manifest.namespace)]
        {
            if value.is_empty() {
                return Err(error(&format!("{field} is missing: write it into the file")));
            }
        }
        let mut spec = manifest.field(&["spec"]).cloned().unwrap_or_else(|| Yaml::mapping([]));
        spec.entries().ok_or_else(|| error("spec is no mapping"))?;
        if let Some(key) = twice(&spec) {
            return Err(error(&format!("spec: the key {key} is there twice: leave one")));
        }
        unquote_keys(&mut spec);
        let number = |text: Option<&str>, what: &str| match text {
            None | Some("" | UNSET) => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| error(&format!("{what}: {text} is no number")))
            }
        };
        let remembered = manifest.text(&["metadata", "annotations", REPLICAS]);
        let (text, field) = match remembered {
            Some(text) => (Some(text), format!("metadata.annotations, {REPLICAS}")),
            None => (spec.get("replicas").and_then(Yaml::text), "spec.replicas".to_owned()),
        };
        let replicas = match replicas {
            Some(number) => Some(number),
            None => number(text, &field)?,
        };
        if replicas == Some(0) {
            return Err(error(&format!(
                "{field} is 0, and after the way back nobody would scrape: say with --replicas how many it has when it runs"
            )));
        }
        let shards = number(spec.get("shards").and_then(Yaml::text), "spec.shards")?;
        let old = Self {
            kind,
            namespace: manifest.namespace.clone(),
            name: manifest.name.clone(),
            replicas,
            shards: shards.unwrap_or(1).max(1),
            spec,
        };
        old.check().map_err(|why| error(&why))?;
        Ok(old)
    }

    fn check(&self) -> Result<(), String> {
        if self.text("mode") == Some("DaemonSet") {
            return Err("spec.mode is DaemonSet: it is on the nodes already".to_owned());
        }
        if self.text("paused") == Some("true") {
            return Err(
                "spec.paused is true: the operator would not follow the last step; set it to false"
                    .to_owned(),
            );
        }
        if !SELECTORS.iter().any(|field| self.field(field).is_some())
            && self.field("additionalScrapeConfigs").is_none()
        {
            return Err(format!(
                "spec has none of {}: there is nothing to scrape that the operator knows",
                SELECTORS.join(", ")
            ));
        }
        if self.field("remoteWrite").and_then(Yaml::items).unwrap_or_default().is_empty() {
            return Err("spec.remoteWrite is missing: agents store nothing, so all samples would be lost; name a server \
                        that receives them, and that answers queries and evaluates rules"
                .to_owned());
        }
        Ok(())
    }

    /// The fields that are set, in their order.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Yaml)> {
        let entries = self.spec.entries().unwrap_or_default().iter();
        entries.filter(|(_, value)| !value.is_null()).map(|(key, value)| (&*key.text, value))
    }

    /// A field, if it is set.
    pub(super) fn field(&self, field: &str) -> Option<&Yaml> {
        self.spec.get(field).filter(|value| !value.is_null())
    }

    /// The text of a field, if it is set.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.field(field).and_then(Yaml::text)
    }

    /// The items of a field; none if it is not set.
    pub(super) fn items(&self, field: &str) -> &[Yaml] {
        self.field(field).and_then(Yaml::items).unwrap_or_default()
    }

    /// How many Pods it has when it runs.
    pub(super) fn pods(&self) -> u32 {
        self.replicas.unwrap_or(1).saturating_mul(self.shards)
    }
}

impl fmt::Display for Old {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.name(), self.namespace, self.name)
    }
}

/// A key that a mapping in it has twice.
fn twice(node: &Yaml) -> Option<&str> {
    match node {
        Yaml::Scalar(_) => None,
        Yaml::Sequence(items) => items.iter().find_map(twice),
        Yaml::Mapping(entries) => {
            let mut seen = BTreeSet::new();
            entries.iter().find_map(|(key, value)| {
                if seen.insert(&*key.text) { twice(value) } else { Some(&*key.text) }
            })
        }
    }
}

/// JSON has quotes around each key; a manifest reads better without.
fn unquote_keys(node: &mut Yaml) {
    match node {
        Yaml::Scalar(_) => {}
        Yaml::Sequence(items) => items.iter_mut().for_each(unquote_keys),
        Yaml::Mapping(entries) => {
            for (key, value) in entries {
                key.quoted &= !edit::is_plain(&key.text);
                unquote_keys(value);
            }
        }
    }
}
