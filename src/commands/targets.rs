//! `targets`: one query's result, for people and scripts.

use super::cluster;
use super::error::CommandError;
use super::fetch::fetch;
use super::print::print;
use crate::cli::{Output, TargetsArgs};
use crate::index::EndpointsFrom;
use crate::kube::Timing;
use crate::sd::{self, Answers, Question};
use crate::sidecar::Sidecar;
use crate::targets::Profile;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A target group as http_sd has it.
#[derive(Deserialize)]
struct Group {
    targets: Vec<String>,
    labels: BTreeMap<String, String>,
}

/// How long the API server or the sidecar may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The columns of the table: the labels that tell one target from another.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("NAMESPACE", &["namespace"]),
    (
        "SERVICE",
        &["service_name", "endpointslice_label_kubernetes_io_service_name", "endpoints_name"],
    ),
    (
        "POD OR NODE",
        &[
            "pod_name",
            "node_name",
            "endpointslice_address_target_name",
            "endpoint_address_target_name",
        ],
    ),
    ("CONTAINER", &["pod_container_name"]),
    ("PORT", &["endpointslice_port_name", "endpoint_port_name", "pod_container_port_name"]),
];

/// Prints the targets of the query.
///
/// # Errors
/// If the query is malformed, or the sidecar or the API server cannot be asked.
pub(super) async fn targets(args: TargetsArgs) -> Result<(), CommandError> {
    let asked = args.query.trim_start_matches("/sd/");
    let (role, query) = asked.split_once('?').map_or((asked, None), |(role, q)| (role, Some(q)));
    // What a running sidecar makes of slices it says itself.
    let endpoints_from = match args.node_name {
        Some(_) => args.endpoints.into(),
        None => EndpointsFrom::Slices,
    };
    let parsed = sd::parse(role, query, endpoints_from)
        .map_err(|error| CommandError::Usage(format!("query {asked:?}: {error}")))?;
    let body = match &args.node_name {
        Some(node) => {
            let client = cluster::client(&args.cluster).await?;
            let sidecar = Sidecar::start(node, endpoints_from, client, Timing::alone());
            let answers = Answers::new(
                Arc::clone(&sidecar.snapshots),
                Arc::clone(&sidecar.demand),
                Arc::clone(&sidecar.board),
            );
            let profile = parsed.compat.unwrap_or(Profile::Latest);
            let question = Question::new(parsed, profile);
            let answer = answers.answer(question, asked.len(), PATIENCE).await;
            answer.map_err(|error| CommandError::Failure(error.to_string()))?.body
        }
        None => {
            let url = format!("{}/sd/{asked}", args.url.trim_end_matches('/'));
            fetch(&url, PATIENCE).await?
        }
    };
    match args.output {
        Output::Json => print(&format!("{}\n", String::from_utf8_lossy(&body)))?,
        Output::Table => {
            let groups: Vec<Group> = serde_json::from_slice(&body).map_err(|error| {
                CommandError::Failure(format!("not an http_sd answer: {error}"))
            })?;
            print(&table(&groups))?;
        }
    }
    Ok(())
}

fn table(groups: &[Group]) -> String {
    let header = std::iter::once("ADDRESS").chain(COLUMNS.map(|(title, _)| title));
    let mut rows = vec![header.map(str::to_owned).collect::<Vec<_>>()];
    for Group { targets, labels } in groups {
        let label = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| labels.get(&format!("__meta_kubernetes_{name}")))
                .map_or("-", String::as_str)
                .to_owned()
        };
        for address in targets {
            let row = std::iter::once(address.clone());
            rows.push(row.chain(COLUMNS.map(|(_, names)| label(names))).collect());
        }
    }
    aligned(&rows)
}

/// Lays rows out in columns, two blanks apart.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let mut widths = vec![0; rows.iter().map(Vec::len).max().unwrap_or(0)];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
