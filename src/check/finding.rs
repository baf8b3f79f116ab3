//! What was found out about an object, a field or a monitor.

use crate::operator::{Manifest, Source};

/// What is said, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As in StatefulSet mode.
    Fine,
    /// A monitor that the nodes' agents scrape.
    Taken,
    /// Something to know, above all what was not seen and is not judged.
    Note,
    /// A monitor whose targets belong to no node.
    Complement,
    /// It has an effect, and not the one that is meant.
    Half,
    /// It has no effect.
    Ignored,
    /// A rule that says nothing when a node dies.
    Silent,
    /// A monitor that nobody in the set takes.
    Left,
    /// The API server refuses it.
    Refused,
    /// Prometheus or the operator refuses what is made of it.
    Breaks,
    /// Two objects that do not fit together.
    Conflict,
    /// A right that is missing.
    Forbidden,
    /// It could not be found out.
    Unknown,
}

/// What a verdict means for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to do.
    Fine,
    /// Worth a look.
    Warning,
    /// It could not be found out.
    Unknown,
    /// A negative verdict.
    Negative,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In a word.
    pub verdict: Verdict,
    /// How much that matters: mostly as the verdict has it.
    pub severity: Severity,
    /// The object; empty if it is about none.
    pub object: String,
    /// Where the object is.
    pub source: Source,
    /// The field; empty if it is about the whole object.
    pub field: String,
    /// Why.
    pub why: String,
    /// What to do; empty if nothing is.
    pub instead: String,
}

// === impl Verdict ===

impl Verdict {
    /// In the output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Taken => "taken",
            Self::Note => "note",
            Self::Complement => "complement",
            Self::Half => "half",
            Self::Ignored => "ignored",
            Self::Silent => "silent",
            Self::Left => "left",
            Self::Refused => "refused",
            Self::Breaks => "breaks",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::Unknown => "unknown",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::Fine | Self::Taken | Self::Note | Self::Complement => Severity::Fine,
            Self::Half | Self::Ignored | Self::Silent | Self::Left => Severity::Warning,
            Self::Refused | Self::Breaks | Self::Conflict | Self::Forbidden => Severity::Negative,
            Self::Unknown => Severity::Unknown,
        }
    }
}

// === impl Severity ===

impl Severity {
    /// In the output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Negative => "negative",
        }
    }
}

// === impl Finding ===

impl Finding {
    /// About an object.
    pub(super) fn of(verdict: Verdict, object: &Manifest, field: impl Into<String>) -> Self {
        Self {
            object: object.to_string(),
            source: object.source.clone(),
            field: field.into(),
            ..Self::without_object(verdict)
        }
    }

    /// Something that could not be found out at all.
    pub fn unknown(why: impl Into<String>, instead: impl Into<String>) -> Self {
        Self::without_object(Verdict::Unknown).because(why).instead(instead)
    }

    /// An object that is there before.
    pub(super) fn twice(object: &Manifest, first: &Manifest) -> Self {
        let why = format!("it is in {} too, and that one is judged", first.source);
        Self::of(Verdict::Note, object, "").because(why)
    }

    fn without_object(verdict: Verdict) -> Self {
        Self {
            verdict,
            severity: verdict.severity(),
            object: String::new(),
            source: Source::default(),
            field: String::new(),
            why: String::new(),
            instead: String::new(),
        }
    }

    /// Says why.
    pub(super) fn because(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    /// Says what to do.
    pub(super) fn instead(self, instead: impl Into<String>) -> Self {
        Self { instead: instead.into(), ..self }
    }

    /// With more or less weight than the verdict mostly has.
    pub(super) fn weighing(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}
