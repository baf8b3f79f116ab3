//! Why a selector is malformed.

/// The text is no selector. Each message names the offending part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSelector {
    /// The label selector has something else where it must have `expected`.
    #[error("found {found:?}, expected {expected}")]
    Unexpected {
        /// The token; empty at the end of the text.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// No valid label key.
    #[error("label key {key:?} is invalid: {why}")]
    Key {
        /// The key.
        key: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// No valid label value.
    #[error("value {value:?} of label {key:?} is invalid: {why}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// A term of a field selector without an operator.
    #[error("term {0:?} has no operator: use field=value or field!=value")]
    NoOperator(String),
    /// A field value in which `,`, `=` or `\` stands unescaped.
    #[error(r"value in term {0:?} is not escaped: write \\, \, and \= for backslash, comma and =")]
    NotEscaped(String),
}
