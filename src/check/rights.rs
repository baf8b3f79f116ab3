//! Rights: of the agents' ServiceAccount, which the sidecar needs, and of the operator for agents in DaemonSet mode.
//! The whole list with its reasons is `manifests/rbac/rbac.yaml`; `manifests/components/own-node-only` has other ones for
//! Pods and Nodes.

use super::finding::{Finding, Verdict};
use super::gates;
use super::set::{Set, account, arguments, containers, values};
use crate::operator::Manifest;
use crate::yaml::Yaml;

/// A right for the whole cluster.
struct Right {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    /// The queries that need it, if not all deployments have such; empty otherwise.
    only_for: &'static str,
}

const LIST: &[&str] = &["list", "watch"];
const GET: &[&str] = &["get"];

/// What reads Pods and Nodes, of all nodes.
const ALL_NODES: [Right; 2] = [
    Right { group: "", resource: "pods", verbs: LIST, only_for: "" },
    Right { group: "", resource: "nodes", verbs: LIST, only_for: "" },
];

const AS_NODE: &[&str] =
    &["impersonate-on:associated-node:list", "impersonate-on:associated-node:watch"];

/// The same as the own node, and of no other (constrained impersonation, Kubernetes 1.36).
const OWN_NODE: [Right; 3] = [
    Right { group: "", resource: "pods", verbs: AS_NODE, only_for: "" },
    Right { group: "", resource: "nodes", verbs: AS_NODE, only_for: "" },
    Right {
        group: "authentication.k8s.io",
        resource: "nodes",
        verbs: &["impersonate:associated-node"],
        only_for: "",
    },
];

/// What the sidecar needs beside one of these.
const SIDECAR: [Right; 6] = [
    Right { group: "", resource: "services", verbs: LIST, only_for: "" },
    Right { group: "discovery.k8s.io", resource: "endpointslices", verbs: LIST, only_for: "" },
    Right {
        group: "",
        resource: "endpoints",
        verbs: LIST,
        only_for: "role endpoints with --endpoints-from=slices",
    },
    Right { group: "", resource: "namespaces", verbs: LIST, only_for: "attach=namespace" },
    Right { group: "apps", resource: "replicasets", verbs: GET, only_for: "attach=deployment" },
    Right { group: "batch", resource: "jobs", verbs: GET, only_for: "attach=cronjob" },
];

/// What the operator needs for agents in DaemonSet mode: without it, and with the gate on, it ends at its start.
const OPERATOR: Right = Right {
    group: "apps",
    resource: "daemonsets",
    verbs: &["get", "list", "watch", "create", "update", "delete"],
    only_for: "",
};

/// The operator's flag, and the gate of DaemonSet mode.
const GATES: &str = "feature-gates";
const GATE: &str = "PrometheusAgentDaemonSet";

/// What an account may do in the whole cluster, as far as it can be told.
enum Rights<'a> {
    /// Rules of all its roles.
    Known(Vec<&'a Yaml>),
    /// No binding of it is in the set, or a role that is bound is not.
    Unseen(String),
}

pub(super) fn judge(set: &Set<'_>, findings: &mut Vec<Finding>) {
    for agent in set.nodes.iter().filter(|agent| agent.sidecar.is_some()) {
        let whom = agent.sidecar.map_or("auto", impersonate_node);
        of_sidecar(set, (agent.object, agent.account()), whom, findings);
    }
    // The complement watches the same kinds, of all nodes.
    for complement in &set.complements {
        let object = complement.object;
        of_sidecar(set, (object, account(object)), "off", findings);
    }
    if let Some(agent) = set.nodes.iter().find(|agent| agent.by_operator) {
        of_operator(set, agent.object, findings);
    }
}

/// As whom the sidecar reads Pods and its Node.
fn impersonate_node(sidecar: &Yaml) -> &str {
    values(sidecar, "--impersonate-node").last().copied().unwrap_or("auto")
}

