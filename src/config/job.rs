//! One scrape job: what becomes of it on a node.

use super::alike::{is_alike_everywhere, is_other_discovery};
use super::discovery::{Discovery, DiscoveryError};
use super::narrowing::Narrowing;
use super::options::Options;
use super::rule::{Rule, RuleError};
use super::{sharding, url, variables};
use crate::sd;
use crate::yaml::{Scalar, Yaml};

/// Why a job cannot be rewritten with certainty. It keeps its last good form, or is left out.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Not a mapping, no name, or a key of a wrong type.
    #[error("{0}")]
    Malformed(String),
    /// A key twice in one mapping.
    #[error("the key {0} is there twice")]
    Twice(String),
    /// Another job has this name.
    #[error("another job before it has this name")]
    SameName,
    /// More than one way to authenticate.
    #[error("it has more than one authentication: {}", .0.join(" and "))]
    Authentications(Vec<&'static str>),
    /// A timeout that is longer than the interval.
    #[error(
        "its scrape_timeout is longer than its scrape_interval, or than that of the main file's global"
    )]
    Timeout,
    /// A rule that Prometheus refuses.
    #[error("{list}, rule {number}: {error}")]
    Rule {
        /// The key of the list.
        list: &'static str,
        /// Its number in the list, from 1.
        number: usize,
        /// What is wrong with it.
        error: RuleError,
    },
    /// Rules that may be sharding.
    #[error("its rules are not understood: {0}")]
    Sharding(String),
    /// A variable that nobody replaces.
    #[error("nothing fills the variable $({0}); --variables names those that are filled")]
    Variable(String),
    /// An entry of `kubernetes_sd_configs` that is not understood.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// A role that no version of Prometheus has.
    #[error("kubernetes_sd_configs has the unknown role {0:?}")]
    Role(String),
    /// A selector for a role that the discovery does not look at.
    #[error("role {role} has no selectors of role {selector:?}")]
    Selector {
        /// The discovery's role.
        role: String,
        /// The selector's role.
        selector: String,
    },
    /// The Pod's own namespace is asked for, and it is not known.
    #[error("own_namespace is asked for, but the own namespace is not known: set --namespace")]
    OwnNamespace,
    /// The sidecar itself would refuse the question.
    #[error("the sidecar would refuse the question: {0}")]
    Question(#[from] sd::QueryError),
}

/// A job that was rewritten.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// The job; nothing, if it has no discovery left.
    pub(super) job: Option<Yaml>,
    /// How many entries ask this sidecar now.
    pub(super) entries: usize,
    /// The entries that were dropped, and why.
    pub(super) dropped: Vec<String>,
}

/// What becomes of an entry of `kubernetes_sd_configs`.
enum Entry {
    /// It asks this sidecar.
    Local(String),
    /// It stays as it is.
    Kept,
    /// It goes, for that reason.
    Dropped(String),
}

const KUBERNETES: &str = "kubernetes_sd_configs";
const HTTP: &str = "http_sd_configs";
const RELABEL: &str = "relabel_configs";

/// The name of a job, if it has one.
pub(super) fn name(job: &Yaml) -> Option<&str> {
    job.get("job_name").and_then(Yaml::text).filter(|name| !name.is_empty())
}

/// Rewrites a job.
///
/// # Errors
/// If that cannot be done with certainty, or Prometheus would refuse the job.
pub(super) fn rewrite(mut job: Yaml, options: &Options) -> Result<Rewritten, Refusal> {
    check_keys(&job)?;
    check_authentications(&job)?;
    let mut rules = rules(&job, RELABEL)?;
    self::rules(&job, "metric_relabel_configs")?;
    let sharding = sharding::at_the_end(&rules);
    rules.truncate(rules.len() - sharding);
    if let Some(Yaml::Sequence(list)) = job.get_mut(RELABEL) {
        list.truncate(rules.len());
    }
    if let Some(what) = sharding::unknown(&rules) {
        return Err(Refusal::Sharding(what));
    }
    check_variables(&job, options)?;
    let why = if sharding > 0 && !options.keep_cluster_roles {
        // A Probe, for example: its shards share targets that belong to no node.
        Some("targets that are spread over shards and belong to no node")
    } else if options.leave_to_complement && is_alike_everywhere(&job) {
        Some("targets that every node would scrape alike")
    } else {
        None
    };
    let dropped = why.and_then(|why| drop_other_discovery(&mut job, why));
    if dropped.is_some() && job.get(KUBERNETES).is_none() {
        return Ok(Rewritten { job: None, entries: 0, dropped: dropped.into_iter().collect() });
    }
    let mut rewritten = rewrite_discovery(job, &rules, options)?;
    rewritten.dropped.extend(dropped);
    Ok(rewritten)
}

