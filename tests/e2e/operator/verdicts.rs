//! The verdicts of `check` on fields: what it calls refused the API server refuses, by the rules of three versions of
//! the CRD, and what it calls ignored the operator ignores.

#![expect(clippy::print_stderr, reason = "what was compared")]

use super::super::api::Api;
use super::super::block_on;
use super::super::control_plane::ControlPlane;
use super::super::support::http::eventually;
use super::install::{Operator, crd, rendered, schema, secret_text};
use super::policies::apply_crd;
use super::schema_values::{base, more, smallest, visible};
use nodelocal_sd::check::{self, Settings, Verdict};
use nodelocal_sd::operator::{Manifest, Version, fields};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const NAMESPACE: &str = "verdicts";
const PLURAL: &str = "prometheusagents";
/// Where the agents are.
const AGENTS: &str = "/apis/monitoring.coreos.com/v1alpha1/namespaces/verdicts/prometheusagents";
const DAEMONSET: &str = "DaemonSet";
const STATEFULSET: &str = "StatefulSet";

fn agent(name: &str, mode: &str, spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["mode"] = mode.into();
    json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})
}

/// What `check` says of a field of an agent.
fn verdict(agent: &Value, field: &str, operator: Version) -> Option<Verdict> {
    // JSON is YAML.
    let manifests = Manifest::read("agent", &agent.to_string()).expect("an agent");
    let settings = Settings { operator: Some(operator), complete: false };
    let (_, findings) = check::check(&manifests, &settings);
    let path = format!("spec.{field}");
    let of_field = findings.iter().filter(|finding| finding.field == path);
    of_field.map(|finding| finding.verdict).max()
}

fn namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
}

fn properties(schema: &Value) -> BTreeMap<String, Value> {
    let properties = schema["properties"].as_object().expect("fields").clone();
    properties.into_iter().collect()
}

pub(crate) fn refused_is_what_the_api_server_refuses(_: &ControlPlane) {
    // Of its own, for CRDs of its own.
    let plane = ControlPlane::start();
    block_on(async {
        let api = Api::of(&plane).await;
        api.create(namespace()).await;
        let newest = properties(&schema(PLURAL));
        let known: BTreeSet<&str> = fields::all().iter().map(|field| field.name).collect();
        assert_eq!(known, newest.keys().map(String::as_str).collect(), "the table is of this CRD");
        for (crds, version) in [
            ("crds", Version::NEWEST),
            ("crds-0.88.0", Version(0, 88, 0)),
            ("crds-0.85.0", Version(0, 85, 0)),
        ] {
            let crd = crd(crds, PLURAL);
            apply_crd(&plane, &crd).await;
            let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
            let own = properties(crd.pointer(path).expect("a schema"));
            let rules = crd.pointer(&format!("{path}/x-kubernetes-validations"));
            serves(&api, rules.and_then(Value::as_array).map_or(0, Vec::len)).await;
            let mut refused = BTreeSet::new();
            let mut tried = 0;
            for (name, newer) in &newest {
                let schema = own.get(name).unwrap_or(newer);
                for value in [vec![smallest(schema)], more(name)].concat() {
                    if name == "mode" {
                        continue;
                    }
                    tried += 1;
                    if is_refused(&api, name, &value, version).await {
                        refused.insert(name.as_str());
                    }
                }
            }
            eprintln!("{version}: {tried} values, refused are {refused:?}");
        }
    });
}

/// Waits until the rules of the CRD are in force: its last one refuses. There is a moment in which the old ones are.
async fn serves(api: &Api, rules: usize) {
    let (field, refuses) = match rules {
        13.. => ("shardingStrategy", true),
        11 => ("serviceMonitorSelector", true),
        _ => ("serviceMonitorSelector", false),
    };
    eventually("the rules are in force", || async {
        let spec = json!({field: {}});
        let said =
            api.try_post(&format!("{AGENTS}?dryRun=All"), &agent("a", DAEMONSET, &spec)).await;
        // Between 0.91.0 and 0.88.0 it is the field that goes.
        let newer = json!({"shardingStrategy": {}});
        let said_newer =
            api.try_post(&format!("{AGENTS}?dryRun=All"), &agent("a", DAEMONSET, &newer)).await;
        if said.is_err() == refuses && said_newer.is_err() == (rules >= 13) {
            Ok(())
        } else {
            Err(format!("{said:?} {said_newer:?}"))
        }
    })
    .await;
}

/// Whether that value is refused in DaemonSet mode, which `check` must say alike.
async fn is_refused(api: &Api, name: &str, value: &Value, version: Version) -> bool {
    let spec = json!({name: value});
    let path = format!("{AGENTS}?dryRun=All");
    let set = agent("a", STATEFULSET, &spec);
    api.try_post(&path, &set)
        .await
        .unwrap_or_else(|said| panic!("{version}, {name}: {value} is no good value: {said}"));
    let daemon = agent("a", DAEMONSET, &spec);
    let said = api.try_post(&path, &daemon).await;
    if let Err(said) = &said {
        assert!(said.contains("when mode is DaemonSet"), "{version}, {name}: {said}");
    }
    let ours = verdict(&daemon, name, version) == Some(Verdict::Refused);
    assert_eq!(ours, said.is_err(), "{version}, {name}: {value}: the API server says {said:?}");
    ours
}

