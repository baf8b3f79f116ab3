//! Things that happen in the example cluster, for ever: rollouts, crashes, node drains.
//!
//! Whenever a sentence is told, the world is consistent: the slices are what the controllers would
//! have written by then.

use super::cluster::{Cluster, PodName};
use super::endpoint_controller::{is_ready, is_terminating, text};
use super::example::pods_of;
use super::server::Simulator;
use serde_json::Value;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The node that is drained now and then.
const DRAINED: &str = "node-b";

/// A pace at which a reader can follow.
pub const PACE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3);

struct Story {
    cluster: Cluster,
    pace: RangeInclusive<Duration>,
    sentences: mpsc::Sender<String>,
}

/// Nobody listens any more.
struct Unheard;

/// Runs the story in a simulator with the example cluster, a step every `pace`; each step is told
/// in a sentence. Ends when nobody receives them.
pub async fn run(
    simulator: Simulator,
    rng: fastrand::Rng,
    pace: RangeInclusive<Duration>,
    sentences: mpsc::Sender<String>,
) {
    let mut story = Story { cluster: Cluster::new(simulator, rng), pace, sentences };
    while story.chapter().await.is_ok() {}
}

// === impl Story ===

impl Story {
    /// A rollout, a crash, a drain, a crash: each kind of change within a minute or two.
    async fn chapter(&mut self) -> Result<(), Unheard> {
        self.rollout().await?;
        self.crash().await?;
        self.drain().await?;
        self.crash().await
    }

    async fn rollout(&mut self) -> Result<(), Unheard> {
        let deployments = self.simulator().list("Deployment");
        let Some(deployment) = self.cluster.rng().choice(deployments) else {
            return self.tell("nothing to roll out".to_owned()).await;
        };
        let what = format!("rollout of {}", full_name(&deployment));
        let old = self.owned_by("ReplicaSet", &deployment);
        let new = self.cluster.new_replica_set(&deployment);
        self.tell(format!("{what}: begins")).await?;
        for old in &old {
            for (pod, _) in pods_of(self.simulator(), old) {
                let node = self.cluster.schedule(&new);
                self.bring_up(&what, &new, None, &node).await?;
                self.take_down(&what, &pod).await?;
            }
            let PodName { namespace, name } = PodName::of(old);
            self.simulator().delete("ReplicaSet", &namespace, &name);
        }
        self.tell(format!("{what}: done")).await
    }

    async fn crash(&mut self) -> Result<(), Unheard> {
        let pods = self.simulator().list("Pod");
        let candidates = pods.into_iter().filter(|pod| is_ready(pod));
        let Some(pod) = self.cluster.rng().choice(candidates.collect::<Vec<_>>()) else {
            return self.tell("nothing to crash".to_owned()).await;
        };
        let (name, node) = (full_name(&pod), text(&pod["spec"]["nodeName"]));
        let pod = PodName::of(&pod);
        self.cluster.crash(&pod);
        self.tell(format!("crash: {name} on {node} is not ready")).await?;
        self.cluster.set_ready(&pod, true);
        self.tell(format!("crash: {name} on {node} is ready again")).await
    }

    async fn drain(&mut self) -> Result<(), Unheard> {
        self.cluster.cordon(DRAINED, true);
        let what = format!("drain of {DRAINED}");
        self.tell(format!("{what}: no new pods")).await?;
        let moved = self.movable_pods(DRAINED);
        for (pod, owner) in &moved {
            self.replace(&what, pod, owner).await?;
        }
        self.cluster.cordon(DRAINED, false);
        let what = format!("return of {DRAINED}");
        self.tell(format!("{what}: it takes pods again")).await?;
        for (_, owner) in &moved {
            // One of each that left finds its way back, because there is most room.
            let pods = pods_of(self.simulator(), owner);
            if let Some((pod, _)) = self.cluster.rng().choice(pods) {
                self.replace(&what, &pod, owner).await?;
            }
        }
        Ok(())
    }

    /// A Pod of a ReplicaSet gets a successor first; one of a StatefulSet makes room for it.
    async fn replace(&mut self, what: &str, pod: &PodName, owner: &Value) -> Result<(), Unheard> {
        if owner["kind"] == "StatefulSet" {
            self.take_down(what, pod).await?;
            let node = self.cluster.schedule(owner);
            return self.bring_up(what, owner, Some(pod.name.clone()), &node).await;
        }
        let node = self.cluster.schedule(owner);
        self.bring_up(what, owner, None, &node).await?;
        self.take_down(what, pod).await
    }

    async fn bring_up(
        &mut self,
        what: &str,
        owner: &Value,
        name: Option<String>,
        node: &str,
    ) -> Result<(), Unheard> {
        let pod = self.cluster.create(owner, name, node);
        let name = pod.name.clone();
        self.tell(format!("{what}: {name} is pending on {node}")).await?;
        self.cluster.start(&pod);
        self.tell(format!("{what}: {name} runs on {node}")).await?;
        self.cluster.set_ready(&pod, true);
        self.tell(format!("{what}: {name} is ready on {node}")).await
    }

    async fn take_down(&mut self, what: &str, pod: &PodName) -> Result<(), Unheard> {
        self.cluster.terminate(pod);
        self.tell(format!("{what}: {} is terminating", pod.name)).await?;
        self.cluster.remove(pod);
        self.tell(format!("{what}: {} is gone", pod.name)).await
    }

    /// Lets the controllers catch up, says what happened, and waits.
    async fn tell(&mut self, sentence: String) -> Result<(), Unheard> {
        self.cluster.sync_endpoints();
        self.sentences.send(sentence).await.map_err(|_| Unheard)?;
        let (least, most) = (*self.pace.start(), *self.pace.end());
        let pause = least + most.saturating_sub(least).mul_f64(self.cluster.rng().f64());
        tokio::select! {
            () = self.sentences.closed() => Err(Unheard),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// The Pods of a node that can live elsewhere, with their owners.
    fn movable_pods(&self, node: &str) -> Vec<(PodName, Arc<Value>)> {
        ["ReplicaSet", "StatefulSet"]
            .into_iter()
            .flat_map(|kind| self.simulator().list(kind))
            .flat_map(|owner| {
                let pods = pods_of(self.simulator(), &owner);
                pods.into_iter().map(move |(name, pod)| (name, pod, owner.clone()))
            })
            .filter(|(_, pod, _)| pod["spec"]["nodeName"] == node && !is_terminating(pod))
            .map(|(name, _, owner)| (name, owner))
            .collect()
    }

    fn owned_by(&self, kind: &str, owner: &Value) -> Vec<Arc<Value>> {
        let objects = self.simulator().list(kind).into_iter();
        let uid = &owner["metadata"]["uid"];
        objects.filter(|object| object["metadata"]["ownerReferences"][0]["uid"] == *uid).collect()
    }

    fn simulator(&self) -> &Simulator {
        self.cluster.simulator()
    }
}

fn full_name(object: &Value) -> String {
    let PodName { namespace, name } = PodName::of(object);
    format!("{namespace}/{name}")
}
