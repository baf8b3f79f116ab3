//! The connection to the API server.

use http::header::{HeaderValue, USER_AGENT};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::path::PathBuf;
use std::time::Duration;
use tower::{BoxError, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

/// Where the API server is and who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The ServiceAccount of the Pod.
    InCluster,
    /// Kubeconfig files, merged as kubectl does it.
    Kubeconfig {
        /// The files.
        paths: Vec<PathBuf>,
        /// A context instead of the current one.
        context: Option<String>,
    },
    /// An API server that wants neither TLS nor a name: the simulator.
    Plain(http::Uri),
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not in a Pod, and no kubeconfig.
    #[error(
        "no API server: {0}. In a Pod, mount the ServiceAccount token; elsewhere, pass --kubeconfig"
    )]
    NotInCluster(#[source] kube::config::InClusterError),
    /// The kubeconfig is of no use.
    #[error("kubeconfig {path}: {source}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// What it says cannot be used for TLS or authentication.
    #[error("cannot set up the connection to {url}: {source}")]
    Client {
        /// The API server.
        url: String,
        /// What is wrong.
        source: Box<kube::Error>,
    },
}

/// Half-open connections are noticed within two minutes, whatever they carry.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_RETRIES: u32 = 3;
const CONNECT: Duration = Duration::from_secs(10);

/// Makes a client. Nothing is sent yet, so an API server that is away is no error here.
///
/// Built from kube's layers rather than by kube's builder: that one retries by itself, out of
/// sight of our budget, and logs bodies of answers.
///
/// # Errors
/// If the configuration cannot be used.
pub async fn connect(source: &Source) -> Result<kube::Client, ConnectError> {
    let config = match source {
        Source::InCluster => Config::incluster().map_err(ConnectError::NotInCluster)?,
        Source::Kubeconfig { paths, context } => {
            read(paths, context.clone()).await.map_err(|(path, source)| {
                ConnectError::Kubeconfig { path: path.display().to_string(), source }
            })?
        }
        Source::Plain(url) => Config::new(url.clone()),
    };
    client(&config).map_err(|source| ConnectError::Client {
        url: config.cluster_url.to_string(),
        source: Box::new(source),
    })
}

async fn read(
    paths: &[PathBuf],
    context: Option<String>,
) -> Result<Config, (PathBuf, KubeconfigError)> {
    let mut merged = Kubeconfig::default();
    for path in paths {
        let named = |error| (path.clone(), error);
        merged = merged.merge(Kubeconfig::read_from(path).map_err(named)?).map_err(named)?;
    }
    let authority = authority_file(&merged, context.as_deref());
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let named = |error| (paths.first().cloned().unwrap_or_default(), error);
    let mut config = Config::from_custom_kubeconfig(merged, &options).await.map_err(named)?;
    config.root_cert_file = authority;
    Ok(config)
}

/// The file with the certificate authorities, which kube reads again when a minute has passed. For a
/// Pod's own it does so by itself, as with every file that holds a token.
fn authority_file(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<PathBuf> {
    let context = context.or(kubeconfig.current_context.as_deref())?;
    let context =
        kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?;
    let cluster = cluster.cluster.as_ref()?;
    let file = cluster.certificate_authority.as_ref().map(PathBuf::from);
    file.filter(|_| cluster.certificate_authority_data.is_none())
}

fn client(config: &Config) -> Result<kube::Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(KEEPALIVE * (KEEPALIVE_RETRIES + 1)));
    let https = config.rustls_https_connector_with_connector(tcp)?;
    let http =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_request(|mut request: http::Request<Body>| {
            let name = concat!("nodelocal-sd/", env!("CARGO_PKG_VERSION"));
            request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(name));
            request
        })
        .layer(DecompressionLayer::new())
        .map_err(BoxError::from)
        .service(http);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}
