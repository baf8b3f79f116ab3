//! The state on disk: what a sidecar knows, for the next one in the same Pod.
//!
//! A container that is restarted serves the last good targets at once, even while the API server is away, and
//! its watches go on where they were. The file is gzip, whose trailer is its checksum. Its first line says what
//! it is of (`header`); each other line is one object, as the JSON that the API server would send of it, cut
//! down to what is read (`encode`). So the decoders are those of every list and watch.
//!
//! A state is used as a whole or not at all, and nothing that is wrong with it is more than a warning. What
//! only the API server can tell (whether it is another cluster, or another Node of the same name) is checked in
//! [`crate::kube`], before any watch resumes.

mod encode;
mod file;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod header;
mod keeper;

pub use file::StateFile;
pub use format::{Restored, State};
pub use header::{Refusal, Setup};
pub use keeper::{Keeper, Status};
