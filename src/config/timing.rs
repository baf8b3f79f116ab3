//! Prometheus refuses a job whose timeout is longer than its interval, which may be another file's `global`.

use crate::yaml::Yaml;
use std::time::Duration;

/// What holds where nothing is said.
const INTERVAL: Duration = Duration::from_secs(60);

/// Whether the job's timeout is longer than its interval. The second value is `global` of the main file.
pub(super) fn times_out_late(job: &Yaml, global: Option<&Yaml>) -> bool {
    let of = |node: &Yaml, key| node.get(key).and_then(Yaml::text).and_then(duration);
    let set = |duration: &Duration| !duration.is_zero(); // zero is unset
    let interval = of(job, "scrape_interval").filter(set);
    let interval = interval.or_else(|| of(global?, "scrape_interval").filter(set));
    of(job, "scrape_timeout").is_some_and(|timeout| timeout > interval.unwrap_or(INTERVAL))
}

/// A duration as Prometheus writes it, such as `1h30m`; nothing, if it is none.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut sum, mut next) = (text, 0_u64, 0);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters =
            after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let at = next + UNITS[next..].iter().position(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(UNITS[at].1)?)?;
        (rest, next) = (after, at + 1); // each unit once, in that order
    }
    (!text.is_empty()).then(|| Duration::from_millis(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("15s", 15_000),
            ("1h30m", 5_400_000),
            ("1m500ms", 60_500),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "1", "1m1h", "1s1s", "-1s", "1.5s", "1 s", "99999999999999999999y"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_interval_may_be_that_of_another_file() {
        for (job, global, late) in [
            ("{scrape_timeout: 20s, scrape_interval: 30s}", "{scrape_interval: 10s}", false),
            ("{scrape_timeout: 20s, scrape_interval: 10s}", "{}", true),
            ("{scrape_timeout: 20s}", "{scrape_interval: 10s}", true),
            ("{scrape_timeout: 20s, scrape_interval: '0'}", "{scrape_interval: 10s}", true),
            ("{scrape_timeout: 20s}", "{scrape_interval: 20s}", false),
            ("{scrape_timeout: 61s}", "{}", true),
            ("{scrape_interval: 5s}", "{scrape_timeout: 10s}", false), // Prometheus shortens that one
            ("{scrape_timeout: $(TIMEOUT)}", "{}", false),
        ] {
            let (job, global) = (yaml::read(job).unwrap(), yaml::read(global).unwrap());
            assert_eq!(times_out_late(&job, Some(&global)), late, "{job} {global}");
        }
    }
}