fn of_sidecar(
    set: &Set<'_>,
    (object, account): (&Manifest, &str),
    impersonate_node: &str,
    findings: &mut Vec<Finding>,
) {
    let namespace = &*object.namespace;
    let rules = match rights(set, namespace, account) {
        Rights::Known(rules) => rules,
        Rights::Unseen(why) => {
            let why =
                format!("the rights of ServiceAccount {namespace}/{account} are not judged: {why}");
            findings.push(Finding::of(Verdict::Note, object, "").because(why));
            return;
        }
    };
    let may_be_node = OWN_NODE.iter().all(|right| right.missing(&rules).is_empty());
    let is_node = impersonate_node == "on" || (impersonate_node == "auto" && may_be_node);
    let reads_nodes: &[Right] = if is_node { &OWN_NODE } else { &ALL_NODES };
    let place = if is_node { "manifests/components/own-node-only" } else { "manifests/rbac" };
    for right in reads_nodes.iter().chain(&SIDECAR) {
        let missing = right.missing(&rules);
        if missing.is_empty() {
            continue;
        }
        let why = format!("ServiceAccount {namespace}/{account} may not {missing}");
        let instead = format!("add the rule of {place} to its ClusterRole: {}", right.rule());
        let (verdict, why) = match right.only_for {
            "" => (Verdict::Forbidden, why),
            queries => (Verdict::Note, format!("{why}, which {queries} needs")),
        };
        let instead = if verdict == Verdict::Note { String::new() } else { instead };
        findings.push(Finding::of(verdict, object, "").because(why).instead(instead));
    }
}

fn of_operator(set: &Set<'_>, agent: &Manifest, findings: &mut Vec<Finding>) {
    let deployments = set.all("apps", "Deployment");
    let path = ["spec", "template", "spec"];
    let runs_operator = |container: &&Yaml| {
        let image = container.get("image").and_then(Yaml::text).unwrap_or_default();
        let name = image.rsplit('/').next().unwrap_or_default();
        name.split([':', '@']).next() == Some("prometheus-operator")
    };
    let operators: Vec<(&Manifest, &Yaml)> =
        deployments.filter_map(|d| Some((d, containers(d, &path).find(runs_operator)?))).collect();
    if operators.is_empty() {
        let grants = set.all("rbac.authorization.k8s.io", "ClusterRole").any(|role| {
            OPERATOR.missing(&role.items(&["rules"]).iter().collect::<Vec<_>>()).is_empty()
        });
        if !grants {
            let why = "whether prometheus-operator has its feature gate PrometheusAgentDaemonSet and the rights on DaemonSets is not judged: its Deployment is not in the set";
            findings.push(Finding::of(Verdict::Note, agent, "spec.mode").because(why));
        }
    }
    for (deployment, container) in operators {
        if !gates::is_on(arguments(container), GATES, GATE) {
            findings.push(
                Finding::of(Verdict::Conflict, deployment, "spec.template.spec.containers")
                    .because(format!("without its gate the operator makes nothing of {agent}: Reconciled is False"))
                    .instead(format!("add --{GATES}={GATE}=true, after the rights on DaemonSets")),
            );
        }
        let account = account(deployment);
        let namespace = &*deployment.namespace;
        match rights(set, namespace, account) {
            Rights::Known(rules) => {
                let missing = OPERATOR.missing(&rules);
                if !missing.is_empty() {
                    let why = format!(
                        "ServiceAccount {namespace}/{account} may not {missing}: with the gate of {agent} on, the operator ends at its start"
                    );
                    let instead = format!("add a rule: {}", OPERATOR.rule());
                    findings.push(
                        Finding::of(Verdict::Forbidden, deployment, "")
                            .because(why)
                            .instead(instead),
                    );
                }
            }
            Rights::Unseen(why) => {
                let why = format!("the operator's rights on DaemonSets are not judged: {why}");
                findings.push(Finding::of(Verdict::Note, deployment, "").because(why));
            }
        }
    }
}

