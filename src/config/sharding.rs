//! The rules by which prometheus-operator spreads targets over shards. On a node nothing is to be spread,
//! and their `$(SHARD)` would drop all targets where nothing fills it.

use super::rule::Rule;

/// How many rules at the end are the operator's sharding: those of 0.93.1 and of the versions before it,
/// which write fewer. Forms that are not known are not counted; what is left of them refuses the
/// job, see [`unknown`].
pub(super) fn at_the_end(rules: &[Rule]) -> usize {
    let mut rest = rules;
    let Some(before) = strip(rest, is_kept_by_hash).and_then(|rest| strip(rest, is_hashed)) else {
        return 0;
    };
    rest = strip(before, is_address).unwrap_or(before);
    if let Some(before) = strip(rest, is_kept_by_zone) {
        rest = before;
        while let Some(before) = strip(rest, |rule| writes(rule, TOPOLOGY)) {
            rest = before;
        }
    }
    if let Some(before) = strip(rest, is_kept_by_retention) {
        rest = strip(before, |rule| writes(rule, CURRENT_SHARD)).unwrap_or(before);
    }
    rules.len() - rest.len()
}

/// What in the rules is not understood, so that it may be sharding of another version of the operator.
pub(super) fn unknown(rules: &[Rule]) -> Option<String> {
    let (mut known, mut any) = (vec![JOB_NAME], false);
    for rule in rules {
        if rule.action == "hashmod" && rule.target_label.starts_with(TEMPORARY) {
            return Some(format!(
                "a hashmod rule writes {}, which looks like sharding",
                rule.target_label
            ));
        }
        let unknown =
            rule.read_labels().find(|label| label.starts_with(TEMPORARY) && !known.contains(label));
        if let Some(label) = unknown.filter(|_| !any) {
            return Some(format!(
                "a {} rule reads {label}, which no rule before it writes",
                rule.action
            ));
        }
        any |= rule.adds_any_label();
        known.extend(rule.written_label());
    }
    None
}

const TEMPORARY: &str = "__tmp_";
const JOB_NAME: &str = "__tmp_prometheus_job_name";
const HASH: &str = "__tmp_hash";
const TOPOLOGY: &str = "__tmp_topology";
const CURRENT_SHARD: &str = "__tmp_current_shard";
const DISABLED: &str = "__tmp_disable_sharding";

/// The rules without the last one, if it is so.
fn strip(rules: &[Rule], is_so: impl Fn(&Rule) -> bool) -> Option<&[Rule]> {
    rules.split_last().filter(|(last, _)| is_so(last)).map(|(_, before)| before)
}

fn reads(rule: &Rule, labels: &[&str]) -> bool {
    rule.source_labels.iter().eq(labels)
}

fn writes(rule: &Rule, label: &str) -> bool {
    rule.action == "replace" && rule.target_label == label
}

/// `$(SHARD)`, or the number that an environment has put there.
fn is_kept_by_hash(rule: &Rule) -> bool {
    let shard = rule.regex.split(';').next().unwrap_or_default();
    let number = !shard.is_empty() && shard.bytes().all(|byte| byte.is_ascii_digit());
    let sources = reads(rule, &[HASH, DISABLED]) || reads(rule, &[HASH]);
    rule.action == "keep" && sources && (number || shard == "$(SHARD)")
}

fn is_hashed(rule: &Rule) -> bool {
    rule.action == "hashmod" && rule.target_label == HASH
}

fn is_address(rule: &Rule) -> bool {
    writes(rule, HASH) && reads(rule, &["__address__", HASH])
}

fn is_kept_by_zone(rule: &Rule) -> bool {
    rule.action == "keep" && reads(rule, &[TOPOLOGY, DISABLED])
}

fn is_kept_by_retention(rule: &Rule) -> bool {
    rule.action == "keep" && reads(rule, &[CURRENT_SHARD])
}
