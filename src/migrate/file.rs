//! The files of a plan.

use crate::yaml::Yaml;

/// A file of manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub objects: Vec<Yaml>,
}

// === impl File ===

impl File {
    /// Account, roles, and what belongs to all Pods.
    pub const RIGHTS: &str = "1-rights.yaml";
    /// The shadow.
    pub const SHADOW: &str = "2-shadow.yaml";
    /// The DaemonSet.
    pub const NODES: &str = "3-nodes.yaml";
    /// The complement.
    pub const COMPLEMENT: &str = "4-complement.yaml";
}
