//! The labels that a target has when the rules of its job begin.

use super::relabelling::Labels;
use crate::targets::Target;
use crate::yaml::Yaml;

/// What is discovered, and what the job says of all its targets. A target's own label wins.
pub fn initial_labels(target: &Target, job: &Yaml) -> Labels {
    let discovered =
        target.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let said = |key: &str, otherwise: &str| {
        let said = job.get(key).and_then(Yaml::text).filter(|text| !text.is_empty());
        said.unwrap_or(otherwise).to_owned()
    };
    let usual = [
        ("__address__", target.address.clone()),
        ("job", said("job_name", "")),
        ("__scheme__", said("scheme", "http")),
        ("__metrics_path__", said("metrics_path", "/metrics")),
    ];
    let usual = usual.map(|(name, value)| (name.to_owned(), value));
    usual.into_iter().chain(discovered).collect()
}
