//! What became of fields that are not simply carried.

/// What became of a field, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The field, from `spec` on.
    pub field: String,
    /// How much it matters.
    pub weight: Weight,
    /// What, and why.
    pub why: String,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Something would be lost: to be looked at before the first step.
    First,
    /// It is not carried.
    Dropped,
    /// It is carried in another way.
    Changed,
}

// === impl Note ===

impl Note {
    pub(super) fn new(field: &str, weight: Weight, why: impl Into<String>) -> Self {
        Self { field: format!("spec.{field}"), weight, why: why.into() }
    }
}
