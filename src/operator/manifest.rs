//! Kubernetes objects as they are written: in files, or in the API server's answers.

use crate::yaml::{self, Document, Yaml, YamlError};
use std::fmt;

/// Where an object comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The file, or what stands for it.
    pub file: String,
    /// The line at which its document begins, if it is a file's.
    pub line: Option<usize>,
    /// Its number in a list, from 1.
    pub item: Option<usize>,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Where it comes from.
    pub source: Source,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Its namespace; empty if none is said.
    pub namespace: String,
    /// Its name; empty if none is said, as in a Kustomization.
    pub name: String,
    /// All of it.
    pub yaml: Yaml,
}

/// Why a text is no list of objects.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not YAML.
    #[error("{file}: {error}")]
    Yaml {
        /// The file.
        file: String,
        /// What is wrong.
        error: YamlError,
    },
    /// No Kubernetes object.
    #[error("{0}: not a Kubernetes object: it has no apiVersion and kind")]
    NoObject(Source),
}

// === impl Manifest ===

impl Manifest {
    /// The objects in a text: documents of YAML or JSON, lists taken apart. Empty documents are none.
    ///
    /// # Errors
    /// If it is not YAML, or something in it is no object.
    pub fn read(file: &str, text: &str) -> Result<Vec<Self>, ManifestError> {
        let documents = yaml::read_all(text)
            .map_err(|error| ManifestError::Yaml { file: file.to_owned(), error })?;
        let mut manifests = Vec::new();
        for Document { line, yaml } in documents {
            if !yaml.is_null() {
                let source = Source { file: file.to_owned(), line: Some(line), item: None };
                Self::take(source, yaml, &mut manifests)?;
            }
        }
        Ok(manifests)
    }

    /// Adds the object, or those in it if it is a list.
    fn take(source: Source, yaml: Yaml, into: &mut Vec<Self>) -> Result<(), ManifestError> {
        let text = |key: &str| yaml.get(key).and_then(Yaml::text).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if api_version.is_empty() || kind.is_empty() {
            return Err(ManifestError::NoObject(source));
        }
        // As kubectl has it: List of v1, and what the API server answers, such as PodMonitorList.
        if kind.ends_with("List")
            && let Some(items) = yaml.get("items").and_then(Yaml::items)
        {
            let of_list =
                (api_version.to_owned(), kind.strip_suffix("List").unwrap_or_default().to_owned());
            for (index, item) in items.iter().enumerate() {
                let source = Source { item: Some(index + 1), ..source.clone() };
                Self::take(source, item_of(item, &of_list), into)?;
            }
            return Ok(());
        }
        let meta = |key| {
            let value = yaml.get("metadata").and_then(|metadata| metadata.get(key));
            value.and_then(Yaml::text).unwrap_or_default().to_owned()
        };
        into.push(Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: meta("namespace"),
            name: meta("name"),
            source,
            yaml,
        });
        Ok(())
    }

    /// Whether it is of this kind of this group, whatever the version; the group of Pods is empty.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && self.group() == group
    }

    /// What tells it from all others: group, kind, namespace and name. The version does not.
    pub fn identity(&self) -> [&str; 4] {
        [self.group(), &self.kind, &self.namespace, &self.name]
    }

    /// Its API group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// What is at the end of that path; `None` also if nothing is given there.
    pub fn field(&self, path: &[&str]) -> Option<&Yaml> {
        let found = path.iter().try_fold(&self.yaml, |node, key| node.get(key));
        found.filter(|value| !value.is_null())
    }

    /// The text at the end of that path.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.field(path).and_then(Yaml::text)
    }

    /// The items of the list at the end of that path; none if it is missing or no list.
    pub fn items(&self, path: &[&str]) -> &[Yaml] {
        self.field(path).and_then(Yaml::items).unwrap_or_default()
    }

    /// Its labels, those that are texts.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.field(&["metadata", "labels"]).and_then(Yaml::entries);
        let labels = labels.unwrap_or_default().iter();
        labels.filter_map(|(key, value)| Some((&*key.text, value.text()?)))
    }
}

/// `Kind namespace/name`, as far as these are said.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        match (namespace.is_empty(), name.is_empty()) {
            (true, true) => f.write_str(kind),
            (true, false) => write!(f, "{kind} {name}"),
            (false, _) => write!(f, "{kind} {namespace}/{name}"),
        }
    }
}

/// The API server leaves out in each item what the list says for all.
fn item_of(item: &Yaml, (api_version, kind): &(String, String)) -> Yaml {
    match item {
        Yaml::Mapping(entries) if !kind.is_empty() && item.get("kind").is_none() => {
            let all = Yaml::mapping([
                ("apiVersion", Yaml::string(api_version)),
                ("kind", Yaml::string(kind)),
            ]);
            let all = all.entries().unwrap_or_default().iter();
            Yaml::Mapping(all.chain(entries).cloned().collect())
        }
        item => item.clone(),
    }
}

// === impl Source ===

/// `file:line`, and the number in a list.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match self.item {
            Some(item) => write!(f, " item {item}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let manifests = Manifest::read("f", text).unwrap();
        let shown = |m: Manifest| format!("{} {} {m}", m.source, m.api_version);
        manifests.into_iter().map(shown).collect()
    }

    #[test]
    fn objects_and_where_they_are() {
        for (text, expected) in [
            ("", &[][..]),
            ("# nothing\n---\n---\n", &[]),
            (
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\n---\n\
                 apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: c}\n",
                &["f:1 v1 Pod b/a", "f:4 apps/v1 DaemonSet c"],
            ),
            (
                "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: a}}, \
                 {apiVersion: v1, kind: List, items: []}]}",
                &["f:1 item 1 v1 Pod a"],
            ),
            (
                r#"{"apiVersion": "g/v1", "kind": "ThingList", "items": [{"metadata": {"name": "a"}}]}"#,
                &["f:1 item 1 g/v1 Thing a"],
            ),
            ("{apiVersion: k/v1, kind: Kustomization}", &["f:1 k/v1 Kustomization"]),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_object() {
        for (text, expected) in [
            ("a: 1\n", "f:1: not a Kubernetes object"),
            ("apiVersion: v1\nkind: Pod\n---\nkind: Pod\n", "f:3: not a Kubernetes object"),
            ("{apiVersion: v1, kind: List, items: [5]}", "f:1 item 1: not a Kubernetes object"),
            ("{{ .Values.x }}\n", "f: "),
        ] {
            let error = Manifest::read("f", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn fields() {
        let text = "{apiVersion: g/v1, kind: A, spec: {a: null, b: {}, c: [1], d: 0}}";
        let manifest = &Manifest::read("f", text).unwrap()[0];
        assert_eq!(manifest.field(&["spec", "a"]), None);
        assert!(manifest.field(&["spec", "b"]).is_some());
        assert_eq!(manifest.items(&["spec", "c"]).len(), 1);
        assert_eq!(manifest.items(&["spec", "b"]).len(), 0);
        assert_eq!(manifest.text(&["spec", "d"]), Some("0"));
        assert_eq!(manifest.field(&["spec", "b", "x"]), None);
        assert!(manifest.is("g", "A") && !manifest.is("", "A"));
    }
}
