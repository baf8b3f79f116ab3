//! Derived endpoints equal those that are read: over random clusters and one change at a time, a
//! sidecar that derives serves what one serves that is told the slices of a model of the controllers.
//!
//! The model (`model.rs`) works on JSON, for the whole cluster, without any of our types.

mod explained;
mod model;
mod random;

use model::Controllers;
use nodelocal_sd::index::{
    Change, Controller, Deriving, EndpointsFrom, Excluded, Index, Snapshot, Update,
};
use nodelocal_sd::objects::{EndpointSlice, ObjectKey, SliceOfNode};
use nodelocal_sd::targets::{Labels, Profile, Query, Role, Target, build};
use random::{Cluster, OWN};
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::Value;
use std::collections::BTreeMap;

/// An index and what it has published.
struct Sidecar {
    index: Index,
    snapshot: Snapshot,
}

impl Sidecar {
    fn new(from: EndpointsFrom, controller: Controller) -> Self {
        let mut index = Index::new(OWN, from);
        index.apply(Change::Controller(controller));
        Self { index, snapshot: Snapshot::of(OWN, from, Excluded::default()) }
    }

    fn tell(&mut self, change: Change) {
        self.index.apply(change);
        if let Some(snapshot) = self.index.take_snapshot() {
            self.snapshot = snapshot;
        }
    }

    /// Without what only a slice that was read can have.
    fn targets(&self, profile: Profile) -> Vec<(String, Labels)> {
        let mut query = Query::all(Role::EndpointSlice);
        query.attach.node = true;
        let targets = build(&self.snapshot, &query, profile);
        let unassigned = targets.unassigned.into_iter().map(|unassigned| unassigned.target);
        let all = targets.own.into_iter().chain(unassigned);
        let mut all: Vec<_> = all
            .map(|Target { address, mut labels, .. }| {
                labels.remove("__meta_kubernetes_endpointslice_name");
                (address, labels)
            })
            .collect();
        all.sort();
        all
    }
}

/// The objects of a kind, by namespace and name.
type Objects = BTreeMap<ObjectKey, Value>;

fn key_of(object: &Value) -> ObjectKey {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    ObjectKey::new(text("namespace"), text("name"))
}

fn decode<T: DeserializeOwned>(object: &Value) -> T {
    serde_json::from_value(object.clone()).expect("a good object")
}

/// What tells the index that an object is there, or is there no more.
fn change(kind: &str, key: &ObjectKey, object: Option<&Value>) -> Change {
    macro_rules! update {
        () => {
            object.map_or_else(|| Update::Delete(key.clone()), |it| Update::Apply(decode(it)))
        };
    }
    match kind {
        "Pod" => Change::Pods(update!()),
        "Service" => Change::Services(update!()),
        "Node" => Change::Nodes(update!()),
        other => unreachable!("{other}"),
    }
}

fn slice(object: &Value) -> EndpointSlice {
    let text = object.to_string();
    SliceOfNode(Some(OWN))
        .deserialize(&mut serde_json::Deserializer::from_str(&text))
        .expect("a good slice")
}

/// Both sidecars, and what they have been told.
struct Pair {
    cluster: Cluster,
    controllers: Controllers,
    derives: Sidecar,
    reads: Sidecar,
    written: Objects,
}

impl Pair {
    fn of(cluster: Cluster, minor: u32) -> Self {
        let controller = Controller::of_minor(minor);
        let mut pair = Self {
            cluster,
            controllers: Controllers { since_1_33: minor >= 33 },
            derives: Sidecar::new(EndpointsFrom::Pods(Deriving::default()), controller),
            reads: Sidecar::new(EndpointsFrom::Slices, controller),
            written: Objects::new(),
        };
        for ((kind, key), object) in pair.cluster.objects.clone() {
            pair.tell(kind, &key, Some(&object));
        }
        // Slices that somebody made by hand are read by both.
        for object in &pair.cluster.hand_made {
            pair.derives.tell(Change::EndpointSlices(Update::Apply(slice(object))));
            pair.reads.tell(Change::EndpointSlices(Update::Apply(slice(object))));
        }
        pair.write_slices();
        pair
    }

