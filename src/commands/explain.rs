//! `explain`: why a Pod is, or is not, a target.

use super::cluster;
use super::error::CommandError;
use super::fetch::{FetchError, fetch};
use super::print::print;
use crate::cli::{ClusterArgs, ExplainArgs, TextOrJson};
use crate::explain::{Asked, Explanation, Verdict, text};
use crate::http::App;
use crate::index::EndpointsFrom;
use crate::kube::Timing;
use crate::sd::Compat;
use crate::sidecar::Sidecar;
use std::time::Duration;

/// How long the API server or the sidecar may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints the explanation.
///
/// # Errors
/// If the question is malformed, or cannot be asked; after everything is printed, if the Pod is no target, or that
/// could not be found out.
pub(super) async fn explain(args: ExplainArgs) -> Result<(), CommandError> {
    if args.node_name.is_none() && is_for_the_api_server(&args.cluster) {
        let why = "--kubeconfig and --context are for asking the API server: add --node-name NODE, or leave them out";
        return Err(CommandError::Usage(why.to_owned()));
    }
    let question = question(&args);
    // What a running sidecar makes of slices it says itself.
    let endpoints_from = match args.node_name {
        Some(_) => args.endpoints.into(),
        None => EndpointsFrom::Slices,
    };
    let asked = Asked::parse(Some(&question), endpoints_from)
        .map_err(|error| CommandError::Usage(error.to_string()))?;
    let explanation = match &args.node_name {
        Some(node) => {
            let client = cluster::client(&args.cluster).await?;
            let sidecar = Sidecar::start(node, endpoints_from, client, Timing::alone());
            let app = App::new(&sidecar, Compat::Auto, None);
            let explained = app.explain(&asked, "", PATIENCE).await;
            explained.map_err(|error| CommandError::Usage(error.to_string()))?
        }
        None => of_sidecar(&args.url, &question).await?,
    };
    match args.output {
        TextOrJson::Text => print(&text(&explanation))?,
        TextOrJson::Json => {
            let json = serde_json::to_string_pretty(&explanation)
                .map_err(|error| CommandError::Failure(error.to_string()))?;
            print(&format!("{json}\n"))?;
        }
    }
    match explanation.verdict {
        Verdict::Target => Ok(()),
        Verdict::NotTarget => Err(CommandError::Answered(1)),
        Verdict::Unknown => Err(CommandError::Answered(3)),
    }
}

/// Whether flags say how to reach the API server. Where the environment alone does, they were not meant for this command.
fn is_for_the_api_server(cluster: &ClusterArgs) -> bool {
    let ClusterArgs { kubeconfig, context } = cluster;
    context.is_some() || kubeconfig.is_some() && *kubeconfig != std::env::var_os("KUBECONFIG")
}

/// The question as in the URL of `/debug/explain`.
fn question(args: &ExplainArgs) -> String {
    let mut question = form_urlencoded::Serializer::new(String::new());
    question.append_pair("pod", &args.pod);
    for (name, value) in [("query", &args.query), ("job", &args.job)] {
        if let Some(value) = value {
            question.append_pair(name, value);
        }
    }
    question.finish()
}

async fn of_sidecar(url: &str, question: &str) -> Result<Explanation, CommandError> {
    let url = format!("{}/debug/explain?{question}", url.trim_end_matches('/'));
    let body = fetch(&url, PATIENCE).await.map_err(|error| match &error {
        FetchError::Url(..) | FetchError::NoScheme(..) => CommandError::Usage(error.to_string()),
        // What it refuses is the question.
        FetchError::Refused { status, reason, .. } if status.as_u16() == 400 => {
            CommandError::Usage(reason.clone())
        }
        FetchError::Refused { status, .. } if status.as_u16() == 404 => CommandError::Unknown(
            format!("{error}; is it a sidecar of an older version? It must have /debug/explain"),
        ),
        FetchError::Refused { .. } | FetchError::Unreachable(..) => {
            CommandError::Unknown(error.to_string())
        }
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        CommandError::Unknown(format!("GET {url}: not an explanation of this version: {error}"))
    })
}
