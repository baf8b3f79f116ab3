//! The two listeners: http_sd and debug pages on one, health and metrics on the other.
//!
//! ```text
//! serve ──accept──▶ Connections (limit, oldest idle first) ──▶ hyper ──▶ sd_routes / admin_routes
//! ```
//!
//! The only place that knows hyper. Routes turn a request into a call of [`crate::sd`] or a look
//! at a snapshot, and the result into a response; what they answer is decided elsewhere.

mod admin;
mod agent_metrics;
mod app;
mod caller;
mod connections;
mod conversation;
mod debug;
mod debug_agent;
mod debug_changes;
mod explain;
mod file_limit;
mod file_sd_metrics;
mod host;
mod listener;
mod long_poll;
mod metrics;
mod pages;
mod response;
mod samples;
mod sd_routes;
mod serve;
mod site;
mod state_metrics;
mod stream;

pub use admin::Admin;
pub use app::App;
pub use explain::ExplainError;
pub use file_limit::raise_open_file_limit;
pub use listener::{Ends, Listener};
pub use response::Answer;
pub use sd_routes::HttpSd;
pub use serve::{Limits, Routes, serve};
