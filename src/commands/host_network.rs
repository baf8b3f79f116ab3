//! Whether this process is in its host's network, where a listener on loopback is the whole host's.
//!
//! There is no file that says so in a Pod. But a Pod of the host's network has the host's name too, which is
//! the Node's name unless somebody has chosen another; any other Pod has a name of its own
//! (kubelet, `GeneratePodHostNameAndDomain`). So "no" may be wrong, and "yes" is not.

/// Whether a process on a machine of that name, for that node, is in the node's network.
pub(super) fn is_of_node(host_name: &str, node: &str) -> bool {
    let host_name = host_name.trim();
    let is_short = || node.split_once('.').is_some_and(|(first, _)| first == host_name);
    !host_name.is_empty() && (host_name.eq_ignore_ascii_case(node) || is_short())
}

/// The name of this machine, or of this Pod.
pub(super) fn host_name() -> String {
    // Without it nothing is said, which is no harm.
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_pods() {
        for (host_name, node, expected) in [
            ("node-a\n", "node-a", true),
            ("Node-A\n", "node-a", true),
            ("ip-10-0-0-1\n", "ip-10-0-0-1.ec2.internal", true),
            ("ip-10-0-0-1.ec2.internal\n", "ip-10-0-0-1.ec2.internal", true),
            ("prometheus-agent-abcde\n", "node-a", false),
            ("node\n", "node-a", false),
            ("", "node-a", false),
            ("", ".node-a", false),
        ] {
            assert_eq!(is_of_node(host_name, node), expected, "{host_name:?} on {node}");
        }
    }
}
