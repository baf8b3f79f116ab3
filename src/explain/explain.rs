//! From what is known to an explanation.

use super::chain::chain;
use super::explanation::{Explanation, Outcome, Step, Verdict};
use super::known::{Asking, Known};
use super::pod;
use crate::objects::ObjectKey;

/// Why that Pod is, or is not, a target of what is asked.
pub fn explain(key: &ObjectKey, asking: Asking<'_>, known: &Known<'_>) -> Explanation {
    let Asking { about, mut steps, questions, job } = asking;
    let pod = match decisive(&steps) {
        Some(_) => None,
        None => pod::find(known, key, &mut steps),
    };
    let chains: Vec<_> = pod
        .map(|pod| questions.iter().map(|asked| chain(known, pod, asked, job)).collect())
        .unwrap_or_default();
    let share = known.snapshot.share.to_string();
    let (verdict, said) = match decisive(&steps) {
        Some(step) => {
            let not_found_out = step.outcome == Outcome::Unknown;
            let verdict = if not_found_out { Verdict::Unknown } else { Verdict::NotTarget };
            let word = if not_found_out { "not known to be a target" } else { "not a target" };
            (verdict, format!("{word} of {share}: {}", step.why))
        }
        None => {
            let verdict = chains.iter().map(|chain| chain.verdict).min();
            let said: Vec<&str> = chains.iter().map(|chain| &*chain.headline).collect();
            (verdict.unwrap_or(Verdict::NotTarget), said.join("; "))
        }
    };
    Explanation {
        pod: key.to_string(),
        share,
        question: about,
        verdict,
        headline: format!("{key} is {said}"),
        steps,
        chains,
    }
}

/// The step that ends everything, if there is one.
fn decisive(steps: &[Step]) -> Option<&Step> {
    steps.last().filter(|step| step.outcome != Outcome::Passed)
}
