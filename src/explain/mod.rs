//! Why a Pod is, or is not, a target: a pure function of what is known.
//!
//! Whether it is one is never reasoned out here: [`targets::build`](crate::targets::build) decides it, as for every
//! answer. The steps follow the same way and find the place where the Pod got lost.
//!
//! ```text
//! Asked ──Jobs::asking, or its query──▶ Asking ──explain, from Known──▶ Explanation ──▶ text, JSON, page
//! ```

mod asked;
mod chain;
mod endpoints;
#[expect(clippy::module_inception, reason = "it is what the module does")]
mod explain;
mod explanation;
mod found;
mod holders;
mod job;
mod known;
mod place;
mod pod;
mod role_pod;
mod services;
mod text;
mod unsynced;

pub use asked::{About, Asked, AskedError};
pub use explain::explain;
pub use explanation::{Chain, Explanation, FoundTarget, Outcome, Step, Verdict};
pub use job::{Jobs, NoSuchJob};
pub use known::{Asking, Elsewhere, Known, Question};
pub use text::text;
