//! Which API server is meant.

use super::error::CommandError;
use crate::cli::ClusterArgs;
use crate::kube::{ConnectError, Source, connect};
use std::path::PathBuf;

/// Makes a client for the API server that the arguments name.
///
/// # Errors
/// If the configuration cannot be used; that the server does not answer is no error.
pub(super) async fn client(args: &ClusterArgs) -> Result<kube::Client, CommandError> {
    let kubeconfig = |paths| Source::Kubeconfig { paths, context: args.context.clone() };
    let source = match &args.kubeconfig {
        // The environment variable may name several, as for kubectl.
        Some(paths) if !paths.is_empty() => kubeconfig(
            std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty()).collect(),
        ),
        _ => match kubectls_own() {
            Some(path) => kubeconfig(vec![path]),
            None if args.context.is_some() => {
                return Err(CommandError::Usage(
                    "--context: no kubeconfig has it; pass --kubeconfig".to_owned(),
                ));
            }
            None => Source::InCluster,
        },
    };
    connect(&source).await.map_err(|error: ConnectError| CommandError::Usage(error.to_string()))
}

/// Outside a Pod, the file that kubectl would take.
fn kubectls_own() -> Option<PathBuf> {
    let is_in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let file = PathBuf::from(std::env::var_os("HOME")?).join(".kube/config");
    (!is_in_pod && file.is_file()).then_some(file)
}
