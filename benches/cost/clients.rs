//! The clients of a fleet: the sidecar's own code, many times in one process.

use crate::objects::{Size, node};
use crate::process::Process;
use nodelocal_sd::index::EndpointsFrom;
use nodelocal_sd::kube::{Source, Timing, connect};
use nodelocal_sd::sd::{Answers, Question, parse};
use nodelocal_sd::sidecar::Sidecar;
use nodelocal_sd::targets::Profile;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// The measurement that only this program itself asks for.
pub(crate) const COMMAND: &str = "clients";

/// What a client that has its targets says.
const SYNCED: &str = "synced";

/// How often a client is asked again, lest it closes its watches.
const EVERY: Duration = Duration::from_secs(60);

/// Starts clients in a process of their own; also says where their log is.
pub(crate) fn start(
    kubeconfig: &Path,
    numbers: Range<usize>,
    size: Size,
    folder: &Path,
) -> (Process, PathBuf) {
    let this = std::env::current_exe().expect("this program has a path");
    let Range { start, end } = numbers;
    let log = folder.join(format!("clients-{start}.log"));
    let mut arguments: Vec<String> =
        [start, end, size.nodes].iter().map(ToString::to_string).collect();
    arguments.insert(0, COMMAND.to_owned());
    arguments.push(kubeconfig.display().to_string());
    (Process::start(&this, &arguments, log.clone()), log)
}

/// How many have their targets, by their log.
pub(crate) fn synced(log: &Path) -> usize {
    std::fs::read_to_string(log).unwrap_or_default().lines().filter(|line| *line == SYNCED).count()
}

/// Is such a process: clients with these numbers, on as many nodes as there are, over and over.
pub(crate) async fn run(numbers: Range<usize>, nodes: usize, kubeconfig: PathBuf) {
    let source = Source::Kubeconfig { paths: vec![kubeconfig], context: None };
    let mut clients = JoinSet::new();
    for number in numbers {
        let source = source.clone();
        clients.spawn(async move { client(&node(number % nodes), &source).await });
    }
    clients.join_all().await;
}

async fn client(node: &str, source: &Source) {
    let from = EndpointsFrom::default();
    let client = connect(source).await.expect("a good kubeconfig");
    let sidecar = Sidecar::start(node, from, client, Timing::default());
    let answers = Answers::new(
        Arc::clone(&sidecar.snapshots),
        Arc::clone(&sidecar.demand),
        Arc::clone(&sidecar.board),
    );
    let mut clock = tokio::time::interval(EVERY);
    let mut synced = false;
    loop {
        clock.tick().await;
        let query = parse("endpointslice", None, from).expect("a good query");
        let question = Question::new(query, Profile::Latest);
        let answer = answers.answer(question, 0, EVERY).await;
        if answer.is_ok() && !synced {
            synced = true;
            println!("{SYNCED}");
        }
    }
}
