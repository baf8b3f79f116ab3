//! Where certificate files lie.

use crate::yaml::Yaml;

/// Where prometheus-operator says that they lie.
const OPERATORS: &str = "/etc/prometheus/certs/";

/// The keys whose value is such a file.
const KEYS: [&str; 3] = ["ca_file", "cert_file", "key_file"];

/// Lets the certificates that a job names as the operator's lie in that folder.
pub(super) fn map(job: &mut Yaml, folder: &str) {
    match job {
        Yaml::Scalar(_) => {}
        Yaml::Sequence(items) => items.iter_mut().for_each(|item| map(item, folder)),
        Yaml::Mapping(entries) => {
            for (key, value) in entries {
                let file = match value {
                    Yaml::Scalar(scalar) if KEYS.contains(&&*key.text) => {
                        scalar.text.strip_prefix(OPERATORS).map(str::to_owned)
                    }
                    _ => None,
                };
                match file {
                    Some(file) => {
                        *value = Yaml::string(format!("{}/{file}", folder.trim_end_matches('/')));
                    }
                    None => map(value, folder),
                }
            }
        }
    }
}
