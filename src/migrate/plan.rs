//! The plan: manifests, what became of each field, and the steps.

use super::names::Names;
use super::notes::Note;
use super::old::Old;
use super::steps::Step;
use super::{always, complement, daemonset, fields, rights, shadow, steps};
use crate::yaml::Yaml;

/// What is not the old agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The sidecar's image.
    pub image: String,
    /// The folder of the files, as a shell reads it.
    pub folder: String,
    /// The command that writes them, if it can be run again: not if the old one was read from standard input.
    pub command: Option<String>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is migrated.
    pub old: Old,
    /// What became of fields that are not simply carried, the heaviest first.
    pub notes: Vec<Note>,
    /// The fields that are carried as they are.
    pub carried: Vec<String>,
    /// The manifests, in the order in which they are applied.
    pub files: [File; 4],
    /// The way there.
    pub there: Vec<Step>,
    /// The way back.
    pub back: Vec<Step>,
}

/// A file of manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub objects: Vec<Yaml>,
}

// === impl File ===

impl File {
    /// Account, roles, and what belongs to all Pods.
    pub const RIGHTS: &str = "1-rights.yaml";
    /// The shadow.
    pub const SHADOW: &str = "2-shadow.yaml";
    /// The DaemonSet.
    pub const NODES: &str = "3-nodes.yaml";
    /// The complement.
    pub const COMPLEMENT: &str = "4-complement.yaml";
}

// === impl Plan ===

impl Plan {
    /// The plan for that agent.
    pub fn new(old: Old, settings: &Settings) -> Self {
        let names = &Names::of(&old);
        let mut notes = fields::notes(&old);
        notes.extend(always::notes(&old, names, settings));
        let rights = rights::rights(&old, names, &mut notes);
        let shadow = shadow::shadow(&old, names, &mut notes);
        let nodes = daemonset::daemonset(&old, names, settings, &mut notes);
        let complement = complement::complement(&old, names, settings);
        notes.sort_by(|one, other| (one.weight, &one.field).cmp(&(other.weight, &other.field)));
        let file = |name, objects| File { name, objects };
        Self {
            notes,
            carried: fields::carried(&old),
            files: [
                file(File::RIGHTS, rights),
                file(File::SHADOW, vec![shadow]),
                file(File::NODES, vec![nodes]),
                file(File::COMPLEMENT, vec![complement]),
            ],
            there: steps::there(&old, names, settings),
            back: steps::back(&old, settings),
            old,
        }
    }
}
