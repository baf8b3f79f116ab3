//! Who is who: agents on the nodes, their shadows, those beside them.

use crate::operator::Manifest;
use crate::yaml::Yaml;

/// prometheus-operator's API group.
pub(super) const MONITORING: &str = "monitoring.coreos.com";
/// What the operator renders for an agent lies in a Secret whose name begins so.
const RENDERED: &str = "prom-agent-";

/// All objects that are judged together.
pub(super) struct Set<'a> {
    manifests: Vec<&'a Manifest>,
    /// Whether there is nothing else in the cluster.
    pub(super) complete: bool,
    /// The agents on the nodes.
    pub(super) nodes: Vec<NodeAgent<'a>>,
    /// Agents in StatefulSet mode and instances of Prometheus, those without replicas too.
    pub(super) others: Vec<&'a Manifest>,
    /// What serves what belongs to no node.
    pub(super) complements: Vec<Complement<'a>>,
}

/// A Deployment or StatefulSet of ours for what belongs to no node.
pub(super) struct Complement<'a> {
    /// It.
    pub(super) object: &'a Manifest,
    /// The container with the sidecar.
    pub(super) sidecar: &'a Yaml,
    /// The agents whose rendered Secrets it mounts, as far as they are in the set: they select its jobs.
    pub(super) shadows: Vec<&'a Manifest>,
    /// Whether it mounts others.
    pub(super) has_unseen_shadow: bool,
}

/// An agent with a Pod on each node.
pub(super) struct NodeAgent<'a> {
    /// A PrometheusAgent in DaemonSet mode, or a DaemonSet whose Pods run the sidecar.
    pub(super) object: &'a Manifest,
    /// Whether prometheus-operator runs it.
    pub(super) by_operator: bool,
    /// The container with the sidecar, if it has one.
    pub(super) sidecar: Option<&'a Yaml>,
    /// The agents whose rendered Secrets it mounts.
    pub(super) mounts: Vec<&'a str>,
    /// Those of them that are in the set.
    pub(super) shadows: Vec<&'a Manifest>,
}

/// The path of the Pod's specification in a DaemonSet, Deployment or StatefulSet.
const TEMPLATE: [&str; 3] = ["spec", "template", "spec"];

// === impl Set ===

impl<'a> Set<'a> {
    pub(super) fn of(manifests: Vec<&'a Manifest>, complete: bool) -> Self {
        let others: Vec<&Manifest> = manifests
            .iter()
            .copied()
            .filter(|m| {
                (m.is(MONITORING, "PrometheusAgent") && !in_daemonset_mode(m))
                    || m.is(MONITORING, "Prometheus")
            })
            .collect();
        let nodes = manifests.iter().filter_map(|m| NodeAgent::of(m, &others)).collect();
        let complements = manifests.iter().filter_map(|m| Complement::of(m, &others)).collect();
        Self { manifests, complete, nodes, others, complements }
    }

    /// The objects of a kind of a group.
    pub(super) fn all<'s>(
        &'s self,
        group: &'s str,
        kind: &'s str,
    ) -> impl Iterator<Item = &'a Manifest> + 's {
        self.manifests.iter().copied().filter(move |m| m.is(group, kind))
    }

    /// The agents in StatefulSet mode and instances of Prometheus that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &'a Manifest> {
        self.others.iter().copied().filter(|agent| runs(agent))
    }

    /// Who renders jobs that nodes get: agents of the operator on the nodes, and shadows.
    pub(super) fn renderers(&self) -> impl Iterator<Item = &'a Manifest> {
        let of = |agent: &NodeAgent<'a>| {
            let own = agent.by_operator.then_some(agent.object);
            own.into_iter().chain(agent.shadows.clone()).collect::<Vec<_>>()
        };
        self.nodes.iter().flat_map(of).collect::<Vec<_>>().into_iter()
    }

    /// The labels of a Namespace; `None` if they are not known.
    pub(super) fn namespace(&self, name: &str) -> Option<&'a Manifest> {
        self.all("", "Namespace").find(|m| m.name == name)
    }
}

// === impl NodeAgent ===

impl<'a> NodeAgent<'a> {
    fn of(object: &'a Manifest, others: &[&'a Manifest]) -> Option<Self> {
        let by_operator = object.is(MONITORING, "PrometheusAgent") && in_daemonset_mode(object);
        // The operator's own DaemonSet stands for its agent, which is in the set or was not asked for.
        let own = object.is("apps", "DaemonSet") && !is_of_an_agent(object);
        let path: &[&str] = if by_operator { &["spec"] } else { &TEMPLATE };
        let sidecar = sidecar(object, path);
        let mounts = mounts(object);
        let shadows = shadows(object, &mounts, others);
        let is_one = by_operator || (own && sidecar.is_some());
        is_one.then_some(Self { object, by_operator, sidecar, mounts, shadows })
    }

    /// The ServiceAccount of its Pods.
    pub(super) fn account(&self) -> &'a str {
        let own = self.object.text(&["spec", "serviceAccountName"]).filter(|name| !name.is_empty());
        if self.by_operator { own.unwrap_or("default") } else { account(self.object) }
    }

    /// Who selects its monitors of that field: itself, if the operator runs it, and its shadows, if the sidecar
    /// takes their jobs.
    pub(super) fn selectors(&self) -> impl Iterator<Item = &'a Manifest> + '_ {
        let own = self.by_operator.then_some(self.object);
        let shadows = self.shadows.iter().copied().filter(|_| self.sidecar.is_some());
        own.into_iter().chain(shadows)
    }
}

// === impl Complement ===

