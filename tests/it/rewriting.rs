//! A configuration for a node: what becomes of each job, case by case.

use nodelocal_sd::config::{Config, Fate, Options, Rewriting, rewrite};
use std::collections::BTreeMap;

/// The rules that prometheus-operator 0.93.1 puts at the end of each job in StatefulSet mode.
const SHARDING: &str = r"
  - {source_labels: [__address__, __tmp_hash], target_label: __tmp_hash, regex: (.+);, replacement: $1, action: replace}
  - {source_labels: [__tmp_hash], target_label: __tmp_hash, modulus: 1, action: hashmod}
  - {source_labels: [__tmp_hash, __tmp_disable_sharding], regex: $(SHARD);|.+;.+, action: keep}";

fn options() -> Options {
    Options { namespace: Some("own".to_owned()), ..Options::default() }
}

fn rewritten(text: &str, options: &Options) -> Rewriting {
    rewrite(Config::read(text).unwrap(), Vec::new(), options, &BTreeMap::new()).unwrap()
}

/// The URLs that jobs ask, in their order.
fn urls(rewriting: &Rewriting) -> Vec<String> {
    let text = rewriting.config.to_string();
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("- url: "));
    lines.map(|url| url.trim_matches('"').replace("http://127.0.0.1:9911/sd/", "")).collect()
}

fn discovery(entry: &str) -> String {
    format!("scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{{{entry}}}]\n")
}

fn with_rules(role: &str, rules: &str) -> String {
    format!("{}  relabel_configs:\n{rules}\n", discovery(&format!("role: {role}")))
}

#[test]
fn discovery_becomes_a_question() {
    for (entry, expected) in [
        ("role: pod", "pod"),
        ("role: node, attach_metadata: {node: false}", "node"),
        ("role: endpoints, namespaces: {names: [a, b]}", "endpoints?namespace=a&namespace=b"),
        ("role: endpointslice, namespaces: {names: []}", "endpointslice"),
        ("role: pod, namespaces: {own_namespace: true}", "pod?namespace=own"),
        (
            "role: pod, namespaces: {own_namespace: yes, names: [a, own]}",
            "pod?namespace=own&namespace=a",
        ),
        ("role: pod, attach_metadata: {node: true, job: true}", "pod?attach=node&attach=job"),
        (
            "role: endpoints, selectors: [{role: pod, label: 'a in (b, c)'}, {role: endpoints, field: metadata.name=x}]",
            "endpoints?selector.pod.label=a+in+%28b%2C+c%29&selector.endpoints.field=metadata.name%3Dx",
        ),
        (
            "role: pod, selectors: [{role: pod, field: spec.nodeName=$(NODE_NAME)}]",
            "pod?selector.pod.field=spec.nodeName%3D$(NODE_NAME)",
        ),
        (
            "role: pod, selectors: [{role: pod, field: spec.nodeName=$(NODE_NAME)}, {role: pod, label: a=b}]",
            "pod?selector.pod.label=a%3Db&selector.pod.field=spec.nodeName%3D$(NODE_NAME)",
        ),
        ("role: pod, selectors: [{role: node, label: a}]", "pod?selector.node.label=a"),
        ("role: node, namespaces: {names: [a]}, attach_metadata: {node: true}", "node"),
        ("role: pod, tls_config: {insecure_skip_verify: true}, follow_redirects: false", "pod"),
        ("role: pod, api_server: 'https://here:6443/'", "pod"),
    ] {
        let own_api_server = Some("https://here:6443".to_owned());
        let rewriting = rewritten(&discovery(entry), &Options { own_api_server, ..options() });
        assert!(matches!(rewriting.jobs[0].fate, Fate::Rewritten), "{entry}: {:?}", rewriting.jobs);
        assert_eq!(urls(&rewriting), [expected], "{entry}");
    }
}

