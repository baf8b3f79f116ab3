//! Kubernetes selectors: parsing and matching, as `k8s.io/apimachinery/pkg/labels` and
//! `.../pkg/fields` do it.
//!
//! The sidecar evaluates selectors itself instead of opening a watch for each, so what the API
//! server would accept must be accepted here, what it would refuse refused, and what it would
//! match matched. Equal meaning, written with other spacing or in another order, gives equal
//! values. Which fields a kind has is not known here.

mod field;
mod label;
mod label_parser;
mod malformed;
mod qualified;

pub use field::FieldSelector;
pub use label::LabelSelector;
pub use malformed::MalformedSelector;
