//! The way of the API server's bytes into the index, without an API server: for the targets in
//! `fuzz/`.
//!
//! They must go through the loops' own splitters and decoders, which are nobody else's business. So
//! this is compiled with `--cfg fuzzing` only, which cargo-fuzz sets: no build that is shipped, and no
//! other crate's, has it, and a cargo feature could be switched on by both. It decides nothing; the
//! checks are in `fuzz/`.

use super::impersonation::Impersonation;
use super::items::ItemSplitter;
use super::kind::Kind;
use super::lines::LineSplitter;
use super::messages::MessageSplitter;
use super::pacer::Pacer;
use super::reflector::{Context, Reflector};
use super::timing::Timing;
use crate::index::{Change, ListOutcome, Update, arrivals};
use crate::objects::{EndpointSlice, Endpoints, Namespace, Node, Pod, Resource, Service};
use crate::status::Board;
use kube::client::Body;
use std::sync::Arc;

/// What the loops are made of, with an API server that answers nothing.
pub struct Feed {
    context: Context,
    object_limit: usize,
    _runtime: tokio::runtime::Runtime, // the client has a task of its own
}

// === impl Feed ===

impl Feed {
    /// For the sidecar of that node. Objects over the limit, in bytes, are too large to be read; the
    /// loops' own limit is beyond what a fuzzer writes.
    pub fn of_node(node: &str, object_limit: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime without I/O needs nothing of the system");
        let nobody = tower::service_fn(async |_: http::Request<Body>| {
            Err::<http::Response<Body>, _>(std::io::Error::other("nobody is there"))
        });
        let client = {
            let _inside = runtime.enter();
            kube::Client::new(nobody, "")
        };
        let context = Context {
            client,
            impersonation: Impersonation::Off,
            share: node.into(),
            timing: Arc::new(Timing::alone()),
            pacer: Arc::new(Pacer::new()),
            board: Arc::new(Board::default()),
            changes: arrivals(1).0,
            resume: Arc::default(),
        };
        Self { context, object_limit, _runtime: runtime }
    }

    /// What follows from the body of a list, if it is a complete one.
    ///
    /// # Panics
    /// For ReplicaSets and Jobs, which are never listed.
    pub fn list<'a>(
        &self,
        resource: Resource,
        chunks: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Change> {
        match resource {
            Resource::Pods => self.list_of::<Pod>(chunks),
            Resource::Nodes => self.list_of::<Node>(chunks),
            Resource::Services => self.list_of::<Service>(chunks),
            Resource::EndpointSlices => self.list_of::<EndpointSlice>(chunks),
            Resource::Endpoints => self.list_of::<Endpoints>(chunks),
            Resource::Namespaces => self.list_of::<Namespace>(chunks),
            Resource::ReplicaSets | Resource::Jobs => panic!("{resource} are never listed"),
        }
    }

    /// What follows from the body of a watch, up to its first failure.
    ///
    /// # Panics
    /// For ReplicaSets and Jobs, which are never watched.
    pub fn watch<'a>(
        &self,
        resource: Resource,
        chunks: impl Iterator<Item = &'a [u8]>,
    ) -> Vec<Change> {
        match resource {
            Resource::Pods => self.watch_of::<Pod>(chunks),
            Resource::Nodes => self.watch_of::<Node>(chunks),
            Resource::Services => self.watch_of::<Service>(chunks),
            Resource::EndpointSlices => self.watch_of::<EndpointSlice>(chunks),
            Resource::Endpoints => self.watch_of::<Endpoints>(chunks),
            Resource::Namespaces => self.watch_of::<Namespace>(chunks),
            Resource::ReplicaSets | Resource::Jobs => panic!("{resource} are never watched"),
        }
    }

    fn reflector<K: Kind>(&self) -> Reflector<K> {
        let entry = Arc::clone(self.context.board.of(K::RESOURCE));
        Reflector::new(self.context.clone(), K::scope(self.context.node()), entry)
    }

    /// What follows from the body of a list of Services as protobuf, if it is a complete one.
    pub fn messages<'a>(&self, chunks: impl Iterator<Item = &'a [u8]>) -> Option<Change> {
        let protobuf = Service::PROTOBUF?;
        let mut reflector = self.reflector::<Service>();
        let mut messages = MessageSplitter::new(self.object_limit);
        let mut outcome = ListOutcome::of(Vec::new());
        for chunk in chunks {
            messages
                .push(chunk, |message| reflector.take_message(&protobuf, message, &mut outcome));
        }
        messages.finish().ok()?;
        Some(Service::change(Update::Replace(outcome)))
    }

    fn list_of<'a, K: Kind>(&self, chunks: impl Iterator<Item = &'a [u8]>) -> Option<Change> {
        let mut reflector = self.reflector::<K>();
        let mut items = ItemSplitter::new(self.object_limit);
        let mut outcome = ListOutcome::of(Vec::new());
        for chunk in chunks {
            items.push(chunk, |item| reflector.take(item, &mut outcome));
        }
        items.finish().ok()?;
        Some(K::change(Update::Replace(outcome)))
    }

    fn watch_of<'a, K: Kind>(&self, chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Change> {
        let mut reflector = self.reflector::<K>();
        let mut lines = LineSplitter::new(self.object_limit);
        let (mut version, mut failed) = (String::new(), false);
        let mut changes = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |line| {
                if !failed {
                    match reflector.read_line(line, &mut version) {
                        Ok(update) => changes.extend(update.map(K::change)),
                        Err(_) => failed = true,
                    }
                }
            });
        }
        changes
    }
}
