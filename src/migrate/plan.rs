//! The plan: manifests, what became of each field, and the steps.

use super::file::File;
use super::names::Names;
use super::notes::Note;
use super::old::Old;
use super::settings::Settings;
use super::steps::Step;
use super::{always, complement, daemonset, fields, rights, shadow, steps};

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
