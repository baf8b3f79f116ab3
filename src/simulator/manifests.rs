//! Objects from files of Kubernetes YAML, followed as the files change.
//!
//! The files are polled: their times and lengths, once a second. That needs no crate, works on
//! every file system, and the files are few.

use super::defaults::fill_in;
use super::kind::Kind;
use super::server::Simulator;
use super::store::{ApplyError, identify};
use crate::objects::ObjectKey;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

const POLL: Duration = Duration::from_secs(1);

/// Files whose objects are in a simulator.
#[derive(Debug)]
pub struct Manifests {
    simulator: Simulator,
    path: PathBuf,
    /// What the files looked like when they were read last, with or without success.
    seen: Stamps,
    /// The objects that came from them, by identity.
    loaded: Objects,
}

/// Why files cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A document is no YAML.
    #[error("{}, document {document}: not YAML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Its place in the file, from 1.
        document: usize,
        /// Where and why.
        source: Box<serde_saphyr::Error>,
    },
    /// A document is no Kubernetes object.
    #[error("{}, document {document}", path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// Its place in the file, from 1.
        document: usize,
        /// What is wrong with it.
        source: ApplyError,
    },
    /// Two documents are the same object, so neither can win.
    #[error("{}, document {document}: {kind} {key} is defined twice", path.display())]
    Twice {
        /// The file of the second.
        path: PathBuf,
        /// Its place in the file, from 1.
        document: usize,
        /// Plural of its kind.
        kind: &'static str,
        /// Its name.
        key: ObjectKey,
    },
}

type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;
type Objects = BTreeMap<(&'static str, ObjectKey), Value>;

// === impl Manifests ===

impl Manifests {
    /// Loads a file, or all `*.yaml`, `*.yml` and `*.json` below a folder. Objects of kinds that
    /// are not simulated are left out.
    ///
    /// # Errors
    /// If something cannot be read or understood; the simulator is unchanged then.
    pub fn load(simulator: Simulator, path: impl Into<PathBuf>) -> Result<Self, ManifestError> {
        let mut manifests =
            Self { simulator, path: path.into(), seen: Stamps::new(), loaded: Objects::new() };
        manifests.reload()?;
        Ok(manifests)
    }

    /// How many objects came from the files.
    pub fn len(&self) -> usize {
        self.loaded.len()
    }

    /// Whether the files hold no object.
    pub fn is_empty(&self) -> bool {
        self.loaded.is_empty()
    }

    /// Follows the files for ever. Files that are broken for the moment change nothing and are
    /// logged once.
    pub async fn follow(mut self) {
        loop {
            tokio::time::sleep(POLL).await;
            match self.reload() {
                Ok(true) => tracing::info!(objects = self.len(), "manifests reloaded"),
                Ok(false) => {}
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "manifests are broken; the objects stay as they are");
                }
            }
        }
    }

    /// Reads the files again if they look different from the last time. True if they did.
    ///
    /// # Errors
    /// As [`Manifests::load`].
    pub fn reload(&mut self) -> Result<bool, ManifestError> {
        let mut stamps = Stamps::new();
        stamp(&self.path, true, &mut stamps)?;
        if stamps == self.seen {
            return Ok(false);
        }
        self.seen = stamps;
        let mut objects = Objects::new();
        for path in self.seen.keys() {
            read(path, &mut objects)?;
        }
        for (kind, key) in self.loaded.keys() {
            if !objects.contains_key(&(*kind, key.clone())) {
                self.simulator.delete(kind, &key.namespace, &key.name);
            }
        }
        for (identity, object) in &objects {
            // An object that the files leave alone may have changed otherwise: that stays.
            if self.loaded.get(identity) != Some(object) {
                let applied = self.simulator.apply(object.clone());
                applied.expect("an object with an identity can be stored");
            }
        }
        self.loaded = objects;
        Ok(true)
    }
}

/// Notes the files at and below `path`. A file that is named itself may have any name.
fn stamp(path: &Path, named: bool, stamps: &mut Stamps) -> Result<(), ManifestError> {
    let failed = |reason| ManifestError::Read { path: path.to_owned(), reason };
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            stamp(&entry.map_err(failed)?.path(), false, stamps)?;
        }
    } else if named || is_manifest(path) {
        let stamp = (metadata.modified().ok(), metadata.len());
        stamps.insert(path.to_owned(), stamp);
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json"))
}

/// Adds the objects of one file.
fn read(path: &Path, objects: &mut Objects) -> Result<(), ManifestError> {
    let failed = |reason| ManifestError::Read { path: path.to_owned(), reason };
    let mut file = fs::File::open(path).map_err(failed)?;
    // The limits against hostile documents are for strangers' files, not for one's own.
    let options = serde_saphyr::options! { budget: None };
    let documents = serde_saphyr::read_with_options::<_, Value>(&mut file, options);
    for (index, document) in documents.enumerate() {
        let number = index + 1;
        let document = document.map_err(|source| ManifestError::Syntax {
            path: path.to_owned(),
            document: number,
            source: Box::new(source),
        })?;
        for object in items(document) {
            add(object, objects).map_err(|error| error.at(path, number))?;
        }
    }
    Ok(())
}

/// The objects of a document: none, one, or those of a `List`.
fn items(mut document: Value) -> Vec<Value> {
    if document.is_null() {
        return Vec::new();
    }
    if document["kind"] == "List"
        && let Value::Array(items) = document["items"].take()
    {
        return items;
    }
    vec![document]
}

/// Why an object is not added.
enum Refusal {
    Object(ApplyError),
    Twice(&'static Kind, ObjectKey),
}

fn add(mut object: Value, objects: &mut Objects) -> Result<(), Refusal> {
    let (kind, key) = match identify(&object) {
        Ok(identity) => identity,
        Err(ApplyError::UnknownKind { api_version, kind }) => {
            tracing::debug!(api_version, kind, "not simulated, left out");
            return Ok(());
        }
        Err(error) => return Err(Refusal::Object(error)),
    };
    fill_in(kind, &mut object);
    match objects.insert((kind.plural, key.clone()), object) {
        None => Ok(()),
        Some(_) => Err(Refusal::Twice(kind, key)),
    }
}

// === impl Refusal ===

impl Refusal {
    fn at(self, path: &Path, document: usize) -> ManifestError {
        let path = path.to_owned();
        match self {
            Self::Object(source) => ManifestError::Object { path, document, source },
            Self::Twice(kind, key) => {
                ManifestError::Twice { path, document, kind: kind.plural, key }
            }
        }
    }
}