    fn tell(&mut self, kind: &str, key: &ObjectKey, object: Option<&Value>) {
        self.derives.tell(change(kind, key, object));
        self.reads.tell(change(kind, key, object));
    }

    /// What the controllers write, in the course of time.
    fn write_slices(&mut self) {
        let slices = self.controllers.slices(&self.cluster.objects);
        let now: Objects = slices.into_iter().map(|object| (key_of(&object), object)).collect();
        for gone in self.written.keys().filter(|key| !now.contains_key(*key)) {
            self.reads.tell(Change::EndpointSlices(Update::Delete(gone.clone())));
        }
        let news = now.iter().filter(|(key, object)| self.written.get(*key) != Some(*object));
        for (_, object) in news {
            self.reads.tell(Change::EndpointSlices(Update::Apply(slice(object))));
        }
        self.written = now;
    }

    /// Gives how many targets there are.
    fn compare(&self, what: &str) -> usize {
        let mut targets = 0;
        for profile in [Profile::V2_53, Profile::V3_5, Profile::Latest] {
            let (derived, read) = (self.derives.targets(profile), self.reads.targets(profile));
            let only = |these: &[(String, Labels)], those: &[(String, Labels)]| {
                let mut only: Vec<_> = these.iter().filter(|t| !those.contains(t)).collect();
                only.truncate(2);
                format!("{only:#?}")
            };
            assert!(
                derived == read,
                "{what}, {profile}: {} derived, {} read; only derived: {}; only read: {}",
                derived.len(),
                read.len(),
                only(&derived, &read),
                only(&read, &derived)
            );
            targets = derived.len();
        }
        targets
    }
}

/// The first snapshot with a change has its whole effect and nothing else: no target that neither
/// the old nor the new state has, none missing that both have.
#[test]
fn derived_targets_equal_those_that_are_read() {
    let mut targets = 0;
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let minor = rng.u32(31..36);
        let mut pair = Pair::of(Cluster::random(&mut rng), minor);
        let what = |step: &dyn std::fmt::Display| format!("seed {seed}, 1.{minor}, {step}");
        targets += pair.compare(&what(&"at first"));
        for step in 0..12 {
            let (kind, key) = pair.cluster.change(&mut rng);
            let object = pair.cluster.objects.get(&(kind, key.clone())).cloned();
            let snapshot = pair.derives.snapshot.version;
            pair.tell(kind, &key, object.as_ref());
            assert!(pair.derives.snapshot.version <= snapshot + 1, "one snapshot for one change");
            pair.write_slices();
            targets += pair.compare(&what(&format!("step {step}: {kind} {key}")));
        }
    }
    assert!(targets > 15_000, "only {targets} targets were compared: they prove little");
}

/// The simulator's controllers, which write slices for `demo` and for other tests, follow the same
/// rules.
#[cfg(feature = "simulator")]
#[test]
fn the_simulator_writes_what_the_model_writes() {
    use nodelocal_sd::simulator::{Simulator, endpoint_controller};
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let cluster = Cluster::random(&mut rng);
        let simulator = Simulator::new();
        for object in cluster.objects.values() {
            simulator.apply(object.clone()).expect("a good object");
        }
        endpoint_controller::sync(&simulator);
        let controllers = Controllers { since_1_33: true };
        let of_model: Vec<Value> = controllers
            .slices(&cluster.objects)
            .into_iter()
            .filter(model::is_of_controller)
            .collect();
        let of_simulator: Vec<Value> = simulator
            .list("EndpointSlice")
            .iter()
            .map(|slice| Value::clone(slice))
            .filter(model::is_of_controller)
            .collect();
        assert_eq!(model::shape(&of_simulator), model::shape(&of_model), "seed {seed}");
    }
}
