//! Jobs that every node would scrape alike.
//!
//! What a job finds without Kubernetes is either beside the agent (its own Pod, a file in it), or the same from
//! everywhere, and then one agent is enough.

use crate::yaml::Yaml;
use std::net::IpAddr;

/// Whether a job without discovery of Kubernetes finds the same from every node: nothing of it is on loopback,
/// in a file, or named by a variable.
pub(super) fn is_alike_everywhere(job: &Yaml) -> bool {
    let Yaml::Mapping(entries) = job else { return false };
    let discovers = |key: &str| key == "static_configs" || key.ends_with("_sd_configs");
    let mut items = entries
        .iter()
        .filter(|(key, _)| discovers(&key.text))
        .flat_map(|(key, value)| {
            value.items().unwrap_or_default().iter().map(|item| (&*key.text, item))
        })
        .peekable();
    items.peek().is_some() && items.all(|(key, item)| !is_beside_the_agent(key, item))
}

fn is_beside_the_agent(key: &str, item: &Yaml) -> bool {
    match key {
        "static_configs" => {
            let targets = item.get("targets").and_then(Yaml::items).unwrap_or_default();
            targets.iter().filter_map(Yaml::text).any(is_local)
        }
        "http_sd_configs" => {
            let url = item.get("url").and_then(Yaml::text).unwrap_or_default();
            let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
            is_local(authority.split('/').next().unwrap_or_default())
        }
        "file_sd_configs" => true,
        _ => false,
    }
}

/// Whether that `host:port` is another one on each node.
fn is_local(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    address.contains("$(") || host == "localhost" || is_loopback
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
            ("static_configs: []", false),
            ("scheme: http", false),
        ] {
            let text = format!("scrape_configs:\n- {discovery}\n");
            let config = Config::read(&text).expect(discovery);
            assert_eq!(is_alike_everywhere(&config.jobs[0]), alike, "{discovery}");
        }
    }
}
