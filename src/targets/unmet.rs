//! Why a selector does not select an object, for people.

use super::fields::{self, Selectable};
use super::query::Selector;

// === impl Selector ===

impl Selector {
    /// Each of its terms that the object does not meet, and what the object has in its place: `app=web (it has
    /// app=db)`, `tier (it has no label tier)`. None, if it is selected.
    pub fn unmet<T: Selectable>(&self, object: &T) -> Vec<String> {
        let labels = &object.meta().labels;
        let of_labels = self.label.unmet(labels).map(|(key, term)| match labels.get(key) {
            Some(value) => format!("{term} (it has {key}={value})"),
            None => format!("{term} (it has no label {key})"),
        });
        let field = |name: &str| fields::value(object, name);
        let of_fields =
            self.field.unmet(field).map(|(name, term)| match fields::value(object, name) {
                "" => format!("{term} (its {name} is empty)"),
                value => format!("{term} (its {name} is {value})"),
            });
        of_labels.chain(of_fields).collect()
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Metadata, Pod};
    use crate::selector::{FieldSelector, LabelSelector};

    #[test]
    fn each_term_that_is_not_met() {
        let labels = [("app", "db"), ("tier", "back")].into_iter().collect();
        let meta = Metadata { labels, ..Metadata::default() };
        let pod = Pod { meta, phase: "Running".into(), ..Pod::default() };
        for (label, field, expected) in [
            ("", "", &[][..]),
            ("app=db,tier in (back, x)", "status.phase=Running", &[]),
            ("app=web,tier", "", &["app=web (it has app=db)"]),
            ("zone,!app", "", &["!app (it has app=db)", "zone (it has no label zone)"]),
            ("", "status.phase!=Running", &["status.phase!=Running (its status.phase is Running)"]),
            ("", "spec.nodeName=a", &["spec.nodeName=a (its spec.nodeName is empty)"]),
        ] {
            let selector = Selector {
                label: LabelSelector::parse(label).unwrap(),
                field: FieldSelector::parse(field).unwrap(),
            };
            assert_eq!(selector.unmet(&pod), expected, "{label:?} {field:?}");
        }
    }
}