pub(crate) fn ignored_is_what_the_operator_ignores(_: &ControlPlane) {
    let plane = ControlPlane::start();
    block_on(async {
        let api = Api::of(&plane).await;
        api.create(namespace()).await;
        let _operator = Operator::start(&plane, &[]).await;
        for object in monitors() {
            api.create(object).await;
        }
        let all = Version::NEWEST;
        // By its short name, which becomes the agents'.
        let mut fields: BTreeMap<String, (String, Value)> = BTreeMap::new();
        for (name, schema) in properties(&schema(PLURAL)) {
            if let Some(value) = visible(&name, &schema) {
                let daemon = agent("a", DAEMONSET, &json!({&name: value}));
                if verdict(&daemon, &name, all) != Some(Verdict::Refused) {
                    fields.insert(name.to_lowercase(), (name, value));
                }
            }
        }
        let modes = [("ds", DAEMONSET), ("sts", STATEFULSET)];
        for (short, mode) in modes {
            api.create(agent(&format!("{short}-base"), mode, &spec(mode))).await;
            // Once all monitors are known to the operator.
            let jobs = if mode == DAEMONSET { 1 } else { 2 };
            rendered(&api, NAMESPACE, &format!("{short}-base"), jobs).await;
            for (lower, (name, value)) in &fields {
                let mut spec = spec(mode);
                spec[name] = value.clone();
                api.create(agent(&format!("{short}-{lower}"), mode, &spec)).await;
            }
        }
        let agents: Vec<String> = modes
            .iter()
            .flat_map(|(short, _)| fields.keys().map(move |lower| format!("{short}-{lower}")))
            .chain(modes.iter().map(|(short, _)| format!("{short}-base")))
            .collect();
        let renderings = renderings(&api, &agents).await;
        let changes = |short: &str, lower: &str| {
            renderings[&format!("{short}-{lower}")] != renderings[&format!("{short}-base")]
        };
        let (mut ignored, mut unseen) = (Vec::new(), Vec::new());
        let mut wrong = Vec::new();
        for (lower, (name, value)) in &fields {
            let found = verdict(&agent("a", DAEMONSET, &json!({name: value})), name, all);
            let is_ignored = found == Some(Verdict::Ignored);
            match (changes("sts", lower), changes("ds", lower)) {
                (false, _) => unseen.push(name.as_str()),
                (true, changes) if changes == is_ignored => {
                    wrong.push(format!("{name}: the operator changes its DaemonSet: {changes}, and check says {found:?}"));
                }
                (true, _) if is_ignored => ignored.push(name.as_str()),
                (true, _) => {}
            }
        }
        eprintln!("{} fields are compared, ignored are {ignored:?}", fields.len());
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(unseen, Vec::<&str>::new(), "their values show nothing");
    });
}

fn spec(mode: &str) -> Value {
    let mut spec = base();
    if mode == STATEFULSET {
        spec["serviceMonitorSelector"] = json!({});
        spec["serviceMonitorNamespaceSelector"] = json!({});
    }
    spec
}

/// Monitors on which the fields that are about monitors show, and what a field names.
fn monitors() -> [Value; 3] {
    let entry =
        json!({"port": "http", "honorLabels": true, "honorTimestamps": true, "interval": "20s"});
    let mut with_file = entry.clone();
    with_file["bearerTokenFile"] = "/token".into();
    let monitor = |kind: &str, entries: &str, entry: &Value| {
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind,
            "metadata": {"name": "m", "namespace": NAMESPACE},
            "spec": {"selector": {}, "namespaceSelector": {"any": true}, entries: [entry]}})
    };
    [
        monitor("PodMonitor", "podMetricsEndpoints", &entry),
        monitor("ServiceMonitor", "endpoints", &with_file),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "governing", "namespace": NAMESPACE},
            "spec": {"clusterIP": "None", "selector": {"app.kubernetes.io/name": "prometheus-agent"}}}),
    ]
}

/// All that the operator has made for each agent, with its name out of the way.
async fn renderings(api: &Api, agents: &[String]) -> BTreeMap<String, Vec<String>> {
    let lists = [
        "/apis/apps/v1/namespaces/verdicts/daemonsets",
        "/apis/apps/v1/namespaces/verdicts/statefulsets",
        "/api/v1/namespaces/verdicts/secrets",
    ];
    eventually("the operator has rendered all agents", || async {
        let mut items = Vec::new();
        for list in lists {
            items.extend(api.get(list).await["items"].as_array().cloned().unwrap_or_default());
        }
        let find = |name: &str, is_secret: bool| {
            items.iter().find(|item| {
                item["metadata"]["name"] == name && item["data"].is_object() == is_secret
            })
        };
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for agent in agents {
            let name = format!("prom-agent-{agent}");
            let parts =
                (find(&name, false), find(&name, true), find(&format!("{name}-web-config"), true));
            let (Some(set), Some(config), Some(web)) = parts else {
                missing.push(agent.clone());
                continue;
            };
            let texts = [
                set["spec"].to_string(),
                secret_text(config, "prometheus.yaml.gz").unwrap_or_default(),
                secret_text(web, "web-config.yaml").unwrap_or_default(),
            ];
            found.insert(
                agent.clone(),
                texts.map(|text| text.replace(agent.as_str(), "NAME")).to_vec(),
            );
        }
        match missing.first() {
            None => Ok(found),
            Some(first) => {
                let status =
                    api.get(&format!("{AGENTS}/{first}")).await["status"]["conditions"].to_string();
                Err(format!("not rendered are {missing:?}; {first}: {status}"))
            }
        }
    })
    .await
}
