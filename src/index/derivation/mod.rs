//! Endpoints from Pods and Services: the slices that others would write for this node.
//!
//! An endpoint of a slice that the endpointslice controller writes is a function of one Pod, one
//! Service and one label of the Pod's Node (kubernetes/endpointslice, `utils.go`, `reconciler.go`
//! and `util/controller_utils.go`). It does not depend on other Pods; only how endpoints are packed
//! into slices does, and of that Prometheus shows nothing but a name. So this node's share of all
//! slices follows from its own Pods, and no slice has to be read.
//!
//! One file for each rule: which Pods a Service has (`pairs`), address families (`families`),
//! ports (`ports`), what an endpoint says (`endpoint`), labels (`labels`). `slices` puts them
//! together for a namespace; `endpoints` does the same for their older form. The one other author whose slices follow from what is known is
//! prometheus-operator (`kubelet`); where the rest may be is told by `foreign`, and what a node gets to
//! know of which object by `seen`. `derived` keeps the
//! results. Why a Pod is no endpoint is told by `lost`.
//!
//! What cannot be known is left out: the names of the slices, and the annotation with the time of
//! the last change. A slice without ports gives no target, so none is derived.

mod controller;
mod derived;
mod endpoint;
mod endpoints;
mod families;
mod foreign;
mod kubelet;
mod labels;
mod lost;
mod pairs;
mod ports;
mod seen;
mod slices;

#[cfg(test)]
mod testing;

pub use controller::Controller;
pub(super) use derived::Derivation;
pub use derived::Derived;
pub use lost::{Lost, MissingPort, WrittenAs, lost, missing_ports, selects, takes_pods};
pub use seen::Seen;
pub(super) use slices::Around;