#[test]
fn what_belongs_to_no_node_is_dropped_and_named() {
    for (entry, why) in [
        ("role: service", "role service belongs to no node"),
        ("role: ingress", "role ingress belongs to no node"),
        ("role: pod, api_server: https://there", "another cluster (https://there)"),
        ("role: pod, kubeconfig_file: /k", "another cluster (/k)"),
    ] {
        let text = discovery(entry);
        let rewriting = rewritten(&text, &options());
        assert!(matches!(rewriting.jobs[0].fate, Fate::Dropped), "{entry}");
        assert!(rewriting.jobs[0].dropped[0].contains(why), "{entry}: {:?}", rewriting.jobs);
        assert_eq!(rewriting.config.to_string(), "scrape_configs: []\n", "{entry}");

        let kept = Options { keep_other_clusters: true, keep_cluster_roles: true, ..options() };
        let rewriting = rewritten(&text, &kept);
        assert!(matches!(rewriting.jobs[0].fate, Fate::Kept), "{entry}");
        assert!(rewriting.config.to_string().contains("kubernetes_sd_configs"), "{entry}");
    }
}

/// One entry of a job is dropped, one asks us, and what the job has beside them stays.
#[test]
fn a_job_keeps_its_other_discovery() {
    let rewriting = rewritten(
        "scrape_configs:
- job_name: a
  static_configs: [{targets: ['b:1']}]
  http_sd_configs: [{url: http://other}]
  kubernetes_sd_configs: [{role: service}, {role: pod}]
",
        &options(),
    );
    assert_eq!(rewriting.jobs[0].dropped, ["role service belongs to no node"]);
    let expected = "scrape_configs:
- job_name: a
  static_configs:
  - targets:
    - \"b:1\"
  http_sd_configs:
  - url: http://other
  - url: \"http://127.0.0.1:9911/sd/pod\"
    refresh_interval: 10s
";
    assert_eq!(rewriting.config.to_string(), expected);
}

#[test]
fn questions_are_narrowed_where_rules_say_so() {
    let service = |name: &str, regex: &str| {
        format!(
            "  - {{action: keep, regex: {regex}, source_labels: [__meta_kubernetes_service_label_{name}, \
             __meta_kubernetes_service_labelpresent_{name}]}}\n"
        )
    };
    let port = |kind: &str, regex: &str| {
        format!(
            "  - {{action: keep, regex: '{regex}', source_labels: [__meta_kubernetes_{kind}_name]}}\n"
        )
    };
    let slice = |regex: &str| port("endpointslice_port", regex);
    let map = "  - {action: labelmap, regex: a(.*)}\n";
    let write = "  - {target_label: __meta_kubernetes_endpointslice_port_name, replacement: web}\n";
    for (role, rules, expected) in [
        ("endpointslice", service("app", "(web);true"), "?service=app+in+%28web%29"),
        ("endpointslice", service("app", "(a|b);true"), "?service=app+in+%28a%2Cb%29"),
        (
            "endpoints",
            service("app", "(web);true") + &service("tier", "(x);true") + &port("endpoint_port", "http"),
            "?service=app+in+%28web%29%2Ctier+in+%28x%29&port=http",
        ),
        (
            "endpointslice",
            "  - {action: keep, regex: true, source_labels: [__meta_kubernetes_service_labelpresent_app]}".to_owned(),
            "?service=app",
        ),
        ("pod", port("pod_container_port", "web|metrics"), "?port=web&port=metrics"),
        ("endpointslice", slice("http"), "?port=http"),
        // Not the whole key is known; a dot matches more than itself; not only texts.
        ("endpointslice", service("app_kubernetes_io_name", "(web);true"), ""),
        ("endpointslice", service("app", "(a.b);true"), ""),
        ("endpointslice", slice("http.*"), ""),
        ("endpointslice", slice(""), ""),
        // Labels of the other role; labels that are changed before.
        ("endpoints", slice("http"), ""),
        ("endpointslice", write.to_owned() + &slice("http"), ""),
        ("endpointslice", map.to_owned() + &slice("http"), ""),
        ("pod", service("app", "(web);true"), ""),
    ] {
        let rewriting = rewritten(&with_rules(role, &rules), &options());
        assert_eq!(urls(&rewriting), [format!("{role}{expected}")], "{rules}");
    }
}

#[test]
fn the_operators_sharding_goes() {
    let own = "  - {source_labels: [a], target_label: b}";
    let retention = "
  - {target_label: __tmp_current_shard, replacement: $(SHARD)}
  - {source_labels: [__tmp_current_shard], regex: 0|1, action: keep}";
    let topology = "
  - {source_labels: [__meta_kubernetes_node_label_zone], target_label: __tmp_topology}
  - {source_labels: [__meta_kubernetes_endpointslice_endpoint_zone], target_label: __tmp_topology, regex: (.+)}
  - {source_labels: [__tmp_topology, __tmp_disable_sharding], regex: $(TOPOLOGY_ZONE);|.+;.+, action: keep}";
    let older = "
  - {source_labels: [__address__], target_label: __tmp_hash, modulus: 3, action: hashmod}
  - {source_labels: [__tmp_hash], regex: $(SHARD), action: keep}";
    let filled = SHARDING.replace("$(SHARD)", "0");
    let alone = rewritten(&with_rules("pod", own), &options()).config;
    for sharding in [SHARDING, &filled, older, &format!("{retention}{topology}{SHARDING}")] {
        let rewriting = rewritten(&with_rules("pod", &format!("{own}{sharding}")), &options());
        assert_eq!(rewriting.config, alone, "{sharding}");
    }
}

/// A Probe, for example.
#[test]
fn what_is_sharded_and_belongs_to_no_node_is_dropped() {
    let text = format!(
        "scrape_configs:\n- job_name: probe\n  static_configs: [{{targets: [a]}}]\n  relabel_configs:{SHARDING}\n"
    );
    let rewriting = rewritten(&text, &options());
    assert!(matches!(rewriting.jobs[0].fate, Fate::Dropped), "{:?}", rewriting.jobs);
    let kept = rewritten(&text, &Options { keep_cluster_roles: true, ..options() });
    assert!(matches!(kept.jobs[0].fate, Fate::Kept), "{:?}", kept.jobs);
}

#[test]
fn with_a_complement_each_job_has_one_home() {
    let job = |rest: &str| format!("scrape_configs:\n- job_name: a\n  {rest}\n");
    let sharded = format!("static_configs: [{{targets: [a]}}]\n  relabel_configs:{SHARDING}");
    for (text, on_nodes, on_the_complement) in [
        (discovery("role: pod"), Fate::Rewritten, Fate::Rewritten), // each its share of the targets
        (discovery("role: service"), Fate::Dropped, Fate::Kept),
        (discovery("role: pod, api_server: https://there"), Fate::Dropped, Fate::Kept),
        (job(&sharded), Fate::Dropped, Fate::Kept),
        (job("static_configs: [{targets: ['gateway.example:9091']}]"), Fate::Dropped, Fate::Kept),
        (job("dns_sd_configs: [{names: [a.example]}]"), Fate::Dropped, Fate::Kept),
        (
            job("kubernetes_sd_configs: [{role: service}]\n  static_configs: [{targets: [a]}]"),
            Fate::Dropped,
            Fate::Kept,
        ),
        // Another process on each side.
        (job("static_configs: [{targets: ['localhost:9090']}]"), Fate::Kept, Fate::Kept),
    ] {
        let nodes = Options { leave_to_complement: true, ..options() };
        let complement =
            Options { keep_other_clusters: true, keep_cluster_roles: true, ..options() };
        for (options, expected) in [(nodes, on_nodes), (complement, on_the_complement)] {
            let fate = &rewritten(&text, &options).jobs[0].fate;
            let same = std::mem::discriminant(fate) == std::mem::discriminant(&expected);
            assert!(same, "{text}: {fate:?}");
        }
    }
    // Of one that finds both, the part that belongs to no node goes.
    let both = job("kubernetes_sd_configs: [{role: pod}]\n  static_configs: [{targets: [a]}]");
    let nodes = Options { leave_to_complement: true, ..options() };
    let rewriting = rewritten(&both, &nodes);
    assert_eq!(rewriting.jobs[0].dropped, ["targets that every node would scrape alike"]);
    let config = rewriting.config.to_string();
    assert!(config.contains("/sd/pod") && !config.contains("static_configs"), "{config}");

    let alike = job("static_configs: [{targets: ['gateway.example:9091']}]");
    let fate = &rewritten(&alike, &options()).jobs[0].fate;
    assert!(matches!(fate, Fate::Kept), "without a complement nobody else has it: {fate:?}");
}

#[test]
fn a_job_that_is_not_understood_is_left_out() {
    let pod = |more: &str| format!("{}{more}", discovery("role: pod"));
    let rule = |rule: &str| with_rules("pod", &format!("  - {rule}"));
    for (text, expected) in [
        (discovery("role: pod, new: 1"), "the key new, which this version does not know"),
        (discovery("role: pods"), "the unknown role \"pods\""),
        (
            discovery("role: pod, selectors: [{role: service, label: a}]"),
            "role pod has no selectors of role \"service\"",
        ),
        (
            discovery("role: pod, selectors: [{role: pod, label: 'a='}, {role: pod, label: ','}]"),
            "not a valid selector",
        ),
        (
            discovery("role: pod, selectors: [{role: pod, field: spec.x=y}]"),
            "asks for the field \"spec.x\"",
        ),
        (discovery("role: pod, namespaces: {names: [A]}"), "not the name of a namespace"),
        (pod("  metrics_path: /$(TENANT)\n"), "nothing fills the variable $(TENANT)"),
        (
            pod("  bearer_token_file: /t\n  basic_auth: {username: u}\n"),
            "basic_auth and bearer_token_file",
        ),
        (pod("  job_name: a\n"), "the key job_name is there twice"),
        (pod("  relabel_configs: {}\n"), "relabel_configs must be a list"),
        (
            rule("{source_labels: [a], action: keep, regex: 'web('}"),
            "relabel_configs, rule 1: regex \"web(\"",
        ),
        (
            rule("{source_labels: [a], regex: (.+), replacement: $1}"),
            "action replace needs target_label",
        ),
        (rule("{source_labels: [''], action: keep}"), "a source label is empty"),
        (rule("{action: shuffle}"), "unknown action \"shuffle\""),
        (rule("{action: keep, sources: [a]}"), "unknown key sources"),
        (rule("{action: hashmod, target_label: a}"), "needs a modulus"),
        (rule("{action: labeldrop, regex: a, source_labels: [a]}"), "cannot have source_labels"),
        (rule("{action: lowercase, target_label: a, replacement: b}"), "cannot have replacement"),
        (pod("  metric_relabel_configs: [{}]\n"), "metric_relabel_configs, rule 1"),
        // What sharding of another version may look like.
        (
            with_rules(
                "pod",
                "  - {action: labeldrop, regex: x}\n  - {action: labelmap, regex: x(.*)}\n  \
                 - {source_labels: [a], target_label: __tmp_x, modulus: 2, action: hashmod}",
            ),
            "looks like sharding",
        ),
        (
            rule("{source_labels: [__tmp_shard], action: keep, regex: 0}"),
            "reads __tmp_shard, which no rule before it writes",
        ),
        (
            rule("{source_labels: [a], target_label: __tmp_x, modulus: 2, action: hashmod}"),
            "looks like sharding",
        ),
        (
            with_rules("pod", &SHARDING[1..].replace(";|.+;.+", "|all")),
            "its rules are not understood",
        ),
        (
            with_rules(
                "pod",
                &SHARDING[1..].replace("__tmp_hash, __tmp_dis", "__tmp_hash, __tmp_new, __tmp_dis"),
            ),
            "its rules are not understood",
        ),
    ] {
        let rewriting = rewritten(&format!("{text}- job_name: good\n"), &options());
        let Fate::Refused(why) = &rewriting.jobs[0].fate else {
            panic!("{text}: {:?}", rewriting.jobs)
        };
        assert!(why.to_string().contains(expected), "{text}: {why}");
        // It does not stop the other.
        assert_eq!(rewriting.config.to_string(), "scrape_configs:\n- job_name: good\n", "{text}");
    }
}

#[test]
fn the_last_good_form_stays_in_its_place() {
    let (good, bad) = (discovery("role: pod"), discovery("role: pod, new: 1"));
    let more = "- job_name: b\n";
    let mut text = rewritten(&good, &options()).config.to_string();
    // The second time, what was kept is kept again.
    for _ in 0..2 {
        let last_good = Config::read(&text).unwrap().into_jobs();
        let config = Config::read(&format!("{bad}{more}")).unwrap();
        let after = rewrite(config, Vec::new(), &options(), &last_good).unwrap();
        assert!(matches!(after.jobs[0].fate, Fate::LastGood(_)), "{:?}", after.jobs);
        assert_eq!(after.config, rewritten(&format!("{good}{more}"), &options()).config);
        text = after.config.to_string();
    }
}

#[test]
fn more_files_are_merged() {
    let tls = |name: &str, file: &str| {
        format!("- job_name: {name}\n  tls_config: {{ca_file: {file}, key_file: /k}}\n")
    };
    let main = format!(
        "global: {{a: 1}}\nscrape_configs:\n{}rule_files: []\n",
        tls("a", "/etc/prometheus/certs/x")
    );
    let shadow =
        format!("global: {{b: 1}}\nscrape_configs:\n{}", tls("b", "/etc/prometheus/certs/y"));
    let list = tls("c", "/etc/prometheus/certs/z") + &tls("a", "/w");
    let options = Options { certs_dir: Some("/certs/".to_owned()), ..options() };
    let read = |text: &str| Config::read(text).unwrap();
    let rewriting =
        rewrite(read(&main), vec![read(&shadow), read(&list)], &options, &BTreeMap::new()).unwrap();
    let text = rewriting.config.to_string();
    let files: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("ca_file: "))
        .map(|(_, file)| file)
        .collect();
    assert_eq!(files, ["/etc/prometheus/certs/x", "\"/certs/y\"", "\"/certs/z\""]);
    assert!(
        text.starts_with("global:\n  a: 1\nscrape_configs:\n")
            && text.ends_with("rule_files: []\n"),
        "{text}"
    );
    let Fate::Refused(why) = &rewriting.jobs[3].fate else { panic!("{:?}", rewriting.jobs) };
    assert!(why.to_string().contains("another job before it has this name"), "{why}");
}

#[test]
fn nothing_of_a_broken_file_is_used() {
    for (text, expected) in [
        ("", "it is empty"),
        ("# only a comment\n", "it is empty"),
        ("a", "it is not a mapping"),
        ("scrape_configs: {a: b}\n", "scrape_configs must be a list"),
        ("a: [\n", "not valid YAML"),
    ] {
        let error = Config::read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    for (text, expected) in [
        (
            "global: {external_labels: {replica: $(REPLICA)}}\n",
            "outside scrape_configs: nothing fills the variable $(REPLICA)",
        ),
        ("- job_name: a\n", "it is a list of jobs: give it as --jobs-from"),
        ("scrape_configs: []\nscrape_configs: []\n", "the key scrape_configs is there twice"),
    ] {
        let config = Config::read(text).unwrap();
        let error = rewrite(config, Vec::new(), &options(), &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}
