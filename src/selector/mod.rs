//! Kubernetes selectors: parsing and matching, as `k8s.io/apimachinery/pkg/labels` and
//! `.../pkg/fields` do it.

mod field;
mod label;

pub use field::FieldSelector;
pub use label::{LabelSelector, MalformedSelector};
