//! Whose labels a caller gets.

use crate::targets::{Profile, Query, UnknownProfile};
use std::str::FromStr;

/// The default for requests that do not name a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// That of the client's version, told by its `User-Agent`.
    #[default]
    Auto,
    /// Always this one.
    Fixed(Profile),
}

// === impl Compat ===

impl Compat {
    /// The profile of an answer: what the query says, else the fixed one, else the client's.
    pub fn profile(self, query: &Query, user_agent: &str) -> Profile {
        match (query.compat, self) {
            (Some(profile), _) | (None, Self::Fixed(profile)) => profile,
            (None, Self::Auto) => Profile::of_user_agent(user_agent),
        }
    }
}

impl FromStr for Compat {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        match name {
            "auto" => Ok(Self::Auto),
            _ => name.parse().map(Self::Fixed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Role;

    #[test]
    fn the_query_then_the_flag_then_the_client() {
        let plain = Query::all(Role::Pod);
        let asks = Query { compat: Some(Profile::V3_11), ..plain.clone() };
        let old = "Prometheus/2.53.3";
        let fixed: Compat = "3.5".parse().unwrap();
        let auto: Compat = "auto".parse().unwrap();
        assert_eq!(fixed.profile(&asks, old), Profile::V3_11);
        assert_eq!(fixed.profile(&plain, old), Profile::V3_5);
        assert_eq!(auto.profile(&plain, old), Profile::V2_53);
        assert_eq!(auto.profile(&plain, ""), Profile::Latest);
        assert!("3.6".parse::<Compat>().is_err());
    }
}
