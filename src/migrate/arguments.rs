//! The arguments of Prometheus.

use super::edit::{set, texts};
use super::image;
use super::notes::{Note, Weight};
use super::old::Old;
use crate::yaml::Yaml;

/// How flags begin that Prometheus refuses with `--agent` (`serverOnlyFlag` in its `cmd/prometheus/main.go`).
const OF_A_SERVER: [&str; 5] =
    ["alertmanager.", "query.", "rules.", "storage.remote.read-", "storage.tsdb."];

/// An agent before 3.0 is a feature.
pub(super) fn edit(container: &mut Yaml, old: &Old) {
    if image::version(old).starts_with("v2.") {
        let given = container.get("args").and_then(Yaml::items).unwrap_or_default();
        let given = given.iter().filter_map(Yaml::text);
        let agent = |argument: &str| match argument {
            "--agent" => "--enable-feature=agent".to_owned(),
            other => other.to_owned(),
        };
        let given = texts(given.map(agent).collect::<Vec<_>>());
        set(container, &["args"], given);
    }
}

/// What the operator makes of the old one's fields, as far as an agent has use for it.
pub(super) fn more(old: &Old, notes: &mut Vec<Note>) -> Vec<String> {
    let mut more = Vec::new();
    let features: Vec<&str> = old.items("enableFeatures").iter().filter_map(Yaml::text).collect();
    if !features.is_empty() {
        more.push(format!("--enable-feature={}", features.join(",")));
    }
    match old.text("walCompression") {
        Some("true") => more.push("--storage.agent.wal-compression".to_owned()),
        Some(_) => more.push("--no-storage.agent.wal-compression".to_owned()),
        None => {}
    }
    for (key, flag) in [("pageTitle", "page-title"), ("maxConnections", "max-connections")] {
        let value = old.field("web").and_then(|web| web.get(key)).and_then(Yaml::text);
        more.extend(value.map(|value| format!("--web.{flag}={value}")));
    }
    for argument in old.items("additionalArgs") {
        let text = |key: &str| argument.get(key).and_then(Yaml::text);
        let name = text("name").unwrap_or_default();
        if OF_A_SERVER.iter().any(|begin| name.trim_start_matches("no-").starts_with(begin)) {
            notes.push(Note::new(
                "additionalArgs",
                Weight::Dropped,
                format!("without {name}: an agent does not start with it"),
            ));
            continue;
        }
        more.push(match text("value") {
            Some(value) if !value.is_empty() => format!("--{name}={value}"),
            _ => format!("--{name}"),
        });
    }
    more
}
