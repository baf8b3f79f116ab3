//! What several themes share.

pub(crate) mod objects;
pub(crate) mod show;
pub(crate) mod sidecar;
