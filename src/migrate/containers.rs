//! Containers of the old one's own, and what it changes in the operator's.

use super::edit::{at, items, name, push};
use super::file::File;
use super::notes::{Note, Weight};
use super::old::Old;
use crate::yaml::Yaml;

/// Lists of a container whose items have names, and what an item is told by: another item is added, as the
/// operator does.
const LISTS: [(&str, &str); 2] = [("env", "name"), ("volumeMounts", "mountPath")];

/// Adds containers whose name is new. To others, which the operator would merge into its own, variables and
/// mounts are added; what else they change there is named.
pub(super) fn add(spec: &mut Yaml, old: &Old, notes: &mut Vec<Note>) {
    let volumes: Vec<String> =
        items(spec, &["volumes"]).iter().map(|volume| name(volume).to_owned()).collect();
    for list in ["initContainers", "containers"] {
        for given in old.items(list) {
            let ours = items(spec, &[list]).iter_mut().find(|ours| name(ours) == name(given));
            match ours {
                Some(ours) => merge(ours, given, list, &volumes, notes),
                None => {
                    let why = format!(
                        "{} runs beside the agent on every node, and beside the complement: take it out of the manifests, if \
                         it is there once for the old one",
                        name(given)
                    );
                    notes.push(Note::new(list, Weight::First, why));
                    push(spec, &[list], given.clone());
                }
            }
        }
    }
}

fn merge(ours: &mut Yaml, given: &Yaml, list: &str, volumes: &[String], notes: &mut Vec<Note>) {
    let mut lost = Vec::new();
    for (key, value) in given.entries().unwrap_or_default() {
        let merged = LISTS.iter().find(|(list, _)| *list == key.text);
        match merged {
            None if key.text == "name" => {}
            None => lost.push(key.text.clone()),
            Some((list, told_by)) => {
                for item in value.items().unwrap_or_default() {
                    let id = item.get(told_by);
                    let there = at(ours, &[list]).items().unwrap_or_default();
                    let is_there = there.iter().any(|other| other.get(told_by) == id);
                    let has_volume = *list != "volumeMounts"
                        || volumes.iter().any(|volume| *volume == name(item));
                    if is_there || !has_volume {
                        lost.push(format!(
                            "{list} {}",
                            id.and_then(Yaml::text).unwrap_or_default()
                        ));
                    } else {
                        push(ours, &[list], item.clone());
                    }
                }
            }
        }
    }
    if !lost.is_empty() {
        let why = format!(
            "{} in the new Pods is not the operator's, and this of it is not carried: {}. Write what is needed into \
             {} and {}",
            name(given),
            lost.join(", "),
            File::NODES,
            File::COMPLEMENT
        );
        notes.push(Note::new(list, Weight::First, why));
    }
}
