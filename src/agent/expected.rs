//! When it is counted what the agent should scrape.

use super::own_targets::OwnTargets;
use crate::config::{Config, Options};
use std::collections::BTreeMap;

/// Looks between two counts, half a minute: as often as metrics are scraped, more or less. A busy node changes every
/// second, and a count applies all rules to all targets.
pub(super) const LOOKS: u32 = 15;

/// The last count. After a new configuration begin with a new one.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The version of the snapshot that was counted.
    counted: Option<u64>,
    /// Looks until the next one is due.
    wait: u32,
}

impl Expected {
    /// At each look: how many targets each job of the applied configuration has; nothing, if that is known or not
    /// yet due.
    pub(super) async fn look(
        &mut self,
        targets: &OwnTargets,
        applied: Option<&str>,
        options: &Options,
    ) -> Option<BTreeMap<String, usize>> {
        self.wait = self.wait.saturating_sub(1);
        let version = targets.version();
        if self.wait > 0 || self.counted == Some(version) {
            return None;
        }
        let applied = Config::read(applied?).ok()?;
        (self.counted, self.wait) = (Some(version), LOOKS);
        Some(targets.expected(&applied, options).await)
    }
}
