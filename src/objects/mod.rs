//! The objects as targets need them: Kubernetes objects cut down to the fields that some
//! label, selector or lookup reads. Everything else is skipped while decoding, so that memory
//! follows what is served and not what the API server sends.
//!
//! Plain values: nothing here knows a client, a clock or a runtime. Each type decodes from the
//! API server's JSON (Services also from protobuf) and compares by content, so that an update can say whether it changed
//! anything.

mod endpoints;
mod interned;
mod located;
mod meta;
mod node;
mod pod;
mod reach;
mod resource;
mod service;
mod service_protobuf;
mod slice;
mod store;
mod string_map;
mod wire;

pub use endpoints::{
    ENDPOINTS_CONTROLLER, ENDPOINTS_MANAGED_BY, EndpointAddress, EndpointPort, EndpointSubset,
    Endpoints,
};
pub use located::{Located, TargetRef};
pub use meta::{Metadata, Owner, is_dns_subdomain};
pub use node::{Namespace, Node, NodeAddress, NodeCondition};
pub use pod::{Container, ContainerPort, Pod};
pub use reach::Reach;
pub use resource::{Resource, ResourceSet};
pub use service::{KUBELET_SERVICE, Service, ServicePort, TargetPort};
pub use service_protobuf::ProtobufError;
pub use slice::{
    Conditions, ENDPOINTSLICE_CONTROLLER, Endpoint, EndpointSlice, MANAGED_BY, SERVICE_NAME,
    SliceOfNode, SlicePort,
};
pub(crate) use store::differing;
pub use store::{InNamespace, ObjectKey, Store, Stored, is_same_in};
pub use string_map::StringMap;
