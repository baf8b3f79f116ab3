//! What a saved state is of, and when it may be used.

use crate::index::{Complete, Controller, Progress, Snapshot};
use crate::objects::{Reach, Resource};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// What a state depends on: that of another is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    share: String,
    flags: String,
    boot_id: String,
}

/// Why a saved state is not used; reads on after "it".
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another program may read other fields of the objects.
    #[error("was written by another version of this program")]
    Version,
    /// Of another node, or of the complement.
    #[error("is of {0}")]
    Share(String),
    /// The flags about endpoints and excluded Pods decide what is known.
    #[error("was written with other flags")]
    Flags,
    /// After a reboot Pods have other addresses: old state would scrape one Pod under another's labels.
    #[error("was written before the machine was started again")]
    Boot,
    /// Pods come and go.
    #[error("is {} h old", .0.as_secs() / 3600)]
    Old(Duration),
    /// The clock was put back; nobody knows how old it is.
    #[error("is from the future: was the clock put back?")]
    Future,
    /// Cut off, changed, or no state at all.
    #[error("is damaged: {0}")]
    Damaged(String),
}

/// The first line of a state.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Header {
    format: u32,
    program: String,
    share: String,
    flags: String,
    boot_id: String,
    /// Seconds since 1970.
    written: u64,
    /// Which cluster it is.
    pub(super) identity: String,
    synced: Vec<String>,
    services_listed: Vec<Option<String>>,
    services_watched: Vec<Option<String>>,
    slices_listed: Vec<Option<String>>,
    versions: Vec<(String, Option<String>, String)>,
    /// Minor version of Kubernetes.
    controller: u32,
    node_deleted: bool,
}

/// Grows with each change of what a line says.
const FORMAT: u32 = 1;

/// Twice a working day's outage; after that most of what is known is wrong.
const MOST_AGE: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Setup ===

impl Setup {
    /// That of a sidecar which begins with this snapshot, on a machine that was started under this id.
    pub fn of(first: &Snapshot, boot_id: &str) -> Self {
        let Snapshot { share, endpoints_from, excluded, .. } = first;
        Self {
            share: share.to_string(),
            // Only compared with what the same version of this program has written.
            flags: format!("{share:?} {endpoints_from:?} {excluded:?}"),
            boot_id: boot_id.to_owned(),
        }
    }
}

// === impl Header ===

impl Header {
    /// What is known there, written now.
    pub(super) fn of(
        setup: &Setup,
        identity: &str,
        (snapshot, progress): (&Snapshot, &Progress),
        now: SystemTime,
    ) -> Self {
        let names = |reaches: &BTreeSet<Reach>| reaches.iter().map(name_of).collect();
        let versions = progress.versions.iter();
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            share: setup.share.clone(),
            flags: setup.flags.clone(),
            boot_id: setup.boot_id.clone(),
            written: now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
            identity: identity.to_owned(),
            synced: snapshot.synced.iter().map(|resource| resource.name().to_owned()).collect(),
            services_listed: names(&snapshot.services_listed),
            services_watched: names(&snapshot.services_watched),
            slices_listed: names(&snapshot.slices_listed),
            versions: versions
                .map(|((of, reach), version)| {
                    (of.name().to_owned(), name_of(reach), version.as_ref().to_owned())
                })
                .collect(),
            controller: match progress.controller {
                Controller::V1_32 => 32,
                Controller::V1_33 => 33,
            },
            node_deleted: progress.node_deleted,
        }
    }

    /// When it was written.
    pub(super) fn written(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.written))
    }

    /// Whether the state may be used.
    pub(super) fn check(&self, setup: &Setup, now: SystemTime) -> Result<(), Refusal> {
        if self.format != FORMAT || self.program != env!("CARGO_PKG_VERSION") {
            return Err(Refusal::Version);
        }
        if self.share != setup.share {
            return Err(Refusal::Share(self.share.clone()));
        }
        if self.flags != setup.flags {
            return Err(Refusal::Flags);
        }
        if self.boot_id != setup.boot_id {
            return Err(Refusal::Boot);
        }
        let age = self.written().and_then(|written| now.duration_since(written).ok());
        match age.ok_or(Refusal::Future)? {
            age if age > MOST_AGE => Err(Refusal::Old(age)),
            _ => Ok(()),
        }
    }

    /// What is known as a whole.
    pub(super) fn complete(&self) -> Result<Complete, Refusal> {
        let resource = |name: &String| {
            Resource::named(name).ok_or_else(|| Refusal::Damaged(format!("no resource {name:?}")))
        };
        let reaches = |names: &[Option<String>]| names.iter().map(reach_of).collect();
        let versions = self.versions.iter().map(|(name, part, version)| {
            Ok(((resource(name)?, reach_of(part)), version.as_str().into()))
        });
        Ok(Complete {
            synced: self.synced.iter().map(resource).collect::<Result<_, _>>()?,
            services_listed: reaches(&self.services_listed),
            services_watched: reaches(&self.services_watched),
            slices_listed: reaches(&self.slices_listed),
            progress: Progress {
                versions: versions.collect::<Result<_, _>>()?,
                controller: Controller::of_minor(self.controller),
                node_deleted: self.node_deleted,
            },
        })
    }
}

fn name_of(reach: &Reach) -> Option<String> {
    reach.namespace().map(str::to_owned)
}

fn reach_of(name: &Option<String>) -> Reach {
    name.as_deref().map_or(Reach::Cluster, |name| Reach::Namespace(name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{EndpointsFrom, Excluded};

    fn setup(node: &str, from: EndpointsFrom, boot_id: &str) -> Setup {
        Setup::of(&Snapshot::of(node, from, Excluded::default()), boot_id)
    }

    #[test]
    fn each_reason_not_to_use_a_state() {
        const HOUR: Duration = Duration::from_secs(3600);
        let slices = EndpointsFrom::Slices;
        let now = SystemTime::UNIX_EPOCH + 1000 * HOUR;
        let used_by = setup("a", slices, "boot");
        let day_and_a_half = Duration::from_secs(36 * 3600);
        for (written_by, at, expected) in [
            (setup("a", slices, "boot"), now, Ok(())),
            (setup("a", slices, "boot"), now - 24 * HOUR, Ok(())),
            (setup("a", slices, "boot"), now - 36 * HOUR, Err(Refusal::Old(day_and_a_half))),
            (setup("a", slices, "boot"), now + Duration::from_secs(1), Err(Refusal::Future)),
            (setup("b", slices, "boot"), now, Err(Refusal::Share("node b".to_owned()))),
            (setup("a", EndpointsFrom::default(), "boot"), now, Err(Refusal::Flags)),
            (setup("a", slices, "other"), now, Err(Refusal::Boot)),
        ] {
            let known = (&Snapshot::default(), &Progress::default());
            let header = Header::of(&written_by, "uid", known, at);
            assert_eq!(header.check(&used_by, now), expected, "{written_by:?}");
        }
        let known = (&Snapshot::default(), &Progress::default());
        let written = || Header::of(&used_by, "uid", known, now);
        let other_format = Header { format: FORMAT + 1, ..written() };
        let other_program = Header { program: "0.0.0".to_owned(), ..written() };
        for header in [other_format, other_program] {
            assert_eq!(header.check(&used_by, now), Err(Refusal::Version));
        }
        let endless = Header { written: u64::MAX, ..written() };
        assert_eq!(endless.check(&used_by, now), Err(Refusal::Future));
    }
}
