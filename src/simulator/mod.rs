//! The embedded Kubernetes API server.
//!
//! For `demo`, `simulate` and the tests: one store, one function from request to response
//! ([`Simulator::respond`]), used in process under virtual time and behind a socket ([`serve()`]).
//! Lists, pages, versions, selectors and watches behave as those of a real API server, errors and
//! their texts included; what a bad day looks like is scripted ([`On`]).
//!
//! It only reads over HTTP: objects change through [`Simulator`], [`manifests`] or [`story`]. No
//! authentication, no admission, no defaults but a few, and nothing that would be a controller:
//! what those would write comes from the manifests, or from [`cluster`] and
//! [`endpoint_controller`].

mod body;
pub mod cluster;
mod defaults;
mod discovery;
pub mod endpoint_controller;
pub mod example;
mod faults;
mod kind;
mod list;
pub mod manifests;
mod output;
mod recorder;
mod reply;
mod representation;
mod request;
mod selection;
mod serve;
mod server;
mod status;
mod store;
pub mod story;
mod watch;

pub use body::{Body, Disconnected};
pub use faults::{After, Fault, Line, On, Rule, RuleId, Stop};
pub use recorder::RecordedRequest;
pub use request::Verb;
pub use serve::serve;
pub use server::{LoadError, Simulator};
pub use store::{Applied, ApplyError};
