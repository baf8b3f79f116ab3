//! The commands: each puts the parts together and runs them until it is done or told to stop.

mod check;
mod cluster;
#[cfg(feature = "simulator")]
mod demo;
mod error;
mod explain;
mod fetch;
mod file_sd;
mod host_network;
mod listen;
#[cfg(feature = "simulator")]
mod live;
mod live_objects;
mod logging;
mod manifests;
mod migrate;
mod print;
mod rewrite;
mod run;
mod shutdown;
#[cfg(feature = "simulator")]
mod simulate;
mod start;
mod state;
mod targets;

pub use error::CommandError;
pub use print::remark;
pub use start::{execute, usage_error};
