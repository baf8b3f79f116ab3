//! Service discovery over HTTP, without the HTTP: from the text of a question to the bytes of
//! its answer.
//!
//! ```text
//! role, query string ──parse──▶ Query ──Answers──▶ wait for the sync ──build, render──▶ bytes
//!                                             ▲
//!                                           Holds: asks again when something has changed
//! ```
//!
//! Nothing here knows a socket or an HTTP type: [`crate::http`] turns the results into responses.

mod answer;
mod cache;
mod compat;
mod fields;
mod hold;
mod parse;
mod patience;
mod render;

pub use answer::{Answers, NotSynced};
pub use cache::{Cache, Question};
pub use compat::Compat;
pub use hold::Holds;
pub use parse::{QueryError, is_parameter, parse, parse_with_role};
pub use patience::{hold_time, patience, refresh_interval};
pub use render::{Rendered, Tag, render};
