//! The command line, as typed. What it means is decided in [`crate::commands`].

use crate::file_sd::FileQuery;
use crate::index::{self, PodSelector};
use crate::kube::Impersonation;
use crate::objects::is_dns_subdomain;
use crate::operator::Version;
use crate::sd::Compat;
use crate::selector::LabelSelector;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Serves one Kubernetes node's Prometheus targets over http_sd.
#[derive(Debug, Parser)]
#[command(name = "nodelocal-sd", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The sidecar: watches the API server and serves http_sd
    Run(Box<RunArgs>),
    /// The sidecar against an embedded API simulator whose example cluster keeps changing
    #[cfg(feature = "simulator")]
    Demo(DemoArgs),
    /// The embedded API simulator alone, on loopback, for Prometheus and tests
    #[cfg(feature = "simulator")]
    Simulate(SimulateArgs),
    /// Prints what a query serves, from a running sidecar or straight from the API server
    Targets(TargetsArgs),
    /// Says why a Pod is, or is not, a target: step by step, with the reason where it got lost
    Explain(ExplainArgs),
    /// Prints a Prometheus configuration whose jobs ask this sidecar instead of the API server
    Rewrite(RewriteArgs),
    /// Judges PrometheusAgents, monitors and manifests of ours: what they do in DaemonSet mode
    Check(CheckArgs),
    /// Prints how a PrometheusAgent or a Prometheus moves to the nodes: manifests, and the steps there and back
    Migrate(MigrateArgs),
}

/// Logging, for every command; logs go to standard error.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// Log filter: a level, or directives such as info,nodelocal_sd=debug [default: info; demo: warn]
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER")]
    pub log_level: Option<String>,
    /// Log format
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How to reach the API server.
#[derive(Clone, Debug, Args)]
pub struct ClusterArgs {
    /// Kubeconfig file; without it, the ServiceAccount of the Pod is used, or, outside one, ~/.kube/config
    // A plain string, because the variable may be set and empty.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", value_parser = clap::value_parser!(OsString))]
    pub kubeconfig: Option<OsString>,
    /// Context of the kubeconfig, instead of its current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The node whose targets are served
    #[arg(
        long, env = "NODE_NAME", value_name = "NODE", value_parser = node_name,
        required_unless_present = "complement"
    )]
    pub node_name: Option<String>,
    /// Instead of a node's targets, whatever its name: what no node serves.
    #[command(flatten)]
    pub complement: ComplementArgs,
    /// Where http_sd and the debug pages are served
    #[arg(long, default_value = "127.0.0.1:9911", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where health checks and metrics are served; 0.0.0.0 is every address, those of IPv6 too
    #[arg(long, default_value = "0.0.0.0:9912", value_name = "ADDRESS")]
    pub admin_listen: SocketAddr,
    /// How to reach the API server.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Whether Pods and the Node are read as the own node (Kubernetes 1.36), so that the API server refuses those
    /// of others
    #[arg(long, value_enum, default_value_t = ImpersonateNode::Auto, conflicts_with = "complement")]
    pub impersonate_node: ImpersonateNode,
    /// How targets are found and labelled.
    #[command(flatten)]
    pub discovery: DiscoveryArgs,
    /// What outlives a restart.
    #[command(flatten)]
    pub state: StateArgs,
    /// Files beside http_sd.
    #[command(flatten)]
    pub file_sd: FileSdArgs,
    /// The agent's configuration.
    #[command(flatten)]
    pub agent: AgentArgs,
}

/// Whether Pods and the Node are read as the own node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImpersonateNode {
    /// Where the server allows it.
    Auto,
    /// Always; nothing is read where it is refused.
    On,
    /// Never.
    Off,
}

