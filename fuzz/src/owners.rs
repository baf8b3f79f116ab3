//! The owners of Pods' owners, which are read one by one and not listed.

use nodelocal_sd::index::{Change, Index, Snapshot};
use nodelocal_sd::objects::{Owner, Resource};

/// Reads what has not been read, and returns the latest snapshot, or `None` if nothing has changed
/// since the last one. Who owns an owner follows from its name, so that it does not matter when it
/// is read.
pub fn read_owners(index: &mut Index) -> Option<Snapshot> {
    let snapshot = index.take_snapshot()?;
    let all = [Resource::ReplicaSets, Resource::Jobs].into_iter().collect();
    for key in snapshot.unread_owners(all) {
        let owner = match key.resource() {
            _ if key.name().len().is_multiple_of(2) => None,
            Resource::ReplicaSets => Some("Deployment"),
            _ => Some("CronJob"),
        };
        let owner = owner.map(|kind| Owner {
            kind: kind.into(),
            name: format!("of-{}", key.name()).into(),
            uid: "u".into(),
        });
        index.apply(Change::Owner(key, owner));
    }
    index.take_snapshot().or(Some(snapshot))
}
