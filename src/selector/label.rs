//! Label selectors.

use super::label_parser;
use super::malformed::MalformedSelector;
use crate::objects::StringMap;
use std::fmt;

/// A parsed label selector; the default selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    /// All must hold. Sorted, without duplicates.
    requirements: Box<[Requirement]>,
}

/// One requirement on one label. `key=a` is `key in (a)`, `key!=a` is `key notin (a)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Requirement {
    pub(super) key: Box<str>,
    pub(super) condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Condition {
    Exists,
    DoesNotExist,
    /// Sorted, without duplicates, at least one.
    In(Box<[Box<str>]>),
    /// Sorted, without duplicates, at least one.
    NotIn(Box<[Box<str>]>),
    GreaterThan(i64),
    LessThan(i64),
}

// === impl LabelSelector ===

impl LabelSelector {
    /// Parses the Kubernetes syntax; the empty text selects everything.
    ///
    /// # Errors
    /// If `labels.Parse` of apimachinery would refuse it.
    pub fn parse(text: &str) -> Result<Self, MalformedSelector> {
        let mut requirements = label_parser::parse(text)?;
        requirements.sort_unstable();
        requirements.dedup();
        Ok(Self { requirements: requirements.into() })
    }

    /// Whether the labels match.
    pub fn matches(&self, labels: &StringMap) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.condition.holds(labels.get(&requirement.key)))
    }

    /// The requirements that the labels do not meet: the label, and the requirement in its canonical form.
    pub fn unmet(&self, labels: &StringMap) -> impl Iterator<Item = (&str, String)> {
        let fails =
            |requirement: &&Requirement| !requirement.condition.holds(labels.get(&requirement.key));
        let unmet = self.requirements.iter().filter(fails);
        unmet.map(|requirement| (&*requirement.key, requirement.to_string()))
    }
}

/// The canonical form, which parses to an equal selector.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

// === impl Requirement ===

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.condition {
            Condition::Exists => write!(f, "{key}"),
            Condition::DoesNotExist => write!(f, "!{key}"),
            Condition::In(values) => match &**values {
                [value] => write!(f, "{key}={value}"),
                values => write!(f, "{key} in ({})", values.join(",")),
            },
            Condition::NotIn(values) => match &**values {
                [value] => write!(f, "{key}!={value}"),
                values => write!(f, "{key} notin ({})", values.join(",")),
            },
            Condition::GreaterThan(bound) => write!(f, "{key}>{bound}"),
            Condition::LessThan(bound) => write!(f, "{key}<{bound}"),
        }
    }
}

// === impl Condition ===

impl Condition {
    fn holds(&self, value: Option<&str>) -> bool {
        let among = |values: &[Box<str>], value: &str| values.iter().any(|one| **one == *value);
        let number = || value?.parse::<i64>().ok();
        match self {
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
            Self::In(values) => value.is_some_and(|value| among(values, value)),
            Self::NotIn(values) => !value.is_some_and(|value| among(values, value)),
            Self::GreaterThan(bound) => number().is_some_and(|number| number > *bound),
            Self::LessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matching() {
        let labels: StringMap =
            [("app", "web"), ("empty", ""), ("size", "10")].into_iter().collect();
        for (text, matches) in [
            ("", true),
            ("app", true),
            ("other", false),
            ("!app", false),
            ("! other", true),
            ("app=web", true),
            ("app == web", true),
            ("app=", false),
            ("empty=", true),
            ("other=", false),
            ("app!=web", false),
            ("app!=db", true),
            ("other!=web", true),
            ("app in (db, web)", true),
            ("app in (db)", false),
            ("empty in ()", true),
            ("app notin (db,web)", false),
            ("other notin (db)", true),
            ("size>9", true),
            ("size > 10", false),
            ("size<11", true),
            ("app<11", false),
            ("other<11", false),
            ("app=web,size<5", false),
            ("app=web,size>5", true),
        ] {
            let selector = LabelSelector::parse(text).unwrap();
            assert_eq!(selector.matches(&labels), matches, "{text:?}");
        }
    }

    #[test]
    fn equal_meaning_is_an_equal_value() {
        for (one, other) in [
            ("a=b", " a == b "),
            ("a=b", "a in (b)"),
            ("a=b", "a in (b,b)"),
            ("a!=b", "a notin (b)"),
            ("a=", "a in ()"),
            ("a in (x,y)", "a in ( y , x )"),
            ("a,b", "b,a,b"),
            ("a>7", "a>07"),
        ] {
            let [one, other] = [one, other].map(|text| LabelSelector::parse(text).unwrap());
            assert_eq!(one, other);
        }
    }

    fn requirement() -> impl Strategy<Value = String> {
        let key = prop_oneof![Just("in"), Just("notin"), Just("a"), Just("x.io/B_c")];
        let value = || prop_oneof![Just(""), Just("in"), Just("v"), Just("0.1-x")];
        (key, value(), value(), any::<u32>()).prop_flat_map(|(key, a, b, n)| {
            prop::sample::select(vec![
                key.to_owned(),
                format!("!{key}"),
                format!("{key}={a}"),
                format!("{key}!={a}"),
                format!("{key} in ({a},{b})"),
                format!("{key} notin (x,{a})"),
                format!("{key}>{n}"),
                format!("{key}<{n}"),
            ])
        })
    }

    proptest! {
        #[test]
        fn the_canonical_form_parses_to_the_same(parts in prop::collection::vec(requirement(), 0..4)) {
            let selector = LabelSelector::parse(&parts.join(",")).unwrap();
            prop_assert_eq!(LabelSelector::parse(&selector.to_string()), Ok(selector));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "[ab/.=!<>(), in\\PC]{0,24}") {
            if let Ok(selector) = LabelSelector::parse(&text) {
                prop_assert_eq!(LabelSelector::parse(&selector.to_string()), Ok(selector));
            }
        }
    }
}
