//! Prometheus' configuration, made for a node: discovery of Kubernetes becomes questions to this sidecar.
//!
//! ```text
//! text ──▶ yaml ──▶ Config ──▶ job::rewrite, each job by itself ──▶ yaml ──▶ text
//!                                │
//!                                ├─ rule, regex, timing   what Prometheus would refuse
//!                                ├─ sharding         the operator's rules that go
//!                                ├─ discovery        what an entry asks for
//!                                └─ narrowing, url   the question to the sidecar
//! ```
//!
//! A configuration reaches every node within minutes, so each job stands for itself: one that cannot be
//! rewritten with certainty, or that Prometheus would refuse, keeps its last good form or is left out,
//! and never stops the others. All here is pure.

mod alike;
mod certificates;
mod discovery;
mod guard;
mod initial;
mod input;
mod job;
mod mask;
mod narrowing;
mod options;
mod regex;
mod relabelling;
mod rewrite;
mod rule;
mod sharding;
mod timing;
mod url;
mod variables;

pub use discovery::DiscoveryError;
pub use guard::{Candidate, Guard, Impact, Verdict, Waiting, Waits};
pub use initial::initial_labels;
pub use input::{InputError, text};
pub use job::Refusal;
pub use mask::{masked, masked_text};
pub use options::Options;
pub use regex::RegexError;
pub(crate) use regex::check as check_expression;
pub use relabelling::{Dropped, Expressions, Labels, Relabelling};
pub use rewrite::{Config, ConfigError, Fate, Job, Question, Rewriting, rewrite};
pub use rule::RuleError;
pub(crate) use timing::duration;
