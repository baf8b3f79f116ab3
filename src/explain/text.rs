//! An explanation for a terminal.

use super::explanation::{Chain, Explanation, Outcome, Step};
use std::fmt::Write as _;

/// The verdict first, then step by step.
pub fn text(explanation: &Explanation) -> String {
    let Explanation { pod: _, share, question, verdict: _, headline, steps, chains } = explanation;
    let mut text = format!("{headline}\n\nasked of {share}: {question}\n");
    steps.iter().for_each(|step| add_step(&mut text, step));
    for Chain { query, steps, targets, .. } in chains {
        let _ = writeln!(text, "\n{query}");
        steps.iter().for_each(|step| add_step(&mut text, step));
        for target in targets {
            let _ = writeln!(text, "  target {}: {}", target.address, target.from);
        }
    }
    // What objects and rules say must not draw on the terminal.
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}

fn add_step(text: &mut String, Step { what, outcome, why, hint }: &Step) {
    let mark = match outcome {
        Outcome::Passed => "yes",
        Outcome::Failed => "NO ",
        Outcome::Unknown => "?  ",
    };
    let one_line = |text: &str| text.replace('\n', " ");
    let _ = writeln!(text, "  {mark}  {}: {}", one_line(what), one_line(why));
    if let Some(hint) = hint {
        let _ = writeln!(text, "       {}", one_line(hint));
    }
}
