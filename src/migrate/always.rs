//! What there is to say whatever the fields are.

use super::fields::{self, LABELS};
use super::names::{INSTANCE, Names};
use super::notes::{Note, Weight};
use super::old::{Kind, Old};
use super::settings::Settings;

/// An image without a registry, as the manifests have it.
const NO_IMAGE: &str = "nodelocal-sd";

/// Notes on what is not a field's alone.
pub(super) fn notes(old: &Old, names: &Names, settings: &Settings) -> Vec<Note> {
    let on = |what: &str, why: String| Note { field: what.to_owned(), weight: Weight::First, why };
    let mut notes = vec![
        on(
            "credentials",
            format!(
                "{} holds those of all monitors, in clear, and lies on every node, as do spec.secrets; \
                 manifests/components/without-credentials has a way to leave some out",
                names.secret()
            ),
        ),
        on(
            "NetworkPolicies",
            format!(
                "those that let the old one's Pods in, or select them, must do so with Pods with the label {INSTANCE}={}. \
                 `kubectl -n {} get networkpolicies` lists what the latter select, and `kubectl get networkpolicies -A -o \
                 yaml` has all",
                names.base, old.namespace
            ),
        ),
        Note::new(
            "remoteWrite",
            Weight::Changed,
            "as it is, and each node has queues of its own: queueConfig is for one node now",
        ),
    ];
    if settings.image == NO_IMAGE {
        notes.push(on("--image", "say where nodes pull nodelocal-sd from".to_owned()));
    }
    if old.kind == Kind::Server {
        notes.push(on(
            old.kind.name(),
            "no agent answers queries or evaluates rules: once it has no replicas, dashboards, recording rules and alerts \
             come from the server that receives remote write, or from nowhere"
                .to_owned(),
        ));
    }
    // These are there by default, and change.
    let unset = LABELS.into_iter().filter(|field| old.field(field).is_none());
    notes.extend(unset.map(fields::note));
    notes
}
