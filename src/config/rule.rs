//! A relabelling rule, and what Prometheus asks of one (`model/relabel/relabel.go` of 3.16).

use super::regex::{self, RegexError};
use crate::yaml::Yaml;

/// A rule, with Prometheus' defaults where a key is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) action: String,
    pub(super) source_labels: Vec<String>,
    pub(super) separator: String,
    pub(super) regex: String,
    pub(super) modulus: String,
    pub(super) target_label: String,
    pub(super) replacement: String,
}

/// Why Prometheus would refuse a rule, and with it the whole configuration.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// Not a mapping, or a value of a wrong type.
    #[error("{0} must be {1}")]
    Type(String, &'static str),
    /// A key that no version has.
    #[error("unknown key {0}")]
    UnknownKey(String),
    /// An action that no version has.
    #[error("unknown action {0:?}")]
    UnknownAction(String),
    /// A key that the action needs is missing or empty.
    #[error("action {action} needs {needs}")]
    Needs {
        /// The action.
        action: String,
        /// What it needs.
        needs: &'static str,
    },
    /// A key that the action cannot have.
    #[error("action {action} cannot have {key}")]
    CannotHave {
        /// The action.
        action: String,
        /// The key.
        key: &'static str,
    },
    /// An empty source label.
    #[error("a source label is empty")]
    SourceLabel,
    /// A regular expression that Go refuses.
    #[error("regex {0:?}: {1}")]
    Regex(String, RegexError),
}

const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";
const DEFAULT_SEPARATOR: &str = ";";
const NO_MODULUS: &str = "0";

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// If Prometheus would refuse it.
    pub(super) fn read(rule: &Yaml) -> Result<Self, RuleError> {
        let mut read = Self {
            action: "replace".to_owned(),
            source_labels: Vec::new(),
            separator: DEFAULT_SEPARATOR.to_owned(),
            regex: DEFAULT_REGEX.to_owned(),
            modulus: NO_MODULUS.to_owned(),
            target_label: String::new(),
            replacement: DEFAULT_REPLACEMENT.to_owned(),
        };
        let wrong = |key: &str, must_be| RuleError::Type(key.to_owned(), must_be);
        for (key, value) in rule.entries().ok_or_else(|| wrong("a rule", "a mapping"))? {
            let key = &*key.text;
            if value.is_null() {
                continue; // which leaves the default
            }
            if key == "source_labels" {
                let labels = value.items().ok_or_else(|| wrong(key, "a list"))?;
                let labels = labels.iter().map(|label| label.text().map(str::to_owned));
                let labels: Option<Vec<String>> = labels.collect();
                read.source_labels = labels.ok_or_else(|| wrong(key, "a list of strings"))?;
                continue;
            }
            let field = match key {
                "action" => &mut read.action,
                "separator" => &mut read.separator,
                "regex" => &mut read.regex,
                "modulus" => &mut read.modulus,
                "target_label" => &mut read.target_label,
                "replacement" => &mut read.replacement,
                _ => return Err(RuleError::UnknownKey(key.to_owned())),
            };
            value.text().ok_or_else(|| wrong(key, "a string"))?.clone_into(field);
        }
        read.action = read.action.to_lowercase();
        read.modulus.parse::<u64>().map_err(|_| wrong("modulus", "a whole number"))?;
        read.check()?;
        Ok(read)
    }

    /// The label that it surely writes, and no other.
    pub(super) fn written_label(&self) -> Option<&str> {
        let writes = matches!(&*self.action, "replace" | "hashmod" | "lowercase" | "uppercase");
        (writes && !self.target_label.contains('$')).then_some(&*self.target_label)
    }

    /// Whether it adds labels that it does not name.
    pub(super) fn adds_any_label(&self) -> bool {
        self.action == "labelmap" || self.action == "replace" && self.target_label.contains('$')
    }

    /// Whether it changes labels that it does not name.
    pub(super) fn writes_any_label(&self) -> bool {
        self.adds_any_label() || matches!(&*self.action, "labeldrop" | "labelkeep")
    }

    /// The labels that it reads.
    pub(super) fn read_labels(&self) -> impl Iterator<Item = &str> {
        let compared = matches!(&*self.action, "keepequal" | "dropequal");
        let target = compared.then_some(&*self.target_label);
        self.source_labels.iter().map(String::as_str).chain(target)
    }

    fn check(&self) -> Result<(), RuleError> {
        let needs = |needs| RuleError::Needs { action: self.action.clone(), needs };
        let refuse = |set: bool, key| {
            let action = self.action.clone();
            if set { Err(RuleError::CannotHave { action, key }) } else { Ok(()) }
        };
        if self.source_labels.iter().any(String::is_empty) {
            return Err(RuleError::SourceLabel);
        }
        regex::check(&self.regex).map_err(|error| RuleError::Regex(self.regex.clone(), error))?;
        let has_target = !self.target_label.is_empty();
        let modulus = self.modulus.parse() != Ok(0_u64);
        let separator = self.separator != DEFAULT_SEPARATOR;
        let replacement = self.replacement != DEFAULT_REPLACEMENT;
        match &*self.action {
            "labelmap" if self.replacement.is_empty() => Err(needs("a replacement")),
            "labeldrop" | "labelkeep" => {
                refuse(!self.source_labels.is_empty(), "source_labels")?;
                refuse(has_target, "target_label")?;
                refuse(modulus, "modulus")?;
                refuse(separator, "separator")?;
                refuse(replacement, "replacement")
            }
            "hashmod" if !modulus => Err(needs("a modulus other than 0")),
            "replace" | "hashmod" | "lowercase" | "uppercase" | "keepequal" | "dropequal"
                if !has_target =>
            {
                Err(needs("target_label"))
            }
            "keep" | "drop" | "labelmap" | "replace" | "hashmod" => Ok(()),
            "lowercase" | "uppercase" => refuse(replacement, "replacement"),
            "keepequal" | "dropequal" => {
                refuse(self.regex != DEFAULT_REGEX, "regex")?;
                refuse(modulus, "modulus")?;
                refuse(separator, "separator")?;
                refuse(replacement, "replacement")
            }
            _ => Err(RuleError::UnknownAction(self.action.clone())),
        }
    }
}
