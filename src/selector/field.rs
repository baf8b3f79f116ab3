//! Field selectors: `k8s.io/apimachinery/pkg/fields/selector.go`.

use super::malformed::MalformedSelector;
use std::fmt;

/// A parsed field selector; the default selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    /// All must hold. Sorted, without duplicates.
    terms: Box<[Term]>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Term {
    field: Box<str>,
    equal: bool,
    value: Box<str>,
}

// === impl FieldSelector ===

impl FieldSelector {
    /// Parses the Kubernetes syntax; the empty text selects everything. Blanks are part of what
    /// they stand in.
    ///
    /// # Errors
    /// If `fields.ParseSelector` of apimachinery would refuse it. Whether a kind has the fields
    /// is another question.
    pub fn parse(text: &str) -> Result<Self, MalformedSelector> {
        let mut terms = split_at_commas(text)
            .into_iter()
            .filter(|term| !term.is_empty())
            .map(Term::parse)
            .collect::<Result<Vec<_>, _>>()?;
        terms.sort_unstable();
        terms.dedup();
        Ok(Self { terms: terms.into() })
    }

    /// The names of the fields that it asks for.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| &*term.field)
    }

    /// Whether the fields match; `value` gives the value of a field.
    pub fn matches<'a>(&self, value: impl Fn(&str) -> &'a str) -> bool {
        self.terms.iter().all(|term| term.holds(value(&term.field)))
    }

    /// The terms that do not match: the field, and the term in its canonical form.
    pub fn unmet<'a>(
        &self,
        value: impl Fn(&str) -> &'a str,
    ) -> impl Iterator<Item = (&str, String)> {
        let unmet = self.terms.iter().filter(move |term| !term.holds(value(&term.field)));
        unmet.map(|term| (&*term.field, term.to_string()))
    }
}

/// The canonical form, which parses to an equal selector.
impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

fn split_at_commas(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let comma = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        comma
    })
    .collect()
}

// === impl Term ===

impl Term {
    fn holds(&self, value: &str) -> bool {
        (*self.value == *value) == self.equal
    }

    fn parse(term: &str) -> Result<Self, MalformedSelector> {
        let (field, equal, value) = split_at_operator(term)
            .ok_or_else(|| MalformedSelector::NoOperator(term.to_owned()))?;
        let value =
            unescaped(value).ok_or_else(|| MalformedSelector::NotEscaped(term.to_owned()))?;
        Ok(Self { field: field.into(), equal, value: value.into() })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.field)?;
        f.write_str(if self.equal { "=" } else { "!=" })?;
        for c in self.value.chars() {
            if matches!(c, '\\' | ',' | '=') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

/// Field, whether it must be equal, and the escaped value.
fn split_at_operator(term: &str) -> Option<(&str, bool, &str)> {
    let (field, value) = term.split_once('=')?; // each operator ends with the first of them
    Some(match field.strip_suffix('!') {
        Some(field) => (field, false, value),
        None => (field, true, value.strip_prefix('=').unwrap_or(value)),
    })
}

fn unescaped(value: &str) -> Option<String> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next().filter(|c| matches!(c, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matching() {
        let fields = |field: &str| match field {
            "spec.nodeName" => "n1",
            "odd" => r"a,b=\",
            _ => "",
        };
        for (text, matches) in [
            ("", true),
            (",", true),
            ("spec.nodeName=n1", true),
            ("spec.nodeName==n1", true),
            ("spec.nodeName!=n1", false),
            ("spec.nodeName!=n2,", true),
            ("status.phase=", true),
            ("spec.nodeName=n1,status.phase=Running", false),
            (r"odd=a\,b\=\\", true),
        ] {
            let selector = FieldSelector::parse(text).unwrap();
            assert_eq!(selector.matches(fields), matches, "{text:?}");
        }
    }

    #[test]
    fn refused() {
        for (text, error) in [
            ("a", MalformedSelector::NoOperator("a".to_owned())),
            ("a=b,c!d", MalformedSelector::NoOperator("c!d".to_owned())),
            ("a=b=c", MalformedSelector::NotEscaped("a=b=c".to_owned())),
            ("a===b", MalformedSelector::NotEscaped("a===b".to_owned())),
            (r"a=\x", MalformedSelector::NotEscaped(r"a=\x".to_owned())),
            (r"a=b\", MalformedSelector::NotEscaped(r"a=b\".to_owned())),
        ] {
            assert_eq!(FieldSelector::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn equal_meaning_is_an_equal_value() {
        assert_eq!(
            FieldSelector::parse("b!=2,a==1,a=1").unwrap(),
            FieldSelector::parse("a=1,b!=2").unwrap(),
        );
    }

    #[test]
    fn names_its_fields() {
        let selector = FieldSelector::parse("b!=2,a=1").unwrap();
        assert_eq!(selector.fields().collect::<Vec<_>>(), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn the_canonical_form_parses_to_the_same(text in r"[ab!=,\\ä]{0,16}") {
            if let Ok(selector) = FieldSelector::parse(&text) {
                prop_assert_eq!(FieldSelector::parse(&selector.to_string()), Ok(selector));
            }
        }
    }
}
