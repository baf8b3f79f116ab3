//! What a job's `relabel_configs` make of a target, as Prometheus does it (`model/relabel/relabel.go` of 3.16).

use super::regex;
use super::rule::Rule;
use crate::yaml::Yaml;
use regex_lite::{Captures, Regex};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Labels by name; none has an empty value.
pub type Labels = BTreeMap<String, String>;

/// The rules of a job.
#[derive(Debug)]
pub struct Relabelling(Vec<Compiled>);

/// Expressions that were compiled; most are those of other jobs too.
#[derive(Debug, Default)]
pub struct Expressions(HashMap<String, Option<Arc<Regex>>>);

/// The rule that drops a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its number among the rules of the job, from 1.
    pub number: usize,
    /// What it says, and to what value.
    pub rule: String,
}

#[derive(Debug)]
struct Compiled {
    /// From 1.
    number: usize,
    rule: Rule,
    /// Nothing, if the crate has no equal of it (classes of Unicode).
    regex: Option<Arc<Regex>>,
}

// === impl Expressions ===

impl Expressions {
    fn get(&mut self, expression: &str) -> Option<Arc<Regex>> {
        if let Some(known) = self.0.get(expression) {
            return known.clone();
        }
        // Anchored at both ends; the dot is any character, since 3.0.
        let anchored = format!("^(?s:{})$", regex::in_our_syntax(expression));
        let compiled = Regex::new(&anchored).ok().map(Arc::new);
        self.0.insert(expression.to_owned(), compiled.clone());
        compiled
    }
}

// === impl Relabelling ===

impl Relabelling {
    /// The rules of a job. One that Prometheus would refuse is passed over.
    pub fn of(job: &Yaml, expressions: &mut Expressions) -> Self {
        let rules = job.get("relabel_configs").and_then(Yaml::items).unwrap_or_default();
        let rules = rules.iter().zip(1..);
        let rules = rules.filter_map(|(rule, number)| Some((number, Rule::read(rule).ok()?)));
        let compiled = |(number, rule): (_, Rule)| Compiled {
            number,
            regex: expressions.get(&rule.regex),
            rule,
        };
        Self(rules.map(compiled).collect())
    }

    /// What they make of the labels; nothing, if they drop the target. A rule whose expression cannot be told
    /// changes nothing.
    pub fn apply(&self, mut labels: Labels) -> Option<Labels> {
        self.first_to_drop(&mut labels).is_none().then_some(labels)
    }

    /// The same, and which rule drops the target.
    ///
    /// # Errors
    /// If one does.
    pub fn judge(&self, mut labels: Labels) -> Result<Labels, Dropped> {
        match self.first_to_drop(&mut labels) {
            None => Ok(labels),
            Some(Compiled { number, rule, .. }) => {
                Err(Dropped { number: *number, rule: said_of(rule, &labels) })
            }
        }
    }

    /// The numbers of the rules whose expressions cannot be told.
    pub fn untold(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter(|rule| rule.regex.is_none()).map(|rule| rule.number)
    }

    /// The rule that drops the target; nothing, if it is kept. Makes the labels what they are then.
    fn first_to_drop(&self, labels: &mut Labels) -> Option<&Compiled> {
        labels.retain(|_, value| !value.is_empty());
        let known = |rule: &&Compiled| rule.regex.is_some();
        self.0.iter().filter(known).find(|rule| {
            rule.regex.as_deref().is_some_and(|regex| !apply(&rule.rule, regex, labels))
        })
    }
}

/// A rule that looks at values, and the value that it sees.
fn said_of(rule: &Rule, labels: &Labels) -> String {
    let value = value_of(rule, labels);
    let sources = rule.source_labels.join(", ");
    match &*rule.action {
        "keepequal" | "dropequal" => {
            let (target, other) = (&rule.target_label, get(labels, &rule.target_label));
            format!("{} of [{sources}] and {target}: {value:?} and {other:?}", rule.action)
        }
        action => format!("{action} [{sources}] by regex {:?}: the value is {value:?}", rule.regex),
    }
}

