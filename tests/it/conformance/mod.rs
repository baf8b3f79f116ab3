//! Targets equal what Prometheus discovers.

mod data;
mod endpointslice;
mod goldens;
