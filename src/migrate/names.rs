//! What the objects are called.

use super::old::Old;

/// The names of one old agent's successors. All but those of the roles are in its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// What all have in common: the value of [`INSTANCE`].
    pub(super) base: String,
    /// The shadow.
    pub(super) shadow: String,
    /// The DaemonSet.
    pub(super) nodes: String,
    /// The Deployment.
    pub(super) complement: String,
    /// The account, if the old one has none of its own.
    pub(super) account: String,
    /// The roles of the sidecar, and of Prometheus when it scrapes: of the cluster, not of the namespace.
    pub(super) roles: [String; 2],
}

/// The label that tells one migration's Pods from those of others.
pub(super) const INSTANCE: &str = "app.kubernetes.io/instance";

/// prometheus-operator makes a volume's name of a Secret's where an agent in DaemonSet mode mounts it, and cuts
/// it at 63 characters: `secret-prom-agent-<shadow>-tls-assets-0`. So a shadow has 32.
const SHADOW: usize = 32;
const SUFFIX: &str = "-shadow";

// === impl Names ===

impl Names {
    pub(super) fn of(old: &Old) -> Self {
        let base = short(&old.name, SHADOW - SUFFIX.len());
        // A colon is in no name of a namespace or an agent, so that no two migrations have the same roles.
        let role = |what: &str| format!("nodelocal-sd:{}:{base}{what}", old.namespace);
        Self {
            shadow: format!("{base}{SUFFIX}"),
            nodes: format!("{base}-node-agent"),
            complement: format!("{base}-complement"),
            account: format!("{base}-node-agent"),
            roles: [role(""), role(":scraping")],
            base,
        }
    }

    /// The Secret that the operator renders for the shadow.
    pub(super) fn secret(&self) -> String {
        format!("prom-agent-{}", self.shadow)
    }

    /// The Secret of its certificates.
    pub(super) fn certificates(&self) -> String {
        format!("{}-tls-assets-0", self.secret())
    }

    /// What the Pods of the DaemonSet are labelled with, and no others.
    pub(super) fn node_selector(&self) -> String {
        format!("app.kubernetes.io/name={}", self.nodes)
    }
}

/// A name of so many bytes at the most. One that is longer is told from others with the same beginning by a
/// hash of all of it.
fn short(name: &str, most: usize) -> String {
    const HASH: usize = 9; // with the hyphen before it
    // A dot is none of a label's, and the API server would refuse it in the name of a volume.
    let clean = name.replace('.', "-");
    if clean.len() <= most && clean == name {
        return clean;
    }
    let begin: String = clean.chars().take(most - HASH).collect();
    format!("{}-{:08x}", begin.trim_end_matches('-'), hash(name))
}

/// FNV-1a: the same on each machine and in each version.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_differ() {
        let long = "a-very-long-name-of-an-agent-one";
        for (name, expected) in [
            ("k8s", "k8s"),
            (&long[..25], "a-very-long-name-of-an-ag"),
            (long, "a-very-long-name-bc842b6b"),
            ("a-very-long-name-of-an-agent-two", "a-very-long-name-b0f841c5"),
            ("a.b", "a-b-108bf50c"),
            ("a-b", "a-b"),
        ] {
            let short = short(name, 25);
            assert!(short.len() <= 25, "{short}");
            assert_eq!(short, expected, "{name}");
        }
    }
}
