//! The scrape jobs that are compared: each option of a `kubernetes_sd_config`, and the same in our
//! words.

use nodelocal_sd::targets::Profile;
use std::fmt::{self, Write as _};
use std::path::Path;

/// One job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The name of its scrape pool, fit for a URL.
    pub(crate) name: String,
    /// Whether it finds every target of its role in its namespace.
    pub(crate) is_whole: bool,
    /// What a `kubernetes_sd_config` says, in YAML's flow style.
    config: String,
    /// The path and query that say the same, without the profile.
    query: String,
}

/// Role, what the configuration says beside the role and the namespaces, and what the query does.
type Options = (&'static str, &'static str, &'static str);

/// The roles that can attach.
const ROLES: [&str; 3] = ["pod", "endpointslice", "endpoints"];

pub(crate) const EVERYTHING: [Options; ROLES.len()] = in_each_role(
    "attach_metadata: {node: true, namespace: true, deployment: true, job: true, cronjob: true}",
    "attach=node&attach=namespace&attach=deployment&attach=job&attach=cronjob",
);

/// What every version knows.
const NODE_ATTACHED: [Options; ROLES.len()] =
    in_each_role("attach_metadata: {node: true}", "attach=node");

const fn in_each_role(config: &'static str, query: &'static str) -> [Options; ROLES.len()] {
    [(ROLES[0], config, query), (ROLES[1], config, query), (ROLES[2], config, query)]
}

/// One by one; each cluster gets the next. The first ones are known to every version.
const ROTATING: [Options; 27] = [
    ("pod", "", ""),
    ("endpointslice", "", ""),
    ("endpoints", "", ""),
    (
        "endpoints",
        "selectors: [{role: endpoints, label: 'tier=front'}]",
        "selector.endpoints.label=tier%3Dfront",
    ),
    (
        "endpoints",
        "selectors: [{role: service, label: 'tier!=front'}]",
        "selector.service.label=tier!%3Dfront",
    ),
    (
        "endpoints",
        "selectors: [{role: pod, field: 'spec.nodeName=node-a'}]",
        "selector.pod.field=spec.nodeName%3Dnode-a",
    ),
    ("pod", "selectors: [{role: pod, label: 'app in (a, b)'}]", "selector.pod.label=app+in+(a,b)"),
    (
        "pod",
        "selectors: [{role: pod, field: 'status.phase=Running,spec.nodeName!=node-b'}]",
        "selector.pod.field=status.phase%3DRunning,spec.nodeName!%3Dnode-b",
    ),
    (
        "endpointslice",
        "selectors: [{role: endpointslice, label: 'tier=front'}]",
        "selector.endpointslice.label=tier%3Dfront",
    ),
    (
        "endpointslice",
        "selectors: [{role: service, label: 'tier!=front'}]",
        "selector.service.label=tier!%3Dfront",
    ),
    (
        "endpointslice",
        "selectors: [{role: service, field: 'spec.type=ClusterIP'}]",
        "selector.service.field=spec.type%3DClusterIP",
    ),
    (
        "endpointslice",
        "selectors: [{role: pod, label: 'app notin (b)'}]",
        "selector.pod.label=app+notin+(b)",
    ),
    (
        "endpointslice",
        "selectors: [{role: pod, field: 'spec.nodeName=node-a'}, {role: service, label: 'tier'}]",
        "selector.pod.field=spec.nodeName%3Dnode-a&selector.service.label=tier",
    ),
    (
        "endpointslice",
        "selectors: [{role: endpointslice, label: '!endpointslice.kubernetes.io/managed-by'}]",
        "selector.endpointslice.label=!endpointslice.kubernetes.io/managed-by",
    ),
    ("pod", "attach_metadata: {namespace: true}", "attach=namespace"),
    ("pod", "attach_metadata: {deployment: true}", "attach=deployment"),
    ("pod", "attach_metadata: {job: true}", "attach=job"),
    ("pod", "attach_metadata: {cronjob: true}", "attach=cronjob"),
    (
        "pod",
        "attach_metadata: {node: true}, selectors: [{role: node, label: 'topology.kubernetes.io/zone!=z1'}]",
        "attach=node&selector.node.label=topology.kubernetes.io/zone!%3Dz1",
    ),
    (
        "pod",
        "attach_metadata: {node: true}, selectors: [{role: node, field: 'metadata.name=node-a'}]",
        "attach=node&selector.node.field=metadata.name%3Dnode-a",
    ),
    ("endpointslice", "attach_metadata: {node: true}", "attach=node"),
    ("endpointslice", "attach_metadata: {namespace: true}", "attach=namespace"),
    ("endpointslice", "attach_metadata: {deployment: true}", "attach=deployment"),
    ("endpointslice", "attach_metadata: {job: true}", "attach=job"),
    ("endpointslice", "attach_metadata: {cronjob: true}", "attach=cronjob"),
    ("endpoints", "attach_metadata: {namespace: true}", "attach=namespace"),
    ("pod", "attach_metadata: {node: true, cronjob: true}", "attach=node&attach=cronjob"),
];

/// How many of [`ROTATING`] every version knows.
const OLD: usize = 14;

/// Without namespaces: the whole cluster, where references cross from one to another.
const EVERYWHERE: [Options; 5] = [
    ("pod", "", ""),
    ("endpointslice", "", ""),
    ("endpoints", "", ""),
    ("node", "", ""),
    (
        "node",
        "selectors: [{role: node, label: 'topology.kubernetes.io/zone in (z0, z2)'}]",
        "selector.node.label=topology.kubernetes.io/zone+in+(z0,z2)",
    ),
];

/// So many clusters are enough for a version that is not the newest.
const SAMPLE: usize = 20;

/// The jobs for a Prometheus of that profile: all options for the newest, a sample for the others.
pub(crate) fn jobs(profile: Profile, namespaces: &[String]) -> Vec<Job> {
    let newest = profile == Profile::Latest;
    let rotating = if newest { &ROTATING[..] } else { &ROTATING[..OLD] };
    let everything = if newest { EVERYTHING } else { NODE_ATTACHED };
    let several = if newest { namespaces.len() } else { namespaces.len().min(SAMPLE) };
    let mut jobs = Vec::new();
    for (number, namespace) in namespaces.iter().take(several).enumerate() {
        let option = rotating[number % rotating.len()];
        for options in everything.into_iter().chain([option]) {
            jobs.push(Job::new(&[namespace], options, jobs.len()));
        }
        // Two namespaces, each a world of its own.
        if let Some(next) = namespaces.get(number + 1).filter(|_| number % 5 == 0) {
            let options = rotating[(number / 5) % 3];
            jobs.push(Job::new(&[namespace, next], options, jobs.len()));
        }
    }
    for options in EVERYWHERE {
        jobs.push(Job::new(&[], options, jobs.len()));
    }
    jobs
}

/// The jobs that find everything in these namespaces, and nothing else.
pub(crate) fn whole(namespaces: &[String], profile: Profile) -> Vec<Job> {
    let options = if profile == Profile::Latest { EVERYTHING } else { NODE_ATTACHED };
    let each = namespaces.iter().flat_map(|namespace| options.map(|options| (namespace, options)));
    each.enumerate()
        .map(|(number, (namespace, options))| Job::new(&[namespace], options, number))
        .collect()
}

/// The jobs that find everything in a cluster, each in its own way.
pub(crate) fn everywhere(profile: Profile) -> Vec<Job> {
    let options = if profile == Profile::Latest { EVERYTHING } else { NODE_ATTACHED };
    let each = EVERYWHERE.into_iter().take(4).chain(options);
    each.enumerate().map(|(number, options)| Job::new(&[], options, number)).collect()
}

/// A Prometheus configuration with these jobs.
pub(crate) fn config(kubeconfig: &Path, jobs: &[Job]) -> String {
    let mut config = String::from("scrape_configs:\n");
    for job in jobs {
        let _ = writeln!(
            config,
            "- job_name: '{}'\n  kubernetes_sd_configs: [{{{}, kubeconfig_file: '{}'}}]\n  \
             relabel_configs: [{{action: drop, regex: '.*'}}]",
            job.name,
            job.config,
            kubeconfig.display(),
        );
    }
    config
}

// === impl Job ===

impl Job {
    fn new(namespaces: &[&String], (role, about, query): Options, number: usize) -> Self {
        let names: Vec<&str> = namespaces.iter().map(|name| name.as_str()).collect();
        let mut config = vec![format!("role: {role}"), about.to_owned()];
        let mut query = vec![query.to_owned()];
        if !names.is_empty() {
            config.push(format!("namespaces: {{names: [{}]}}", names.join(", ")));
            query.extend(names.iter().map(|name| format!("namespace={name}")));
        }
        let told = |words: Vec<String>, between: &str| {
            let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
            words.join(between)
        };
        let (config, query) = (told(config, ", "), told(query, "&"));
        Self {
            name: format!("job-{number}"),
            is_whole: EVERYTHING.iter().chain(&NODE_ATTACHED).any(|whole| whole.1 == about),
            config,
            query: format!("/sd/{role}?{query}"),
        }
    }

    /// The same, told from others of its number.
    pub(crate) fn named(self, what: &str) -> Self {
        Self { name: format!("{}-{what}", self.name), ..self }
    }

    /// Whether its targets are endpoints.
    pub(crate) fn is_of_endpoints(&self) -> bool {
        self.query.starts_with("/sd/endpoint")
    }

    /// The URL that asks a sidecar for the same, in the labels of that profile.
    pub(crate) fn url(&self, sidecar: &str, profile: Profile) -> String {
        format!("{sidecar}{}&compat={profile}", self.query)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.config)
    }
}
