//! Mean, 95th percentile and maximum.

use std::fmt;
use std::time::Duration;

/// Delays that were measured, in any order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delays(Vec<f64>);

// === impl Delays ===

impl Delays {
    pub(crate) fn add(&mut self, delay: Duration) {
        self.0.push(delay.as_secs_f64());
    }

    /// The smallest that at least so many of a hundred do not exceed.
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

/// Columns of a table, in seconds: mean, 95th percentile, most.
impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = self.0.iter().sum::<f64>() / self.0.len() as f64;
        write!(f, "{mean:.2} | {:.2} | {:.2}", self.percentile(95), self.percentile(100))
    }
}
