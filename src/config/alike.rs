//! Discovery by which every node would scrape alike.
//!
//! What a job finds without Kubernetes is either beside the agent (its own Pod, its node, a file in it), or the same
//! from everywhere, and then one agent is enough.

use crate::yaml::Yaml;
use std::net::IpAddr;

/// Whether what a job finds without Kubernetes is the same from every node: nothing of it is on loopback or a
/// link, in a file, behind a proxy or a rule that leads there, and the job has no variables.
pub(super) fn is_alike_everywhere(job: &Yaml) -> bool {
    let Yaml::Mapping(entries) = job else { return false };
    let mut items = entries
        .iter()
        .filter(|(key, _)| is_other_discovery(&key.text))
        .flat_map(|(key, value)| {
            value.items().unwrap_or_default().iter().map(|item| (&*key.text, item))
        })
        .peekable();
    let finds_something = items.peek().is_some();
    let is_same = finds_something && items.all(|(key, item)| !is_beside_the_agent(key, item));
    is_same && !has_variables(job) && !leads_beside_the_agent(job)
}

/// Whether a key of a job is a discovery other than Kubernetes.
pub(super) fn is_other_discovery(key: &str) -> bool {
    key == "static_configs" || key.ends_with("_sd_configs") && key != "kubernetes_sd_configs"
}

fn has_variables(job: &Yaml) -> bool {
    let mut found = false;
    job.each_scalar(&mut |scalar| found |= scalar.text.contains("$("));
    found
}

fn is_beside_the_agent(key: &str, item: &Yaml) -> bool {
    match key {
        "static_configs" => {
            let targets = item.get("targets").and_then(Yaml::items).unwrap_or_default();
            targets.iter().filter_map(Yaml::text).any(is_local)
        }
        "http_sd_configs" => is_local_url(item.get("url")),
        "file_sd_configs" => true,
        _ => false,
    }
}

/// Whether the job goes through a proxy beside the agent, or a rule sends it there (a blackbox exporter, say).
fn leads_beside_the_agent(job: &Yaml) -> bool {
    let rules = job.get("relabel_configs").and_then(Yaml::items).unwrap_or_default();
    let mut replacements = rules
        .iter()
        .filter(|rule| rule.get("target_label").and_then(Yaml::text) == Some("__address__"))
        .filter_map(|rule| rule.get("replacement").and_then(Yaml::text));
    is_local_url(job.get("proxy_url")) || replacements.any(is_local)
}

fn is_local_url(url: Option<&Yaml>) -> bool {
    let url = url.and_then(Yaml::text).unwrap_or_default();
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    is_local(authority.split('/').next().unwrap_or_default())
}

/// Whether that `host:port` is another one on each node.
fn is_local(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_local_ip = |ip: IpAddr| {
        let is_link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(), // a DNS cache of the node, above all
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        ip.is_loopback() || ip.is_unspecified() || is_link_local
    };
    host == "localhost" || host.parse().is_ok_and(is_local_ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn beside_the_agent_or_the_same_from_everywhere() {
        for (discovery, alike) in [
            ("static_configs: [{targets: [gateway.example:9091]}]", true),
            ("static_configs: [{targets: ['192.0.2.1:80', '[2001:db8::1]:80']}]", true),
            ("static_configs: [{targets: ['localhost:9090']}]", false),
            ("static_configs: [{targets: ['127.0.0.1:9090']}]", false),
            ("static_configs: [{targets: ['[::1]:9090']}]", false),
            ("static_configs: [{targets: ['$(NODE_NAME):9100']}]", false),
            ("static_configs: [{targets: [a:1]}, {targets: ['localhost:1']}]", false),
            ("http_sd_configs: [{url: 'http://127.0.0.1:9911/sd/pod'}]", false),
            ("http_sd_configs: [{url: 'http://sd.example/targets'}]", true),
            ("file_sd_configs: [{files: [/a.json]}]", false),
            ("dns_sd_configs: [{names: [a.example]}]", true),
            (
                "{dns_sd_configs: [{names: [a.example]}], file_sd_configs: [{files: [/a.json]}]}",
                false,
            ),
            ("static_configs: [{targets: ['169.254.20.10:9253']}]", false),
            ("static_configs: [{targets: ['[fe80::1]:80']}]", false),
            ("static_configs: [{targets: ['0.0.0.0:80']}]", false),
            ("{static_configs: [{targets: [a]}], proxy_url: 'http://localhost:1'}", false),
            ("{static_configs: [{targets: [a]}], proxy_url: 'http://proxy.example:1'}", true),
            (
                "{static_configs: [{targets: [a]}], relabel_configs: [{target_label: __address__, replacement: '127.0.0.1:9115'}]}",
                false,
            ),
            (
                "{static_configs: [{targets: [a]}], relabel_configs: [{target_label: __address__, replacement: 'blackbox.example:9115'}]}",
                true,
            ),
            ("static_configs: [{targets: [a], labels: {node: $(NODE_NAME)}}]", false),
            ("{static_configs: [{targets: [a]}], kubernetes_sd_configs: [{role: pod}]}", true),
            ("kubernetes_sd_configs: [{role: pod}]", false),
            ("static_configs: []", false),
            ("scheme: http", false),
        ] {
            let text = format!("scrape_configs:\n- {discovery}\n");
            let config = Config::read(&text).expect(discovery);
            assert_eq!(is_alike_everywhere(&config.jobs[0]), alike, "{discovery}");
        }
    }
}