/// What outlives a restart.
#[derive(Clone, Debug, Args)]
pub struct StateArgs {
    /// Folder for what must outlive a restart: the last good targets, above all
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Where the machine tells that it was started again: targets from before are not served
    #[arg(long, default_value = "/proc/sys/kernel/random/boot_id", value_name = "FILE")]
    pub boot_id_file: PathBuf,
}

/// Files beside http_sd.
#[derive(Clone, Debug, Args)]
pub struct FileSdArgs {
    /// The targets of a query as a file_sd file NAME.json, too: web=/sd/endpointslice?namespace=shop, for example
    #[arg(long, requires = "file_sd_dir", value_name = "NAME=/sd/ROLE?QUERY")]
    pub file_sd: Vec<FileQuery>,
    /// Folder of these files, which Prometheus reads; none is ever removed
    #[arg(long, requires = "file_sd", value_name = "FOLDER")]
    pub file_sd_dir: Option<PathBuf>,
}

/// The complement of the nodes.
#[derive(Clone, Debug, Args)]
pub struct ComplementArgs {
    /// Serve what no node's sidecar serves, instead of a node's targets: one for each cluster, beside an
    /// ordinary agent. The flags about endpoints say what the nodes' sidecars do
    // No conflict with the node's name: that may be in the environment.
    #[arg(long, conflicts_with = "leave_to_complement")]
    pub complement: bool,
    /// The Pods of the nodes' agents: the targets of nodes without a ready one are served, too
    #[arg(long, requires = "complement", value_name = "NAMESPACE/LABELSELECTOR", value_parser = pods)]
    pub agents: Option<PodSelector>,
    /// For how long a node may be without a ready agent before its targets are served here
    #[arg(long, requires = "agents", default_value = "5m", value_name = "DURATION", value_parser = duration)]
    pub agent_delay: Duration,
}

/// The agent's configuration.
#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// A Prometheus configuration to rewrite whenever it changes, plain or gzipped
    #[arg(long, requires = "config_out", value_name = "FILE")]
    pub config_in: Option<PathBuf>,
    /// More jobs to add: a configuration, of which scrape_configs is taken, or a list of jobs
    #[arg(long, requires = "config_in", value_name = "FILE")]
    pub jobs_from: Vec<PathBuf>,
    /// Where the rewritten configuration is put
    #[arg(long, requires = "config_in", value_name = "FILE")]
    pub config_out: Option<PathBuf>,
    /// Who is told by a POST that it has changed: Prometheus' /-/reload, for example
    #[arg(long, requires = "config_out", value_name = "URL")]
    pub reload_url: Option<http::Uri>,
    /// How long a change of configuration is held that would remove more than 30 % of this node's targets
    #[arg(long, default_value = "15m", value_name = "DURATION", value_parser = duration)]
    pub config_hold: Duration,
    /// Nodes take a change of configuration at different moments within this time
    #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = duration)]
    pub config_spread: Duration,
    /// What the rewritten configuration says.
    #[command(flatten)]
    pub rewriting: RewritingArgs,
}

/// How targets are found and labelled.
#[derive(Clone, Debug, Args)]
pub struct DiscoveryArgs {
    /// Where endpoints come from.
    #[command(flatten)]
    pub endpoints: EndpointsArgs,
    /// Pods whose targets no node serves, but the complement; the same on the nodes and there
    #[arg(long, value_name = "NAMESPACE/LABELSELECTOR", value_parser = pods)]
    pub exclude: Vec<PodSelector>,
    /// Label profile: auto, 2.53, 3.5, 3.11 or latest
    #[arg(long, default_value = "auto", value_name = "PROFILE")]
    pub compat: Compat,
}

/// Where endpoints come from.
#[derive(Clone, Copy, Debug, Args)]
pub struct EndpointsArgs {
    /// Where endpoints come from
    #[arg(long, value_enum, default_value_t = EndpointsFrom::Pods)]
    pub endpoints_from: EndpointsFrom,
    /// With pods: which slices that the endpointslice controller does not manage are watched
    #[arg(long, value_enum, default_value_t = ForeignSlices::Auto)]
    pub foreign_slices: ForeignSlices,
    /// With pods: the address of a kubelet, as prometheus-operator's flag of that name says
    #[arg(long, value_enum, default_value_t = AddressPriority::Internal)]
    pub kubelet_node_address_priority: AddressPriority,
}

