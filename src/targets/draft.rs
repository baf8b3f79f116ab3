//! Targets in the making: labels and what they came from.
//!
//! Rules of `discovery/kubernetes/kubernetes.go` that hold for every role: the prefix of label
//! names, the labels of an object's metadata, and how keys become label names.

use super::target::{Labels, ObjectRef, Target};
use crate::objects::{Metadata, ObjectKey, Service};
use std::sync::Arc;

const PREFIX: &str = "__meta_kubernetes_";

/// A part of a target: what a group, an endpoint, a Pod or a port adds. Each is drafted once and
/// goes into many targets; text is shared and nothing is sorted before the end. A later step
/// overrides an earlier one.
#[derive(Debug, Default)]
pub(super) struct Draft {
    labels: Vec<(Arc<str>, Arc<str>)>,
    sources: Vec<ObjectRef>,
}

// === impl Draft ===

impl Draft {
    /// Sets the label `__meta_kubernetes_<name>`.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.put([PREFIX, name].concat(), value);
    }

    /// Sets the label `__meta_kubernetes_<stem>_<key>`, the key sanitised.
    pub(super) fn set_keyed(&mut self, stem: &str, key: &str, value: &str) {
        self.put([PREFIX, stem, "_", &sanitized(key)].concat(), value);
    }

    /// Sets a label without prefix.
    pub(super) fn set_plain(&mut self, name: &str, value: &str) {
        self.put(name.to_owned(), value);
    }

    /// Sets the labels for the name, the labels and the annotations of an object.
    pub(super) fn set_metadata(&mut self, resource: &str, meta: &Metadata) {
        self.set(&format!("{resource}_name"), &meta.key.name);
        self.set_labels_and_annotations(resource, meta);
    }

    /// Sets the labels of the Service behind endpoints, if it is known.
    pub(super) fn set_service(&mut self, service: Option<&Service>) {
        if let Some(service) = service {
            self.set_metadata("service", &service.meta);
            self.made_from("Service", &service.meta.key);
        }
    }

    /// Sets the labels for the labels and the annotations of an object. Of two keys that become
    /// one name the greater wins, where upstream picks at random.
    pub(super) fn set_labels_and_annotations(&mut self, resource: &str, meta: &Metadata) {
        for (kind, pairs) in [("label", &meta.labels), ("annotation", &meta.annotations)] {
            let (value_stem, presence_stem) =
                (format!("{resource}_{kind}"), format!("{resource}_{kind}present"));
            for (key, value) in pairs.iter() {
                self.set_keyed(&value_stem, key, value);
                self.set_keyed(&presence_stem, key, "true");
            }
        }
    }

    /// Notes that the labels depend on that object.
    pub(super) fn made_from(&mut self, kind: &'static str, key: &ObjectKey) {
        let key = key.clone();
        self.sources.push(ObjectRef { kind, key });
    }

    fn put(&mut self, name: String, value: &str) {
        self.labels.push((name.into(), value.into()));
    }
}

/// The target that these make together, at that address.
pub(super) fn target_of(drafts: &[&Draft], address: String) -> Target {
    let all = drafts.iter().flat_map(|draft| &draft.labels);
    let mut labels: Labels = all.cloned().collect(); // of equal names the last
    labels.retain(|_, value| !value.is_empty()); // the same as no label
    Target {
        address,
        labels,
        sources: drafts.iter().flat_map(|draft| draft.sources.iter().cloned()).collect(),
    }
}

/// Host and port as one address; a host with colons is bracketed (Go's `net.JoinHostPort`).
pub(super) fn join_host_port(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The key as part of a label name: each character that may not stand there becomes one `_`
/// (Prometheus' `strutil.SanitizeLabelName`).
fn sanitized(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitizing() {
        for (key, expected) in [
            ("app.kubernetes.io/name", "app_kubernetes_io_name"),
            ("Camel-Case", "Camel_Case"),
            ("a__b", "a__b"),
            ("0ä€", "0__"),
            ("", ""),
        ] {
            assert_eq!(sanitized(key), expected, "{key:?}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(join_host_port("10.0.0.1", 80), "10.0.0.1:80");
        assert_eq!(join_host_port("fd00::1", 80), "[fd00::1]:80");
    }

    #[test]
    fn of_colliding_keys_the_greater_wins_even_if_empty() {
        let with = |pairs: [(&str, &str); 2]| {
            let mut draft = Draft::default();
            let meta = Metadata { labels: pairs.into_iter().collect(), ..Metadata::default() };
            draft.set_labels_and_annotations("pod", &meta);
            let labels = target_of(&[&draft], String::new()).labels;
            labels.into_iter().collect::<Vec<_>>()
        };
        let label = |name: &str, value: &str| (format!("{PREFIX}{name}").into(), value.into());
        let present = label("pod_labelpresent_a_b", "true");
        assert_eq!(
            with([("a.b", "dot"), ("a-b", "dash")]),
            [label("pod_label_a_b", "dot"), present.clone()]
        );
        assert_eq!(with([("a.b", ""), ("a-b", "dash")]), [present]);
    }
}
