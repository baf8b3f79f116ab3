//! Values for fields of a PrometheusAgent: generated from the CRD's schema, and by hand where what the schema says is
//! not enough.

use serde_json::{Value, json};

/// The smallest value that the schema allows: required fields, one item, the first of an enumeration.
pub(crate) fn smallest(schema: &Value) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .find(|value| **value != "")
            .expect("a value that says something")
            .clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return json!(1);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten();
            let fields = required.map(|name| {
                let name = name.as_str().expect("a name");
                (name.to_owned(), smallest(&schema["properties"][name]))
            });
            Value::Object(fields.collect())
        }
        Some("array") => json!([smallest(&schema["items"])]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(0).max(1)),
        _ => match schema["pattern"].as_str() {
            None => json!("a"),
            Some(pattern) if pattern.contains("ms") => json!("1s"),
            Some(pattern) if pattern.contains("(K|M|G|T|E|P)") => json!("1MB"),
            Some(pattern) if pattern.starts_with("^(http|https)") => json!("http://a"),
            Some(pattern) => panic!("no value is known for the pattern {pattern}"),
        },
    }
}

/// Values by hand, beside the smallest one: their value decides, or an empty one counts.
pub(crate) fn more(field: &str) -> Vec<Value> {
    match field {
        "shards" => vec![json!(0), json!(2)],
        "replicas" => vec![json!(0), json!(3)],
        "storage" | "persistentVolumeClaimRetentionPolicy" => vec![json!({}), Value::Null],
        "serviceMonitorSelector" | "podMonitorSelector" | "probeSelector" => {
            vec![json!({"matchLabels": {"a": "b"}}), Value::Null]
        }
        _ => Vec::new(),
    }
}

/// A value that shows in what the operator makes of an agent in StatefulSet mode whose `spec` is otherwise
/// [`base`]. `None` for those that no value of shows in one rendering, which are `mode` and `paused`.
pub(crate) fn visible(field: &str, schema: &Value) -> Option<Value> {
    Some(match field {
        "mode" | "paused" => return None,
        "additionalArgs" => json!([{"name": "storage.agent.retention.max-time", "value": "1h"}]),
        "affinity" => json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution":
            [{"weight": 1, "podAffinityTerm": {"topologyKey": "zone"}}]}}),
        "apiserverConfig" => json!({"host": "https://api.invalid"}),
        "arbitraryFSAccessThroughSMs" => json!({"deny": true}),
        "automountServiceAccountToken"
        | "enableRemoteWriteReceiver"
        | "enableServiceLinks"
        | "hostUsers"
        | "walCompression" => json!(false),
        "containers" | "initContainers" => json!([{"name": "more", "image": "image"}]),
        "dnsConfig" => json!({"nameservers": ["10.0.0.1"]}),
        "dnsPolicy" => json!("Default"),
        "enforcedNamespaceLabel" => json!("other"),
        "excludedFromEnforcement" => {
            json!([{"group": "monitoring.coreos.com", "resource": "podmonitors",
            "namespace": "verdicts"}, {"group": "monitoring.coreos.com", "resource": "servicemonitors",
            "namespace": "verdicts"}])
        }
        "externalLabels" | "nodeSelector" => json!({"a": "b"}),
        "externalUrl" => json!("http://agent.invalid/path"),
        "hostAliases" => json!([{"ip": "10.0.0.1", "hostnames": ["a"]}]),
        "imagePullSecrets" => json!([{"name": "a"}]),
        "logLevel" => json!("warn"),
        "logFormat" => json!("json"),
        "maximumStartupDurationSeconds" => json!(120),
        "minReadySeconds" | "terminationGracePeriodSeconds" => json!(7),
        "nameEscapingScheme" => json!("Dots"),
        "nameValidationScheme" => json!("Legacy"),
        "otlp" => json!({"promoteResourceAttributes": ["a"]}),
        "podManagementPolicy" => json!("OrderedReady"),
        "podMetadata" => json!({"labels": {"a": "b"}}),
        "podMonitorSelector" | "podMonitorNamespaceSelector" => {
            json!({"matchLabels": {"nobody": "has-this"}})
        }
        "reloadStrategy" => json!("ProcessSignal"),
        "remoteWrite" => json!([{"url": "http://receiver.invalid/write"}]),
        "remoteWriteReceiverMessageVersions" => json!(["V2.0"]),
        "replicaExternalLabelName" => json!("replica"),
        "resources" => json!({"requests": {"cpu": "1"}}),
        "routePrefix" => json!("/path"),
        "runtime" => json!({"goGC": 50}),
        "scrapeClasses" => {
            json!([{"name": "a", "default": true, "fallbackScrapeProtocol": "PrometheusText0.0.4"}])
        }
        "scrapeInterval" => json!("17s"),
        "shards" => json!(2),
        "scrapeProtocols" => json!(["PrometheusText0.0.4"]),
        "securityContext" => json!({"runAsUser": 7}),
        "serviceDiscoveryRole" => json!("EndpointSlice"),
        "serviceName" => json!("governing"),
        "tolerations" => json!([{"operator": "Exists"}]),
        "topologySpreadConstraints" => {
            json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}])
        }
        "tracingConfig" => json!({"endpoint": "tracing.invalid:4317"}),
        "tsdb" => json!({"outOfOrderTimeWindow": "1h"}),
        "updateStrategy" => json!({"type": "OnDelete"}),
        "version" => json!("v3.13.1"),
        "volumeMounts" => json!([{"name": "config-out", "mountPath": "/more"}]),
        "volumes" => json!([{"name": "more", "emptyDir": {}}]),
        "web" => json!({"pageTitle": "title"}),
        _ => smallest(schema),
    })
}

/// What the agents have whose renderings are compared.
pub(crate) fn base() -> Value {
    json!({"version": "v3.13.2", "enforcedNamespaceLabel": "owner", "enableRemoteWriteReceiver": true,
        "podMonitorSelector": {}, "podMonitorNamespaceSelector": {}})
}