/// Where endpoints come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EndpointsFrom {
    /// Computed from this node's Pods and the Services' selectors.
    Pods,
    /// All EndpointSlices (role endpoints: all Endpoints) are watched and filtered to this node.
    Slices,
}

/// Which slices that the endpointslice controller does not manage are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ForeignSlices {
    /// Those in namespaces with a Service that has no selector.
    Auto,
    /// All.
    All,
    /// None.
    Off,
}

/// Which address of a Node comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AddressPriority {
    /// InternalIP.
    Internal,
    /// ExternalIP.
    External,
}

/// `demo`.
#[cfg(feature = "simulator")]
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// The node whose targets are served
    #[arg(long, default_value = "node-a", value_name = "NODE", value_parser = node_name)]
    pub node_name: String,
    /// File or folder of Kubernetes YAML to serve instead of the example cluster
    #[arg(long, value_name = "PATH")]
    pub manifests: Option<PathBuf>,
    /// Where endpoints come from.
    #[command(flatten)]
    pub endpoints: EndpointsArgs,
    /// Where http_sd and the debug pages are served
    #[arg(long, default_value = "127.0.0.1:9911", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where health checks and metrics are served
    #[arg(long, default_value = "127.0.0.1:9912", value_name = "ADDRESS")]
    pub admin_listen: SocketAddr,
    /// Files beside http_sd.
    #[command(flatten)]
    pub file_sd: FileSdArgs,
}

/// `simulate`.
#[cfg(feature = "simulator")]
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// File or folder of Kubernetes YAML to serve instead of the example cluster
    #[arg(long, value_name = "PATH")]
    pub manifests: Option<PathBuf>,
    /// Where the API is served; loopback only, because it asks nobody who they are
    #[arg(long, default_value = "127.0.0.1:9913", value_name = "ADDRESS")]
    pub listen: SocketAddr,
}

/// `targets`.
#[derive(Clone, Debug, Args)]
pub struct TargetsArgs {
    /// The query, as in the URL: endpointslice, or pod?namespace=shop&attach=node
    #[arg(default_value = "endpointslice", value_name = "ROLE[?QUERY]")]
    pub query: String,
    /// A running sidecar
    #[arg(long, default_value = "http://127.0.0.1:9911", value_name = "URL")]
    pub url: String,
    /// Ask the API server for the targets of this node, instead of a running sidecar
    #[arg(long, conflicts_with = "url", value_name = "NODE", value_parser = node_name)]
    pub node_name: Option<String>,
    /// How to reach the API server.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Where endpoints come from, if the API server is asked.
    #[command(flatten)]
    pub endpoints: EndpointsArgs,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The Pod
    #[arg(value_name = "NAMESPACE/POD")]
    pub pod: String,
    /// A query that should find it, as in a URL: /sd/endpointslice?namespace=shop, pod?port=metrics, or a whole URL of a
    /// rewritten configuration [default: pod, and endpointslice, with nothing selected]
    #[arg(long, value_name = "ROLE[?QUERY]")]
    pub query: Option<String>,
    /// A job of the agent's configuration that should have it: its queries, and its relabelling
    #[arg(long, conflicts_with_all = ["query", "node_name"], value_name = "NAME")]
    pub job: Option<String>,
    /// A running sidecar
    #[arg(long, default_value = "http://127.0.0.1:9911", value_name = "URL")]
    pub url: String,
    /// Ask the API server what the sidecar of this node would find, instead of a running one
    #[arg(long, conflicts_with = "url", value_name = "NODE", value_parser = node_name)]
    pub node_name: Option<String>,
    /// How to reach the API server.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Where endpoints come from, if the API server is asked.
    #[command(flatten)]
    pub endpoints: EndpointsArgs,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub output: TextOrJson,
}

