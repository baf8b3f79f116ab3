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

/// What there is to start with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopgap {
    /// The main file's own jobs, where it is more files that are wrong.
    OwnJobs(String),
    /// Its settings without jobs, or nothing at all.
    NoJobs(String),
}

/// What is certain of the main file, if it could be read. Where there are more files
/// (prometheus-operator's own DaemonSet), the agent has started with the main one already: anything less
/// than its jobs would be less than it has.
pub(super) fn stopgap(main: Option<&[u8]>, options: &Options) -> Option<Stopgap> {
    let config = main
        .and_then(|bytes| config::text(bytes.to_vec()).ok())
        .and_then(|text| Config::read(&text).ok());
    if options.has_more_files {
        let rewritten = config::rewrite(config?, Vec::new(), options, &BTreeMap::new());
        return rewritten.ok().map(|rewriting| Stopgap::OwnJobs(rewriting.config.to_string()));
    }
    let settings = config.and_then(|config| config.without_jobs(options));
    let settings = settings.unwrap_or_else(|| NOTHING.to_owned());
    Some(Stopgap::NoJobs(format!("{MARK}{settings}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_is_certain() {
        let good = "global: {scrape_interval: 1m}\nscrape_configs: [{job_name: a}]\n";
        let variable = good.replace("1m", "$(UNKNOWN)");
        let more = format!("{variable}remote_write: []\n");
        let own = "global:\n  scrape_interval: 1m\nscrape_configs:\n- job_name: a\n";
        let settings = "global:\n  scrape_interval: 1m\nscrape_configs: []\n";
        let own_jobs = |text: &str| Some(Stopgap::OwnJobs(text.to_owned()));
        let no_jobs = |text: &str| Some(Stopgap::NoJobs(format!("{MARK}{text}")));
        for (name, main, has_more_files, expected) in [
            ("another file is wrong", Some(good), true, own_jobs(own)),
            ("so is the main file", Some(&*variable), true, None),
            ("no file can be read", None, true, None),
            ("nothing is wrong with it", Some(good), false, no_jobs(settings)),
            ("a variable", Some(&variable), false, no_jobs("scrape_configs: []\n")),
            (
                "a variable in one place",
                Some(&more),
                false,
                no_jobs("scrape_configs: []\nremote_write: []\n"),
            ),
            ("a key twice", Some("global: {}\nglobal: {}\n"), false, no_jobs(NOTHING)),
            ("no YAML", Some("a: [\n"), false, no_jobs(NOTHING)),
            ("an empty file", Some(""), false, no_jobs(NOTHING)),
            ("a list of jobs", Some("- job_name: a\n"), false, no_jobs(NOTHING)),
            ("no file", None, false, no_jobs(NOTHING)),
        ] {
            let options = Options { has_more_files, ..Options::default() };
            assert_eq!(stopgap(main.map(str::as_bytes), &options), expected, "{name}");
        }
        assert!(is_stopgap(&format!("{MARK}{NOTHING}")) && !is_stopgap(own));
    }
}