/// What a rule looks at.
fn value_of(rule: &Rule, labels: &Labels) -> String {
    let values = rule.source_labels.iter().map(|name| get(labels, name));
    values.collect::<Vec<_>>().join(&rule.separator)
}

/// Whether the target is still there.
fn apply(rule: &Rule, regex: &Regex, labels: &mut Labels) -> bool {
    let value = || value_of(rule, labels);
    match &*rule.action {
        "keep" => return regex.is_match(&value()),
        "drop" => return !regex.is_match(&value()),
        "keepequal" => return value() == get(labels, &rule.target_label),
        "dropequal" => return value() != get(labels, &rule.target_label),
        "replace" => {
            let value = value();
            if let Some(captures) = regex.captures(&value) {
                let name = expand(&captures, &rule.target_label);
                // From 3.0 on any UTF-8 is a name.
                if !name.is_empty() {
                    set(labels, &name, expand(&captures, &rule.replacement));
                }
            }
        }
        "lowercase" => set(labels, &rule.target_label, value().to_lowercase()),
        "uppercase" => set(labels, &rule.target_label, value().to_uppercase()),
        "hashmod" => {
            let digest = md5::compute(value());
            let last = u64::from_be_bytes(digest[8..].try_into().expect("it has sixteen bytes"));
            let modulus: u64 = rule.modulus.parse().unwrap_or_default();
            if let Some(rest) = last.checked_rem(modulus) {
                set(labels, &rule.target_label, rest.to_string());
            }
        }
        "labelmap" => {
            let mapped = labels.iter().filter_map(|(name, value)| {
                Some((expand(&regex.captures(name)?, &rule.replacement), value.clone()))
            });
            for (name, value) in mapped.collect::<Vec<_>>() {
                set(labels, &name, value);
            }
        }
        "labeldrop" => labels.retain(|name, _| !regex.is_match(name)),
        "labelkeep" => labels.retain(|name, _| regex.is_match(name)),
        _ => {}
    }
    true
}

fn get<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

/// An empty value is no label.
fn set(labels: &mut Labels, name: &str, value: String) {
    if value.is_empty() {
        labels.remove(name);
    } else {
        labels.insert(name.to_owned(), value);
    }
}

