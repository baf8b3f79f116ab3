//! The index: what the watches have told, as one value.
//!
//! Pure and synchronous: no client, no clock, no lock. One task owns it, applies
//! [`Change`]s in the order in which they come and publishes a [`Snapshot`] after each batch.
//! Readers only ever see snapshots.

mod arrivals;
mod change;
mod derivation;
mod endpoints_from;
mod excluded;
mod needs;
mod progress;
mod publish;
mod same;
mod share;
mod snapshot;
mod state;

pub use arrivals::{Arrival, Changes, NoIndex, arrivals};
pub use change::{Change, ListOutcome, OwnerKey, Update};
pub use derivation::{
    Controller, Derived, Lost, MissingPort, Seen, WrittenAs, lost, missing_ports, selects,
    takes_pods,
};
pub use endpoints_from::{Deriving, EndpointsFrom, ForeignSlices, KubeletAddress};
pub use excluded::{Excluded, PodSelector};
pub use needs::Needs;
pub use progress::{Complete, Progress};
pub use publish::{Snapshots, Witness, maintain};
pub use share::{Nodes, Share};
pub use snapshot::{Agents, Snapshot};
pub use state::Index;