/// `rewrite`.
#[derive(Clone, Debug, Args)]
pub struct RewriteArgs {
    /// The configuration, plain or gzipped; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// More jobs to add: a configuration, of which scrape_configs is taken, or a list of jobs
    #[arg(long, value_name = "FILE")]
    pub jobs_from: Vec<PathBuf>,
    /// For the complement: keep the jobs that are not for nodes
    #[arg(long, conflicts_with_all = ["leave_to_complement", "keep_other_clusters", "keep_cluster_roles"])]
    pub complement: bool,
    /// What the rewritten configuration says.
    #[command(flatten)]
    pub rewriting: RewritingArgs,
    /// What the sidecar will be told about endpoints.
    #[command(flatten)]
    pub endpoints: EndpointsArgs,
}

/// `migrate`.
#[derive(Clone, Debug, Args)]
pub struct MigrateArgs {
    /// The PrometheusAgent (in StatefulSet mode) or the Prometheus, read from the API server
    #[arg(
        value_name = "NAMESPACE/NAME",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    pub source: Option<String>,
    /// The same from a file, or a folder, in which there is one; - is standard input
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// What it is [default: whichever there is]
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: Option<MigratedKind>,
    /// How to reach the API server.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The image of this program, as nodes pull it
    #[arg(long, default_value = "nodelocal-sd", value_name = "IMAGE")]
    pub image: String,
    /// Folder for the manifests, and for STEPS.md and REVERT.md, instead of one stream on standard output
    #[arg(long, value_name = "FOLDER")]
    pub output_dir: Option<PathBuf>,
    /// How many replicas of each shard it has when it runs [default: those of its manifest; it must be said where that has 0]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub replicas: Option<u32>,
    /// The way back instead of the way there
    #[arg(long)]
    pub revert: bool,
}

/// What can be migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MigratedKind {
    /// A PrometheusAgent.
    Prometheusagent,
    /// A Prometheus.
    Prometheus,
}

/// `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Files and folders of Kubernetes YAML or JSON, as they are applied; - is standard input
    #[arg(required_unless_present = "live", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Read what the API server has, too
    #[arg(long)]
    pub live: bool,
    /// How to reach the API server, if it is asked.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The version of prometheus-operator and its CRDs [default: that of a CRD that is read, or the newest known]
    #[arg(long, value_name = "VERSION")]
    pub operator_version: Option<Version>,
    /// Format of the output
    #[arg(long, visible_alias = "format", value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// What a rewritten configuration says.
#[derive(Clone, Debug, Args)]
pub struct RewritingArgs {
    /// Where Prometheus reaches this sidecar [default: its own --listen, or http://127.0.0.1:9911]
    #[arg(long, value_name = "URL")]
    pub sd_url: Option<String>,
    /// How often Prometheus asks this sidecar
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = refresh_interval)]
    pub refresh_interval: String,
    /// The api_server in configurations that means this cluster
    #[arg(long, value_name = "URL")]
    pub own_api_server: Option<String>,
    /// The namespace that own_namespace in configurations means
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Where the files lie that configurations name below /etc/prometheus/certs: those of --jobs-from, if
    /// there is one
    #[arg(long, value_name = "FOLDER")]
    pub certs_dir: Option<String>,
    /// The $(VARIABLES) that config-reloader fills
    #[arg(long, value_delimiter = ',', default_value = "NODE_NAME,POD_NAME", value_name = "NAMES")]
    pub variables: Vec<String>,
    /// Keep discovery in other clusters; every node will scrape what it finds
    #[arg(long)]
    pub keep_other_clusters: bool,
    /// Keep discovery of Services and Ingresses; every node will scrape what it finds
    #[arg(long)]
    pub keep_cluster_roles: bool,
    /// Leave jobs to the complement that every node would scrape alike: static ones, for example, but not
    /// those on loopback
    #[arg(long)]
    pub leave_to_complement: bool,
}

