//! The text in which Prometheus' clients show metrics.

/// Metrics at one moment.
pub(crate) struct Metrics(pub(crate) String);

// === impl Metrics ===

impl Metrics {
    /// The sum of the samples of a metric that have all these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = self.0.lines().filter_map(|line| line.strip_prefix(name));
        let samples = of_name.filter(|rest| {
            rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label))
        });
        samples.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Open watches, as an API server counts them.
    pub(crate) fn watches(&self) -> f64 {
        self.sum("apiserver_longrunning_requests", &["verb=\"WATCH\""])
    }
}
