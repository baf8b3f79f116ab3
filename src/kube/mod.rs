//! The only place that knows the kube crate: the client, and the loops that keep the index fed.
//!
//! The loops are our own. `kube::runtime::watcher` (5.0) lists again every second when lists fail,
//! spins when watches are closed at once, waits for ever for headers, and stops at one object that
//! it cannot decode; on every node of a cluster, each of these takes an API server down or blinds
//! an agent. What they guarantee instead:
//!
//! - a failed or unfinished list changes nothing; a watch resumes from the last version it saw, and
//!   only an expired version (410) or repeated failure leads to a new list;
//! - every request has a deadline, every retry a growing, jittered delay, and all requests of the
//!   process share one budget (`pacer.rs`), so that no fault makes more than 30 a minute;
//! - an object that cannot be decoded, or is too large, costs that object's update and nothing else.

mod backoff;
mod bounded;
mod client;
mod decode;
mod failure;
mod foreign;
#[cfg(fuzzing)]
pub mod fuzzing;
mod identity;
mod impersonation;
mod items;
mod kind;
mod lines;
mod list;
mod listing;
mod lookups;
mod messages;
mod owners;
mod pacer;
mod parts;
mod reflector;
mod request;
mod restart;
mod resume;
mod services;
mod tasks;
mod timing;
mod version;
mod watch;
mod watches;

pub use client::{ConnectError, Source, connect};
pub use impersonation::{ApiServer, Impersonation};
pub use listing::{Listed, NotListed, get, list};
pub use lookups::{LookupQueue, Lookups};
pub(crate) use request::chain;
pub use restart::{Keeping, Saved};
pub use timing::Timing;
pub use watches::{Watches, follow};
