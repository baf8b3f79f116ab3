//! The table in docs/reliability.md: a row for each fault, with steps in place of exact figures, because
//! delays are random.

use super::play::Figures;
use std::fmt::Write as _;
use std::time::Duration;

/// The steps of a duration, as the document spells them.
const STEPS: [(u64, &str); 8] = [
    (0, "at once"),
    (10, "10 s"),
    (30, "30 s"),
    (60, "1 min"),
    (120, "2 min"),
    (240, "4 min"),
    (360, "6 min"),
    (600, "10 min"),
];
/// Beyond the last step.
const THROUGHOUT: &str = "the fault";
/// The steps of requests in a minute, over ten.
const PER_MINUTE: [usize; 7] = [3, 5, 10, 15, 20, 25, 30];

const ONE_STEP: usize = 5;

/// The table's head, by which it is found.
const HEAD: &str =
    "| fault | targets lost | stale, at most | requests a minute, at most | right again within |";

/// What the document says of a fault.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Documented {
    pub(super) name: String,
    stale: usize,
    per_minute: usize,
    recovery: usize,
}

// === impl Documented ===

impl Documented {
    /// The steps that these figures fall into.
    pub(super) fn of(name: &str, figures: Figures) -> Self {
        let minutes = figures.requests.div_ceil(10);
        Self {
            name: name.to_owned(),
            stale: step(figures.stale),
            per_minute: PER_MINUTE.into_iter().find(|step| minutes <= *step).unwrap_or(minutes),
            recovery: step(figures.recovery),
        }
    }

    /// Whether what was measured is no worse than this, or by one step: what ends in another order draws other
    /// delays.
    pub(super) fn allows(&self, measured: &Self) -> bool {
        self.name == measured.name
            && measured.stale <= self.stale + 1
            && measured.per_minute <= self.per_minute + ONE_STEP
            && measured.recovery <= self.recovery + 1
    }

    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, "0", stale, per_minute, recovery] = cells[..] else { return None };
        Some(Self {
            name: name.to_owned(),
            stale: step_called(stale)?,
            per_minute: per_minute.parse().ok()?,
            recovery: step_called(recovery)?,
        })
    }
}

/// The rows of a document's table.
pub(super) fn documented(document: &str) -> Vec<Documented> {
    let lines = document.lines().skip_while(|line| *line != HEAD).skip(2);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| Documented::parse(line).unwrap_or_else(|| panic!("not a row: {line}")))
        .collect()
}

/// The table as the document has it.
pub(super) fn print(rows: &[Documented]) -> String {
    let mut text = format!("{HEAD}\n|---|---|---|---|---|\n");
    for Documented { name, stale, per_minute, recovery } in rows {
        let (stale, recovery) = (called(*stale), called(*recovery));
        let _ = writeln!(text, "| {name} | 0 | {stale} | {per_minute} | {recovery} |");
    }
    text
}

fn step(duration: Duration) -> usize {
    STEPS.iter().position(|(seconds, _)| duration.as_secs() <= *seconds).unwrap_or(STEPS.len())
}

fn called(step: usize) -> &'static str {
    STEPS.get(step).map_or(THROUGHOUT, |(_, called)| called)
}

fn step_called(text: &str) -> Option<usize> {
    (0..=STEPS.len()).find(|step| called(*step) == text)
}