/// Takes away all discovery but that of Kubernetes, for that reason; says so if there is any, or none at all.
fn drop_other_discovery(job: &mut Yaml, why: &str) -> Option<String> {
    let Yaml::Mapping(entries) = job else { return None };
    let before = entries.len();
    entries.retain(|(key, _)| !is_other_discovery(&key.text));
    let is_of_kubernetes = entries.iter().any(|(key, _)| key.text == KUBERNETES);
    (entries.len() < before || !is_of_kubernetes).then(|| why.to_owned())
}

/// Whether all variables in it are filled by someone.
///
/// # Errors
/// If one is not.
pub(super) fn check_variables(node: &Yaml, options: &Options) -> Result<(), Refusal> {
    let mut unfilled = None;
    node.each_scalar(&mut |scalar| {
        let filled = |name: &&str| options.variables.iter().any(|known| known == name);
        let name = variables::names(&scalar.text).find(|name| !filled(name));
        unfilled = unfilled.or(name);
    });
    unfilled.map_or(Ok(()), |name| Err(Refusal::Variable(name.to_owned())))
}

fn rewrite_discovery(job: Yaml, rules: &[Rule], options: &Options) -> Result<Rewritten, Refusal> {
    let Yaml::Mapping(entries) = job else {
        return Err(Refusal::Malformed("a job must be a mapping".to_owned()));
    };
    let (mut rewritten, mut dropped) = (0, Vec::new());
    let mut written: Vec<(Scalar, Yaml)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if key.text != KUBERNETES {
            written.push((key, value));
            continue;
        }
        let (mut local, mut kept) = (Vec::new(), Vec::new());
        let items = value.items().ok_or_else(|| must_be(KUBERNETES, "a list"))?;
        for item in items {
            match rewrite_entry(item, rules, options)? {
                Entry::Local(url) => local.push(http_sd(url, options)),
                Entry::Kept => kept.push(item.clone()),
                Entry::Dropped(why) => dropped.push(why),
            }
        }
        rewritten = local.len();
        for (key, items) in [(HTTP, local), (KUBERNETES, kept)] {
            if !items.is_empty() {
                written.push((Scalar::plain(key), Yaml::Sequence(items)));
            }
        }
    }
    join_http(&mut written)?;
    let discovers = |(key, _): &(Scalar, Yaml)| {
        key.text.ends_with("_sd_configs") || key.text == "static_configs"
    };
    let left = dropped.is_empty() || written.iter().any(discovers);
    Ok(Rewritten { job: left.then_some(Yaml::Mapping(written)), entries: rewritten, dropped })
}

/// A job with an `http_sd_configs` of its own has two now.
fn join_http(entries: &mut Vec<(Scalar, Yaml)>) -> Result<(), Refusal> {
    let at = |(key, _): &(Scalar, Yaml)| key.text == HTTP;
    let (Some(first), Some(last)) = (entries.iter().position(at), entries.iter().rposition(at))
    else {
        return Ok(());
    };
    if first != last {
        let (_, more) = entries.remove(last);
        let more = more.items().ok_or_else(|| must_be(HTTP, "a list"))?.to_vec();
        match &mut entries[first].1 {
            Yaml::Sequence(items) => items.extend(more),
            other if other.is_null() => *other = Yaml::Sequence(more),
            _ => return Err(must_be(HTTP, "a list")),
        }
    }
    Ok(())
}