/// The rules of all ClusterRoles that are bound to the account for the whole cluster.
fn rights<'a>(set: &Set<'a>, namespace: &str, account: &str) -> Rights<'a> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    if namespace.is_empty() {
        return Rights::Unseen("its namespace is not in the manifest".to_owned());
    }
    let is_meant = |subject: &Yaml| {
        let text = |key: &str| subject.get(key).and_then(Yaml::text).unwrap_or_default();
        match text("kind") {
            "ServiceAccount" => text("name") == account && text("namespace") == namespace,
            "User" => text("name") == format!("system:serviceaccount:{namespace}:{account}"),
            "Group" => {
                let name = text("name");
                name == "system:serviceaccounts"
                    || name == "system:authenticated"
                    || name == format!("system:serviceaccounts:{namespace}")
            }
            _ => false,
        }
    };
    let bindings = set
        .all(RBAC, "ClusterRoleBinding")
        .filter(|binding| binding.items(&["subjects"]).iter().any(is_meant));
    let roles: Vec<&str> = bindings.filter_map(|b| b.text(&["roleRef", "name"])).collect();
    if roles.is_empty() && !set.complete {
        return Rights::Unseen("no ClusterRoleBinding of it is in the set".to_owned());
    }
    let mut rules = Vec::new();
    for name in roles {
        match set.all(RBAC, "ClusterRole").find(|role| role.name == name) {
            // The controller fills in the rules of one that is aggregated.
            Some(role) if role.field(&["aggregationRule"]).is_some() && !set.complete => {
                return Rights::Unseen(format!("{role} is aggregated"));
            }
            Some(role) => rules.extend(role.items(&["rules"])),
            None if set.complete => {}
            None => return Rights::Unseen(format!("ClusterRole {name} is not in the set")),
        }
    }
    Rights::Known(rules)
}

// === impl Right ===

impl Right {
    /// The verbs that no rule gives, with what they are for; empty if there are none.
    fn missing(&self, rules: &[&Yaml]) -> String {
        let has = |rule: &Yaml, key: &str, wanted: &str| {
            let values = rule.get(key).and_then(Yaml::items).unwrap_or_default();
            values.iter().filter_map(Yaml::text).any(|value| value == wanted || value == "*")
        };
        let given = |verb: &&&str| {
            rules.iter().any(|rule| {
                has(rule, "apiGroups", self.group)
                    && has(rule, "resources", self.resource)
                    && has(rule, "verbs", verb)
                    // Names limit it to some.
                    && rule.get("resourceNames").and_then(Yaml::items).is_none_or(<[_]>::is_empty)
            })
        };
        let missing: Vec<&str> = self.verbs.iter().filter(|verb| !given(verb)).copied().collect();
        if missing.is_empty() {
            return String::new();
        }
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        format!("{} {}{group}", missing.join(" and "), self.resource)
    }

    fn rule(&self) -> String {
        let Self { group, resource, verbs, .. } = self;
        format!(
            "{{apiGroups: [{group:?}], resources: [{resource}], verbs: [{}]}}",
            verbs.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of a rule: its groups, its resources, its verbs.
    fn texts(rule: &Yaml) -> [Vec<&str>; 3] {
        ["apiGroups", "resources", "verbs"].map(|key| {
            let items = rule.get(key).and_then(Yaml::items).unwrap();
            items.iter().map(|item| item.text().unwrap()).collect()
        })
    }

    fn as_granted<'a>(
        rights: impl IntoIterator<Item = &'a Right>,
        granted: impl IntoIterator<Item = &'a Yaml>,
    ) {
        let mut needed: Vec<_> = rights
            .into_iter()
            .map(|r| [vec![r.group], vec![r.resource], r.verbs.to_vec()])
            .collect();
        let mut granted: Vec<_> = granted.into_iter().map(texts).collect();
        needed.sort();
        granted.sort();
        assert_eq!(needed, granted);
    }

    /// The tables have what the manifests grant.
    #[test]
    fn as_the_manifests_have_it() {
        let text = include_str!("../../manifests/rbac/rbac.yaml");
        let manifests = Manifest::read("rbac.yaml", text).unwrap();
        let role = manifests.iter().find(|m| m.kind == "ClusterRole").unwrap();
        as_granted(ALL_NODES.iter().chain(&SIDECAR), role.items(&["rules"]));

        let text = include_str!("../../manifests/components/own-node-only/kustomization.yaml");
        let component = crate::yaml::read(text).unwrap();
        let patch = component.get("patches").and_then(Yaml::items).unwrap()[0].get("patch");
        let patch = crate::yaml::read(patch.and_then(Yaml::text).unwrap()).unwrap();
        let steps = patch.items().unwrap().iter().filter_map(|step| step.get("value"));
        as_granted(&OWN_NODE, steps.filter(|value| value.text().is_none()));
    }
}
