//! What holds of a Pod whatever is asked: whether it is ours to answer for.

use super::explanation::{Outcome, Step};
use super::known::{Elsewhere, Known};
use super::role_pod::phase;
use super::unsynced;
use crate::index::Share;
use crate::objects::{ObjectKey, Pod, Resource};
use crate::status::Trouble;
use jiff::Timestamp;
use jiff::fmt::strtime;

/// The Pod, if it is here and not left to others; the steps so far, the last of which says why it is not.
pub(super) fn find<'a>(
    known: &Known<'a>,
    key: &ObjectKey,
    steps: &mut Vec<Step>,
) -> Option<&'a Pod> {
    let snapshot = known.snapshot;
    if !snapshot.synced.contains(Resource::Pods) {
        steps.push(unsynced::step("the Pods are known", &[Resource::Pods], known));
        return None;
    }
    let what = match &snapshot.share {
        Share::Node(node) => format!("the Pod is on node {node}"),
        Share::Complement(_) => "the Pod exists".to_owned(),
    };
    let Some(pod) = snapshot.pods.get(&key.namespace, &key.name) else {
        steps.push(not_here(known, key, what));
        return None;
    };
    steps.push(Step { what, outcome: Outcome::Passed, why: described(pod), hint: stale(known) });
    if !snapshot.share.is_complement()
        && let Some(by) = snapshot.excluded.selecting(pod)
    {
        steps.push(Step {
            what: "the node does not leave the Pod to the complement".to_owned(),
            outcome: Outcome::Failed,
            why: format!("--exclude={by} selects the Pod"),
            hint: Some("the complement has it: explain it there (run --complement)".to_owned()),
        });
        return None;
    }
    Some(pod)
}

fn described(pod: &Pod) -> String {
    let mut text = format!("the Pod is there, in phase {}", phase(pod));
    if pod.deleted {
        text.push_str(", terminating");
    }
    if !pod.ip.is_empty() {
        text = format!("{text}, at {}", pod.ip);
    }
    text
}

/// What is known may be old.
fn stale(known: &Known<'_>) -> Option<String> {
    let trouble = known.troubles.get(&Resource::Pods)?;
    Some(format!("this may be old, because Pods cannot be watched: {}", trouble.message))
}

fn not_here(known: &Known<'_>, key: &ObjectKey, what: String) -> Step {
    use Elsewhere::{Absent, Failed, NotAsked, On, OwnPodsOnly, Refused, Unscheduled};
    let share = &known.snapshot.share;
    let own = share.node();
    let where_it_is =
        "kubectl get pod -o wide says on which node it is; explain it at the sidecar there";
    let could_not =
        |why: &str| format!("the Pod is not on this node; on which it is could not be read: {why}");
    let trouble = known.troubles.get(&Resource::Pods);
    let absent = || {
        let hint = "see that namespace and name are right: kubectl get pods";
        (Outcome::Failed, "there is no such Pod".to_owned(), hint.to_owned())
    };
    let (outcome, why, hint) = match known.elsewhere {
        // The Pod may have come since the watch failed, and nobody has told where it is.
        NotAsked | OwnPodsOnly | Refused(_) | Failed(_) if let Some(trouble) = trouble => {
            return unwatched(known, key, what, trouble);
        }
        On(node) if own.is_some_and(|own| **own == **node) => (
            Outcome::Unknown,
            "the API server has the Pod on this node, but the watch has not told of it yet"
                .to_owned(),
            "ask again in a moment; /debug/watches counts objects that could not be decoded"
                .to_owned(),
        ),
        On(node) => (
            Outcome::Failed,
            format!("the Pod is on node {node}"),
            format!("explain it at the sidecar of node {node}"),
        ),
        Unscheduled => (
            Outcome::Failed,
            "the Pod is on no node yet: the scheduler has not found one".to_owned(),
            "kubectl describe pod says what it waits for".to_owned(),
        ),
        NotAsked if share.is_complement() => absent(),
        Absent => absent(),
        NotAsked => {
            (Outcome::Failed, "the Pod is not on this node".to_owned(), where_it_is.to_owned())
        }
        OwnPodsOnly => (
            Outcome::Failed,
            "the Pod is not on this node; the sidecar may read the Pods of its own node only"
                .to_owned(),
            where_it_is.to_owned(),
        ),
        Refused(why) | Failed(why) => (Outcome::Failed, could_not(why), where_it_is.to_owned()),
    };
    Step { what, outcome, why, hint: Some(hint) }
}

/// What a watch that does not do well leaves open.
fn unwatched(known: &Known<'_>, key: &ObjectKey, what: String, trouble: &Trouble) -> Step {
    let open = match known.snapshot.share {
        Share::Node(_) => format!("whether {key} is on this node is not known"),
        Share::Complement(_) => format!("whether {key} exists is not known"),
    };
    let Trouble { since, message } = trouble;
    let since = Timestamp::try_from(*since).and_then(|since| strtime::format(MOMENT, since));
    let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
    let again = "ask again when Pods are watched: /debug/watches says how the watches are doing";
    let hint = match known.elsewhere {
        Elsewhere::Refused(why) | Elsewhere::Failed(why) => {
            format!("{again}; it could not be read by its name either: {why}")
        }
        _ => again.to_owned(),
    };
    Step {
        what,
        outcome: Outcome::Unknown,
        why: format!("Pods cannot be watched{since}: {message}; {open}"),
        hint: Some(hint),
    }
}

/// As on the pages.
const MOMENT: &str = "%Y-%m-%d %H:%M:%S UTC";