fn rewrite_entry(entry: &Yaml, rules: &[Rule], options: &Options) -> Result<Entry, Refusal> {
    let mut discovery = Discovery::read(entry)?;
    if discovery.role == "node" {
        // Prometheus takes these there, and they mean nothing.
        (discovery.own_namespace, discovery.namespaces, discovery.attach) = Default::default();
    }
    let allowed: &[&str] = match &*discovery.role {
        "pod" => &["pod", "node"],
        "node" => &["node"],
        "service" => &["service"],
        "ingress" => &["ingress"],
        "endpoints" => &["pod", "service", "endpoints"],
        "endpointslice" => &["pod", "service", "endpointslice"],
        role => return Err(Refusal::Role(role.to_owned())),
    };
    let role = &discovery.role;
    if let Some(selector) = discovery.selectors.iter().find(|s| !allowed.contains(&&*s.role)) {
        return Err(Refusal::Selector { role: role.clone(), selector: selector.role.clone() });
    }
    if let Some(other) = other_cluster(&discovery, options) {
        let why = || {
            format!(
                "role {role} of another cluster ({other}); if it is this one, say so with --own-api-server"
            )
        };
        return Ok(if options.keep_other_clusters { Entry::Kept } else { Entry::Dropped(why()) });
    }
    if matches!(&**role, "service" | "ingress") {
        let why = || format!("role {role} belongs to no node");
        return Ok(if options.keep_cluster_roles { Entry::Kept } else { Entry::Dropped(why()) });
    }
    if discovery.own_namespace {
        let own = options.namespace.clone().ok_or(Refusal::OwnNamespace)?;
        discovery.namespaces.retain(|name| *name != own);
        discovery.namespaces.insert(0, own);
    }
    let narrowing = Narrowing::of(&discovery.role, rules);
    let url = url::url(&options.sd_url, &discovery, &narrowing);
    check_question(&url, options)?;
    Ok(Entry::Local(url))
}

/// Asks the sidecar's own parser, with a word in the place of each variable.
fn check_question(url: &str, options: &Options) -> Result<(), Refusal> {
    let filled: String = variables::pieces(url)
        .map(|piece| match piece {
            variables::Piece::Text(text) => text,
            variables::Piece::Variable(_) => "x",
        })
        .collect();
    let question = &filled[options.sd_url.len() + "/sd/".len()..];
    let (role, query) =
        question.split_once('?').map_or((question, None), |(role, query)| (role, Some(query)));
    sd::parse(role, query, options.endpoints_from)?;
    Ok(())
}

/// What makes it another cluster, if it is one.
fn other_cluster<'a>(discovery: &'a Discovery, options: &Options) -> Option<&'a str> {
    let Discovery { api_server, kubeconfig_file, .. } = discovery;
    let own = options.own_api_server.as_deref().unwrap_or_default().trim_end_matches('/');
    if !kubeconfig_file.is_empty() {
        Some(kubeconfig_file)
    } else {
        (!api_server.is_empty() && api_server.trim_end_matches('/') != own).then_some(api_server)
    }
}

fn http_sd(url: String, options: &Options) -> Yaml {
    Yaml::mapping([
        ("url", Yaml::string(url)),
        ("refresh_interval", Yaml::Scalar(Scalar::plain(options.refresh_interval.as_str()))),
    ])
}

/// Prometheus reads strictly: a key twice is an error for it.
fn check_keys(node: &Yaml) -> Result<(), Refusal> {
    match node {
        Yaml::Scalar(_) => Ok(()),
        Yaml::Sequence(items) => items.iter().try_for_each(check_keys),
        Yaml::Mapping(entries) => {
            let mut seen = std::collections::BTreeSet::new();
            entries.iter().try_for_each(|(key, value)| {
                if !seen.insert(&key.text) {
                    return Err(Refusal::Twice(key.text.clone()));
                }
                check_keys(value)
            })
        }
    }
}

fn check_authentications(job: &Yaml) -> Result<(), Refusal> {
    let ways = ["basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file"];
    let given =
        |way: &&str| job.get(way).is_some_and(|value| !value.is_null() && value.text() != Some(""));
    let given: Vec<&str> = ways.into_iter().filter(given).collect();
    if given.len() > 1 { Err(Refusal::Authentications(given)) } else { Ok(()) }
}

fn rules(job: &Yaml, list: &'static str) -> Result<Vec<Rule>, Refusal> {
    let Some(rules) = job.get(list) else { return Ok(Vec::new()) };
    let rules = rules.items().ok_or_else(|| must_be(list, "a list"))?;
    let read = |(index, rule)| {
        Rule::read(rule).map_err(|error| Refusal::Rule { list, number: index + 1, error })
    };
    rules.iter().enumerate().map(read).collect()
}

fn must_be(key: &str, what: &str) -> Refusal {
    Refusal::Malformed(format!("{key} must be {what}"))
}
