//! Faults of the API server, in virtual time. Each is played four times: from the start, when nothing has
//! been listed yet, and against a sidecar that serves more than 50 targets; with endpoints that are
//! derived and with slices that are read. What is measured is the table in docs/reliability.md.

mod play;
mod prometheus;
mod replaced;
mod rows;
mod table;
mod weather;

use nodelocal_sd::index::EndpointsFrom;
pub(crate) use play::{cluster, most_within};
pub(crate) use prometheus::REFRESH;
pub(crate) use rows::{Row, row, rows};

use play::{Begins, Figures, play};
use table::{Documented, documented, print};

/// The document, with a row for each fault.
const DOCUMENT: &str = include_str!("../../../docs/reliability.md");

/// Those that `FAULTS` names, between semicolons; without it all.
fn wanted() -> Vec<Row> {
    let Ok(names) = std::env::var("FAULTS") else { return rows() };
    let names: Vec<&str> = names.split(';').collect();
    let wanted: Vec<_> =
        rows().into_iter().filter(|row| names.contains(&row.name.as_str())).collect();
    assert_eq!(wanted.len(), names.len(), "FAULTS={names:?} names what is no row");
    wanted
}

/// All faults in virtual time, the same delays in each run.
fn play_all(begins: Begins, from: EndpointsFrom) -> Vec<Result<Figures, String>> {
    let time = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let played = wanted().into_iter().map(|row: Row| {
        fastrand::seed(1); // for each, so that one fault does not change the delays of the next
        let result = time.block_on(play(&row, begins, from));
        result.map_err(|error| format!("{}, {begins:?}, {from:?}: {error}", row.name))
    });
    played.collect()
}

/// No fault loses a target, gives an empty answer, or makes a flood of requests; and none does more than
/// the document says.
#[test]
fn matrix() {
    let ways = [
        (Begins::AtTheStart, EndpointsFrom::default()),
        (Begins::OnceSynced, EndpointsFrom::default()),
        (Begins::AtTheStart, EndpointsFrom::Slices),
        (Begins::OnceSynced, EndpointsFrom::Slices),
    ];
    let played: Vec<Vec<_>> = std::thread::scope(|scope| {
        let threads = ways.map(|(begins, from)| scope.spawn(move || play_all(begins, from)));
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let failures: Vec<&str> =
        played.iter().flatten().filter_map(|one| one.as_ref().err()).map(String::as_str).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let worst = wanted().into_iter().enumerate().map(|(number, row)| {
        let ways = played.iter().filter_map(|way| way[number].as_ref().ok());
        (row.name, ways.copied().fold(Figures::default(), Figures::or))
    });
    let worst: Vec<(String, Figures)> = worst.collect();
    let proposed: Vec<_> =
        worst.iter().map(|(name, figures)| Documented::of(name, figures.with_room())).collect();
    println!("{}", print(&proposed));
    let measured: Vec<_> =
        worst.iter().map(|(name, figures)| Documented::of(name, *figures)).collect();
    let mut documented = documented(DOCUMENT);
    if std::env::var_os("FAULTS").is_some() {
        documented.retain(|row| measured.iter().any(|one| one.name == row.name));
    }
    let worse: Vec<_> = measured
        .iter()
        .filter(|one| !documented.iter().any(|row| row.allows(one)))
        .map(|one| &one.name)
        .collect();
    assert!(
        worse.is_empty() && measured.len() == documented.len(),
        "docs/reliability.md has {} faults of {}, and promises more of {worse:?}; what it can promise:\n{}",
        documented.len(),
        measured.len(),
        print(&proposed)
    );
}