/// A template of Go's: `$1`, `${1}`, `$name` and `$$`, as the crate has them.
fn expand(captures: &Captures<'_>, template: &str) -> String {
    let mut expanded = String::new();
    captures.expand(template, &mut expanded);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn labels(text: &str) -> Labels {
        let pairs = text.split(',').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn the_rule_that_drops_is_named() {
        for (rules, expected) in [
            (
                "{target_label: b, replacement: x}, {source_labels: [a, b], regex: 'foo;y', action: keep}",
                Some((2, r#"keep [a, b] by regex "foo;y": the value is "foo;x""#)),
            ),
            (
                "{source_labels: [a], regex: 'fo.', action: drop}, {source_labels: [a], regex: no, action: keep}",
                Some((1, r#"drop [a] by regex "fo.": the value is "foo""#)),
            ),
            // One that Prometheus refuses has a number, too.
            (
                "{action: none}, {source_labels: [a], target_label: c, action: keepequal}",
                Some((2, r#"keepequal of [a] and c: "foo" and """#)),
            ),
            ("{source_labels: [a], regex: foo, action: keep}", None),
        ] {
            let job = yaml::read(&format!("relabel_configs: [{rules}]")).unwrap();
            let relabelling = Relabelling::of(&job, &mut Expressions::default());
            let dropped = relabelling.judge(labels("a=foo")).err();
            let dropped = dropped.as_ref().map(|dropped| (dropped.number, &*dropped.rule));
            assert_eq!(dropped, expected, "{rules}");
        }
    }

    /// Mostly from Prometheus' `TestRelabel`.
    #[test]
    fn rules() {
        for (before, rules, after) in [
            (
                "a=foo,b=bar",
                "{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}",
                Some("a=foo,b=bar,d=choo-choo"),
            ),
            (
                "a=foo,b=bar",
                "{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}, \
                {source_labels: [c, a], regex: '(b).*b(.*)ba(.*)', target_label: d, replacement: '$1$2$2$3'}",
                Some("a=boobam,b=bar"),
            ),
            (
                "a=foo",
                "{source_labels: [a], regex: '.*o.*', action: drop}, {source_labels: [a], target_label: d}",
                None,
            ),
            ("a=foo", "{source_labels: [a], regex: no-match, action: drop}", Some("a=foo")),
            ("a=foo", "{source_labels: [a], regex: 'f|o', action: drop}", Some("a=foo")), // anchored
            ("a=foo", "{source_labels: [a], regex: no-match, action: keep}", None),
            ("a=foo", "{source_labels: [a], regex: 'f.*', action: keep}", Some("a=foo")),
            (
                "a=foo",
                "{source_labels: [b], regex: '', target_label: c, replacement: x}",
                Some("a=foo,c=x"),
            ),
            ("a=boo", "{source_labels: [a], regex: '(f).*', target_label: b}", Some("a=boo")),
            ("a=foo,b=x", "{source_labels: [a], regex: '(x)?foo', target_label: b}", Some("a=foo")), // an empty value
            ("a=foo", "{target_label: b, replacement: x}", Some("a=foo,b=x")),
            (
                "a=foo,b=bar,c=baz",
                "{source_labels: [c], target_label: d, separator: ';', action: hashmod, modulus: 1000}",
                Some("a=foo,b=bar,c=baz,d=976"),
            ),
            (
                "a=foo\nbar",
                "{source_labels: [a], target_label: d, separator: ';', action: hashmod, modulus: 1000}",
                Some("a=foo\nbar,d=734"),
            ),
            (
                "a=foo,b1=bar,b2=baz",
                "{regex: '(b.*)', replacement: 'bar_${1}', action: labelmap}",
                Some("a=foo,b1=bar,b2=baz,bar_b1=bar,bar_b2=baz"),
            ),
            (
                "a=foo,__meta_my_bar=aaa,__meta_my_baz=bbb",
                "{regex: '__meta_(my.*)', action: labelmap}",
                Some("a=foo,__meta_my_bar=aaa,__meta_my_baz=bbb,my_bar=aaa,my_baz=bbb"),
            ),
            ("a=foo,b1=bar,b2=baz", "{regex: '(b.*)', action: labeldrop}", Some("a=foo")),
            ("a=foo,b1=bar", "{regex: '(b.*)', action: labelkeep}", Some("b1=bar")),
            (
                "a=fOo",
                "{source_labels: [a], target_label: u, action: uppercase}, {source_labels: [a], target_label: l, action: lowercase}",
                Some("a=fOo,l=foo,u=FOO"),
            ),
            (
                "a=x,b=x",
                "{source_labels: [a], target_label: b, action: keepequal}",
                Some("a=x,b=x"),
            ),
            ("a=x,b=y", "{source_labels: [a], target_label: b, action: keepequal}", None),
            ("a=x,b=x", "{source_labels: [a], target_label: b, action: dropequal}", None),
            (
                "a=some-name-value",
                "{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}'}",
                Some("a=some-name-value,name=value"),
            ),
            (
                "a=x",
                "{source_labels: [a], regex: '(.*)', target_label: b, replacement: '$$1'}",
                Some("a=x,b=$1"),
            ),
            ("a=a\nb", "{source_labels: [a], regex: 'a.b', action: keep}", Some("a=a\nb")),
            ("a=é", "{source_labels: [a], regex: '\\pL', action: drop}", Some("a=é")), // not known: nothing changes
        ] {
            let job = yaml::read(&format!("relabel_configs: [{rules}]")).unwrap();
            let relabelling = Relabelling::of(&job, &mut Expressions::default());
            assert_eq!(relabelling.apply(labels(before)), after.map(labels), "{before}: {rules}");
        }
    }
}
