//! Which API server is meant.

use super::error::CommandError;
use crate::cli::ClusterArgs;
use crate::kube::{ConnectError, Source, connect};

/// Makes a client for the API server that the arguments name.
///
/// # Errors
/// If the configuration cannot be used; that the server does not answer is no error.
pub(super) async fn client(args: &ClusterArgs) -> Result<kube::Client, CommandError> {
    let source = match &args.kubeconfig {
        Some(paths) if !paths.is_empty() => Source::Kubeconfig {
            // The environment variable may name several, as for kubectl.
            paths: std::env::split_paths(paths)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            context: args.context.clone(),
        },
        _ => Source::InCluster,
    };
    connect(&source).await.map_err(|error: ConnectError| CommandError::Usage(error.to_string()))
}
