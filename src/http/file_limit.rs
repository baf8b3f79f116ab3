//! The limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Raises the soft limit of open files to the hard one and returns it; `None` is no limit.
/// Containers often start with a soft limit of 1,024, below the connections that are served.
pub fn raise_open_file_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => {
            debug!(?current, ?maximum, "raised the limit of open files");
            maximum
        }
        Err(error) => {
            warn!(%error, ?current, "the limit of open files could not be raised");
            current
        }
    }
}
