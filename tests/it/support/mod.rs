//! What several themes share.

pub(crate) mod objects;
pub(crate) mod sidecar;
