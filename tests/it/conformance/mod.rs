//! Targets equal what Prometheus discovers.

mod data;
mod goldens;
