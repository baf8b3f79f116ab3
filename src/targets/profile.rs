//! Compatibility profiles: which labels a Prometheus of a given version would give.

use std::fmt;
use std::str::FromStr;

/// The label set of a range of Prometheus versions, named after the first, or a well-known,
/// version in it. `attach` options are honoured under every profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// 2.52 to 2.55.
    V2_53,
    /// 3.0 to 3.10: init containers count in the endpoints roles (prometheus#14929).
    V3_5,
    /// 3.11: slices of the secondary address family are dropped (#18192), and role pod with an
    /// attached Node drops Pods of unknown Nodes (#18006).
    V3_11,
    /// 3.12 and later: node conditions in role node (#17601).
    Latest,
}

/// A profile name that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("unknown profile {0:?}: use 2.53, 3.5, 3.11 or latest")]
pub struct UnknownProfile(String);

// === impl Profile ===

impl Profile {
    /// The profile of the client that sent this `User-Agent`. Below 3.0 is 2.53; empty, foreign or
    /// newer than we know is the latest.
    pub fn of_user_agent(user_agent: &str) -> Self {
        Self::of_version(user_agent).unwrap_or(Self::Latest)
    }

    fn of_version(user_agent: &str) -> Option<Self> {
        let (major, rest) = user_agent.strip_prefix("Prometheus/")?.split_once('.')?;
        let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(match (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?) {
            (0..=2, _) => Self::V2_53,
            (3, 0..=10) => Self::V3_5,
            (3, 11) => Self::V3_11,
            _ => Self::Latest,
        })
    }

    /// Whether init containers are matched, and give extra targets, in the endpoints roles.
    pub fn matches_init_containers(self) -> bool {
        self >= Self::V3_5
    }

    /// Whether slices of a dual-stack Service's secondary family give no targets.
    pub fn drops_secondary_family(self) -> bool {
        self >= Self::V3_11
    }

    /// Whether role pod with an attached Node drops Pods whose Node is not known.
    pub fn drops_pods_of_unknown_nodes(self) -> bool {
        self >= Self::V3_11
    }

    /// Whether role node has labels for the Node's conditions.
    pub fn shows_node_conditions(self) -> bool {
        self >= Self::Latest
    }

    /// The name, as in `--compat`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_53 => "2.53",
            Self::V3_5 => "3.5",
            Self::V3_11 => "3.11",
            Self::Latest => "latest",
        }
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        [Self::V2_53, Self::V3_5, Self::V3_11, Self::Latest]
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_of_a_client() {
        for (user_agent, profile) in [
            ("Prometheus/2.45.0", Profile::V2_53),
            ("Prometheus/2.53.3+ds1", Profile::V2_53),
            ("Prometheus/3.0.0-rc.1", Profile::V3_5),
            ("Prometheus/3.5.3", Profile::V3_5),
            ("Prometheus/3.10.1", Profile::V3_5),
            ("Prometheus/3.11.0", Profile::V3_11),
            ("Prometheus/3.12.0", Profile::Latest),
            ("Prometheus/4.0.0", Profile::Latest),
            ("Prometheus/", Profile::Latest),
            ("Prometheus/main", Profile::Latest),
            ("curl/8.0", Profile::Latest),
            ("", Profile::Latest),
        ] {
            assert_eq!(Profile::of_user_agent(user_agent), profile, "{user_agent:?}");
        }
    }
}
