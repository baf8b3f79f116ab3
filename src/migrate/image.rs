//! The image of Prometheus.

use super::old::Old;
use super::shadow;

/// What the operator takes if nothing else is said.
const BASE: &str = "quay.io/prometheus/prometheus";

/// The image that the operator takes for the old one (`BuildImagePath` in its `pkg/operator/image.go`).
pub(super) fn of(old: &Old) -> String {
    if let Some(image) = given(old, "image") {
        return image.to_owned();
    }
    let base = given(old, "baseImage").unwrap_or(BASE);
    if base.contains('@') || base.rsplit('/').next().is_some_and(|name| name.contains(':')) {
        return base.to_owned();
    }
    if let Some(sha) = given(old, "sha") {
        return format!("{base}@sha256:{sha}");
    }
    format!("{base}:{}", given(old, "tag").map_or_else(|| version(old), str::to_owned))
}

/// The version that the operator renders for, with the `v` that the images' tags have.
pub(super) fn version(old: &Old) -> String {
    let version = given(old, "version").map_or_else(shadow::version, str::to_owned);
    format!("v{}", version.trim_start_matches('v'))
}

fn given<'a>(old: &'a Old, field: &str) -> Option<&'a str> {
    old.text(field).filter(|text| !text.trim().is_empty())
}
