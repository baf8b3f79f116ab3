//! What an agent starts with when there is nothing better.
//!
//! Its start waits for us a bounded time. If nothing was ever written by then, because a file is missing or
//! cannot be used, it gets as much as is certain, so that it runs and can be told of more.

use crate::config::{self, Config, Options};
use std::collections::BTreeMap;
use std::time::Duration;

/// When it is written, after the start: before the startup probe lets Prometheus start without us.
pub(super) const AFTER: Duration = Duration::from_secs(12);

/// Without any jobs.
const NOTHING: &str = "scrape_configs: []\n";

/// Its first line, for people, and for a later run to know it by.
const MARK: &str = "# To start with: nodelocal-sd could not use its configuration yet.\n";

/// Whether that was written as one.
pub(super) fn is_stopgap(text: &str) -> bool {
    text.starts_with(MARK)
}

/// What is certain of the main file, if it could be read.
///
/// The main file's own jobs, if it is more files that are wrong. Else its settings without jobs; but only
/// where there are no more files: with them (prometheus-operator's own DaemonSet) the main file is what
/// the agent has started with already, and that is more.
pub(super) fn stopgap(main: Option<&[u8]>, has_others: bool, options: &Options) -> Option<String> {
    let certain = certain(main, has_others, options)?;
    Some(format!("{MARK}{certain}"))
}

fn certain(main: Option<&[u8]>, has_others: bool, options: &Options) -> Option<String> {
    let config = main
        .and_then(|bytes| config::text(bytes.to_vec()).ok())
        .and_then(|text| Config::read(&text).ok());
    if has_others {
        let rewritten = config::rewrite(config?, Vec::new(), options, &BTreeMap::new());
        return rewritten.ok().map(|rewriting| rewriting.config.to_string());
    }
    Some(config.and_then(Config::without_jobs).unwrap_or_else(|| NOTHING.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_is_certain() {
        let good = "global: {scrape_interval: 1m}\nscrape_configs: [{job_name: a}]\n";
        let variable = good.replace("1m", "$(UNKNOWN)");
        let without = |interval: &str| {
            format!("global:\n  scrape_interval: {interval}\nscrape_configs: []\n")
        };
        let own = "global:\n  scrape_interval: 1m\nscrape_configs:\n- job_name: a\n";
        for (name, main, has_others, expected) in [
            ("another file is wrong", Some(good), true, Some(own.to_owned())),
            ("so is the main file", Some(&*variable), true, None),
            ("no file can be read", None, true, None),
            ("a variable", Some(&variable), false, Some(without("$(UNKNOWN)"))),
            ("a key twice", Some("global: {}\nglobal: {}\n"), false, Some(NOTHING.to_owned())),
            ("no YAML", Some("a: [\n"), false, Some(NOTHING.to_owned())),
            ("an empty file", Some(""), false, Some(NOTHING.to_owned())),
            ("a list of jobs", Some("- job_name: a\n"), false, Some(NOTHING.to_owned())),
            ("no file", None, false, Some(NOTHING.to_owned())),
        ] {
            let given = stopgap(main.map(str::as_bytes), has_others, &Options::default());
            assert!(given.as_deref().is_none_or(is_stopgap), "{name}");
            let given = given.map(|text| text.replacen(MARK, "", 1));
            assert_eq!(given, expected, "{name}");
        }
    }
}
