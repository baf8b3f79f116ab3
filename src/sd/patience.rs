//! How long a caller can wait: for a sync, and for another answer than the one it has.

use std::time::Duration;

/// What a caller that does not say its refresh interval is expected to wait: people, mostly.
const WITHOUT_INTERVAL: Duration = Duration::from_secs(5);

/// Kept free at the end of the interval for writing the answer and for the time that passed
/// before the request was read: the whole exchange must end within the interval.
const MARGIN: Duration = Duration::from_millis(500);

/// No request is kept longer. Below [`crate::demand::UNUSED_AFTER`], since a watch that nobody
/// has asked for meanwhile would be closed under the request that waits for it.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Below that less than half of the interval could be held, and such a caller polls often anyway.
const SHORTEST_HELD: Duration = Duration::from_secs(1);

/// What a byte of an answer adds to the margin: 20 MB a second, on a node whose CPUs are busy with other things.
const OF_A_BYTE: Duration = Duration::from_nanos(50);

/// What each request that is held already adds to the margin. The jobs of a Prometheus ask in the
/// same moment, so they would all have to be answered in the same moment too: this spreads 5,000 of
/// them over half a second.
const OF_A_HELD_REQUEST: Duration = Duration::from_micros(100);

/// The refresh interval, from the value of the header `X-Prometheus-Refresh-Interval-Seconds` (a
/// decimal number, fractions possible). One that is no such number counts as missing.
pub fn refresh_interval(header: Option<&str>) -> Option<Duration> {
    let seconds = header?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// How long a request may be kept until there is an answer at all.
pub fn patience(interval: Option<Duration>) -> Duration {
    let Some(interval) = interval else {
        return WITHOUT_INTERVAL;
    };
    interval.saturating_sub(MARGIN).min(LONGEST)
}

/// How long a request may be kept whose answer has not changed, from the moment in which it came. The
/// answer has `bytes` bytes, and so many requests are held already. `None`: not at all, as without an interval.
pub fn hold_time(interval: Option<Duration>, bytes: usize, held: usize) -> Option<Duration> {
    let interval = interval.filter(|interval| *interval >= SHORTEST_HELD)?;
    let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let margin = MARGIN + OF_A_BYTE * times(bytes) + OF_A_HELD_REQUEST * times(held);
    let time = interval.checked_sub(margin)?;
    (!time.is_zero()).then_some(time.min(LONGEST))
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
            let patience = patience(refresh_interval(header));
            assert_eq!(patience, Duration::from_secs_f64(seconds), "{header:?}");
        }
    }

    #[test]
    fn what_is_held_and_how_long() {
        for (seconds, bytes, held, time) in [
            (None, 0, 0, None),
            (Some(0.0), 0, 0, None),
            (Some(0.999), 0, 0, None),
            (Some(1.0), 0, 0, Some(0.5)),
            (Some(10.0), 0, 0, Some(9.5)),
            (Some(10.0), 20_000_000, 0, Some(8.5)),
            (Some(10.0), 0, 5_000, Some(9.0)),
            (Some(1.0), 10_000_000, 0, None), // there would be no time to write it
            (Some(1.0), 0, 5_000, None),
            (Some(1.0), usize::MAX, usize::MAX, None),
            (Some(86_400.0), 0, 0, Some(600.0)),
        ] {
            let interval = seconds.map(Duration::from_secs_f64);
            let expected = time.map(Duration::from_secs_f64);
            assert_eq!(hold_time(interval, bytes, held), expected, "{seconds:?} {bytes} {held}");
        }
    }
}
