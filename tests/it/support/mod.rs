//! What several themes share.

pub(crate) mod asked;
pub(crate) mod finals;
pub(crate) mod http;
pub(crate) mod objects;
pub(crate) mod prometheus;
pub(crate) mod raw;
pub(crate) mod served;
pub(crate) mod show;
pub(crate) mod sidecar;
pub(crate) mod world;