/// Format of what `explain` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// A line for each step.
    Text,
    /// What `/debug/explain` answers.
    Json,
}

/// Format of what `targets` and `check` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A line for each target, with the labels that tell it from others; for each finding.
    Table,
    /// The answer as Prometheus gets it; all that is known of each finding.
    Json,
}

// === impl ImpersonateNode ===

impl From<ImpersonateNode> for Impersonation {
    fn from(typed: ImpersonateNode) -> Self {
        match typed {
            ImpersonateNode::Auto => Self::Auto,
            ImpersonateNode::On => Self::On,
            ImpersonateNode::Off => Self::Off,
        }
    }
}

// === impl EndpointsArgs ===

impl From<EndpointsArgs> for index::EndpointsFrom {
    fn from(args: EndpointsArgs) -> Self {
        match args.endpoints_from {
            EndpointsFrom::Slices => Self::Slices,
            EndpointsFrom::Pods => Self::Pods(index::Deriving {
                foreign_slices: match args.foreign_slices {
                    ForeignSlices::Auto => index::ForeignSlices::Auto,
                    ForeignSlices::All => index::ForeignSlices::All,
                    ForeignSlices::Off => index::ForeignSlices::Off,
                },
                kubelet_address: match args.kubelet_node_address_priority {
                    AddressPriority::Internal => index::KubeletAddress::InternalFirst,
                    AddressPriority::External => index::KubeletAddress::ExternalFirst,
                },
            }),
        }
    }
}

/// Checked, because Prometheus refuses the whole configuration otherwise.
fn refresh_interval(text: &str) -> Result<String, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be at least 1s".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// Some Pods of a namespace.
fn pods(text: &str) -> Result<PodSelector, String> {
    let (namespace, labels) = text
        .split_once('/')
        .filter(|(namespace, labels)| is_dns_subdomain(namespace) && !labels.is_empty())
        .ok_or(
            "give a namespace and a label selector, such as kube-system/app=kube-state-metrics",
        )?;
    let labels = LabelSelector::parse(labels).map_err(|error| error.to_string())?;
    Ok(PodSelector { namespace: namespace.into(), labels })
}

/// Seconds, minutes or hours, as `90s`, `15m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_secs(720 * 3600);
    let seconds = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        _ => None,
    };
    let parse = || {
        let unit = text.chars().next_back()?;
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(Duration::from_secs(number.checked_mul(seconds(unit)?)?))
    };
    let duration = parse().filter(|duration| *duration <= MOST);
    duration.ok_or_else(|| {
        "a duration is a whole number with s, m or h, such as 15m, and at most 720h".to_owned()
    })
}

/// Checked, because it goes into a field selector that must select one node and nothing else.
fn node_name(text: &str) -> Result<String, String> {
    if is_dns_subdomain(text) {
        Ok(text.to_owned())
    } else {
        Err("a node name is lower-case letters, digits, '-' and '.', as `kubectl get nodes` prints it"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names() {
        for good in ["a", "node-1", "ip-10-0-0-1.eu-west-1.compute.internal", "1"] {
            assert!(node_name(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a_b", "a,b", "a=b", "-a", "a.", "a..b", &"a".repeat(254)] {
            assert!(node_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pods_of_a_namespace() {
        for good in ["a/b=c", "kube-system/app.kubernetes.io/name in (x, y),z"] {
            assert!(pods(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "a/", "/b=c", "A/b=c", "a/b c", "b=c"] {
            assert!(pods(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3600), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "s",
            "15",
            "1d",
            "-1s",
            "1.5m",
            "721h",
            "99999999999999999999h",
            "9999999999999999999h",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_definition_holds_together() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
