//! Targets as lines of text, for expectations that one can read.

use nodelocal_sd::targets::Target;
use std::collections::BTreeMap;
use std::ops::Deref;

/// The address, then the labels whose names begin with one of `prefixes`; `""` shows all.
/// Names are shown without `__meta_kubernetes_`, the presence labels not at all.
pub(crate) fn line<S: Deref<Target = str>>(
    address: &str,
    labels: &BTreeMap<S, S>,
    prefixes: &[&str],
) -> String {
    let mut line = address.to_owned();
    for (name, value) in labels {
        let (name, value) = (&**name, &**value);
        let name = name.strip_prefix("__meta_kubernetes_").unwrap_or(name);
        let shown = prefixes.iter().any(|prefix| name.starts_with(prefix));
        if shown && name != "__address__" && !name.contains("present_") {
            line.push_str(&format!(" {name}={value}"));
        }
    }
    line
}

/// One line per target.
pub(crate) fn lines(targets: &[Target], prefixes: &[&str]) -> Vec<String> {
    targets.iter().map(|target| line(&target.address, &target.labels, prefixes)).collect()
}
