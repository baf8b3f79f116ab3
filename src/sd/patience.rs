//! How long a caller can wait.

use std::time::Duration;

/// What a caller that does not say its refresh interval is expected to wait: people, mostly.
const WITHOUT_INTERVAL: Duration = Duration::from_secs(5);

/// Kept free at the end of the interval for writing the answer and for the time that passed
/// before the request was read: the whole exchange must end within the interval.
const MARGIN: Duration = Duration::from_millis(500);

/// No request is kept longer. Below [`crate::demand::UNUSED_AFTER`], since a watch that nobody
/// has asked for meanwhile would be closed under the request that waits for it.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How long a request may be kept, from the value of the header
/// `X-Prometheus-Refresh-Interval-Seconds` (a decimal number, fractions possible). One that is
/// no such number counts as missing.
pub fn patience(refresh_interval: Option<&str>) -> Duration {
    let Some(interval) = refresh_interval
        .and_then(|value| value.trim().parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    else {
        return WITHOUT_INTERVAL;
    };
    interval.saturating_sub(MARGIN).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_a_margin() {
        for (header, seconds) in [
            (None, 5.0),
            (Some("10"), 9.5),
            (Some("0.75"), 0.25),
            (Some("0.5"), 0.0),
            (Some("0"), 0.0),
            (Some("86400"), 600.0),
            (Some("-1"), 5.0),
            (Some("NaN"), 5.0),
            (Some("1e300"), 5.0),
            (Some("soon"), 5.0),
            (Some(""), 5.0),
        ] {
            assert_eq!(patience(header), Duration::from_secs_f64(seconds), "{header:?}");
        }
    }
}