impl<'a> Complement<'a> {
    fn of(object: &'a Manifest, others: &[&'a Manifest]) -> Option<Self> {
        if !object.is("apps", "Deployment") && !object.is("apps", "StatefulSet") {
            return None;
        }
        let sidecar = sidecar(object, &TEMPLATE).filter(|c| says(c, "--complement"))?;
        let mounts = mounts(object);
        let shadows = shadows(object, &mounts, others);
        let has_unseen_shadow = mounts.len() > shadows.len();
        Some(Self { object, sidecar, shadows, has_unseen_shadow })
    }
}

/// The agents whose rendered Secrets it mounts.
fn mounts(object: &Manifest) -> Vec<&str> {
    let mut names: Vec<&str> = secrets(object).filter_map(rendered_for).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn shadows<'a>(object: &Manifest, mounts: &[&str], others: &[&'a Manifest]) -> Vec<&'a Manifest> {
    let is_mounted = |other: &&&Manifest| {
        other.kind == "PrometheusAgent"
            && may_be_same(&other.namespace, &object.namespace)
            && mounts.contains(&&*other.name)
    };
    others.iter().filter(is_mounted).copied().collect()
}

/// Whether these may be one namespace: an empty one is unknown, such as that of what `kubectl -n` applies.
pub(super) fn may_be_same(one: &str, other: &str) -> bool {
    one.is_empty() || other.is_empty() || one == other
}

/// Whether the agent is in DaemonSet mode.
pub(super) fn in_daemonset_mode(agent: &Manifest) -> bool {
    agent.text(&["spec", "mode"]) == Some("DaemonSet")
}

/// Whether it has Pods: a shadow has none.
pub(super) fn runs(agent: &Manifest) -> bool {
    agent.text(&["spec", "replicas"]) != Some("0")
}

/// The ServiceAccount of a DaemonSet's, Deployment's or StatefulSet's Pods.
pub(super) fn account(object: &Manifest) -> &str {
    let name = object.text(&["spec", "template", "spec", "serviceAccountName"]);
    name.filter(|name| !name.is_empty()).unwrap_or("default")
}

/// The containers of a Pod whose specification is at that path, those that start first too.
pub(super) fn containers<'a>(
    object: &'a Manifest,
    path: &[&str],
) -> impl Iterator<Item = &'a Yaml> + use<'a> {
    let of = |key| object.items(&[path, &[key]].concat()).iter();
    of("initContainers").chain(of("containers"))
}

/// Whether a container has that argument, with a value or without.
pub(super) fn says(container: &Yaml, argument: &str) -> bool {
    arguments(container).any(|text| {
        text.strip_prefix(argument).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// The values of a flag, as `--flag=value` and as `--flag value`, sorted.
pub(super) fn values<'a>(container: &'a Yaml, flag: &str) -> Vec<&'a str> {
    let next = arguments(container).skip(1).map(Some).chain([None]);
    let mut values: Vec<&str> = arguments(container)
        .zip(next)
        .filter_map(|(text, next)| match text.strip_prefix(flag)? {
            "" => next,
            rest => rest.strip_prefix('='),
        })
        .collect();
    values.sort_unstable();
    values
}

/// What a container is started with.
pub(super) fn arguments(container: &Yaml) -> impl Iterator<Item = &str> {
    let all = ["command", "args"].into_iter().filter_map(|key| container.get(key)?.items());
    all.flatten().filter_map(Yaml::text)
}

/// The container that runs the sidecar: `run`, and our name somewhere.
fn sidecar<'a>(object: &'a Manifest, path: &[&str]) -> Option<&'a Yaml> {
    containers(object, path).find(|container| {
        let text = |key: &str| container.get(key).and_then(Yaml::text).unwrap_or_default();
        let command = container.get("command").and_then(Yaml::items).unwrap_or_default();
        let named = |text: &str| text.contains("nodelocal-sd");
        let ours = named(text("name"))
            || named(text("image"))
            || command.iter().filter_map(Yaml::text).any(named);
        ours && says(container, "run")
    })
}

/// The Secrets that become volumes of a PrometheusAgent's or a DaemonSet's Pods.
fn secrets(object: &Manifest) -> impl Iterator<Item = &str> {
    let listed = object.items(&["spec", "secrets"]).iter().filter_map(Yaml::text);
    let volumes = object.items(&["spec", "template", "spec", "volumes"]).iter();
    let mounted = volumes.flat_map(|volume| {
        let own = volume.get("secret").and_then(|secret| secret.get("secretName"));
        let sources = volume.get("projected").and_then(|p| p.get("sources")?.items());
        let projected = sources.unwrap_or_default().iter();
        own.into_iter().chain(projected.filter_map(|source| source.get("secret")?.get("name")))
    });
    listed.chain(mounted.filter_map(Yaml::text))
}

/// The agent whose rendering a Secret is: `prom-agent-NAME`, or `prom-agent-NAME-tls-assets-0`.
fn rendered_for(secret: &str) -> Option<&str> {
    let name = secret.strip_prefix(RENDERED)?;
    let number = |end: &str| end.bytes().all(|b| b.is_ascii_digit());
    let of_files = name.rsplit_once("-tls-assets-").filter(|(_, end)| number(end));
    let name = of_files.map_or(name, |(name, _)| name);
    Some(name.strip_suffix("-web-config").unwrap_or(name))
}

/// Whether prometheus-operator made it.
fn is_of_an_agent(object: &Manifest) -> bool {
    let owners = object.items(&["metadata", "ownerReferences"]).iter();
    owners.filter_map(|owner| owner.get("kind")?.text()).any(|kind| kind == "PrometheusAgent")
}
