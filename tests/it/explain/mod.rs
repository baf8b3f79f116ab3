//! Why a Pod is, or is not, a target: each reason, as JSON and by the command, from the one implementation.

mod cluster;
mod elsewhere;
mod jobs;
mod page;
mod reasons;

use crate::commands::run;
use crate::support::http::get;
use nodelocal_sd::explain::{Explanation, Outcome, Step, Verdict};

/// What is asked, as in a URL; the verdict; and what the decisive step says: what should hold, and why it does not.
/// For a target: a step that passed, and what is said of it.
type Row = (&'static str, Verdict, &'static str, &'static str);

/// Asks at both doors, and judges what they say.
async fn judge(url: &str, (asked, verdict, what, why): Row) {
    let json = get(&format!("{url}/debug/explain?{asked}")).await.unwrap();
    let explanation: Explanation = serde_json::from_str(&json).unwrap();
    assert_eq!(explanation.verdict, verdict, "{asked}: {json}");
    let wanted = match verdict {
        Verdict::Target => Outcome::Passed,
        Verdict::NotTarget => Outcome::Failed,
        Verdict::Unknown => Outcome::Unknown,
    };
    let says = |step: &Step| {
        let said = format!("{} {}", step.why, step.hint.as_deref().unwrap_or_default());
        step.outcome == wanted && step.what.contains(what) && said.contains(why)
    };
    assert!(steps(&explanation).any(says), "{asked}: {what}: {why}\n{json}");
    only_the_last_step_fails(&explanation);

    // The command says the same, and its exit code the verdict.
    let arguments = arguments(url, asked);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (code, text, err) = run(&arguments).await;
    let expected = match verdict {
        Verdict::Target => 0,
        Verdict::NotTarget => 1,
        Verdict::Unknown => 3,
    };
    assert_eq!((code, &*err), (expected, ""), "{asked}: {text}"); // the answer says it all
    assert!(text.starts_with(&explanation.headline), "{asked}: {text}");
    for step in steps(&explanation) {
        assert!(text.contains(&step.why), "{asked}: {text}");
        assert!(text.contains(step.hint.as_deref().unwrap_or_default()), "{asked}: {text}");
    }
    let (json_code, printed, _) = run(&[&arguments[..], &["--output", "json"]].concat()).await;
    assert_eq!((json_code, printed.trim_end()), (code, json.trim_end()), "{asked}");
}

/// The same question to the command.
fn arguments(url: &str, asked: &str) -> Vec<String> {
    let mut parts = asked.split('&');
    let pod = parts.next().unwrap().strip_prefix("pod=").unwrap();
    let mut arguments =
        vec!["explain".to_owned(), pod.to_owned(), "--url".to_owned(), url.to_owned()];
    let rest: Vec<&str> = parts.collect();
    match &*rest {
        [] => {}
        [job] if job.starts_with("job=") => {
            arguments.extend(["--job".to_owned(), job["job=".len()..].to_owned()]);
        }
        [role, rest @ ..] => {
            let role = role.strip_prefix("role=").unwrap();
            arguments.extend(["--query".to_owned(), format!("/sd/{role}?{}", rest.join("&"))]);
        }
    }
    arguments
}

fn steps(explanation: &Explanation) -> impl Iterator<Item = &Step> {
    explanation.steps.iter().chain(explanation.chains.iter().flat_map(|chain| &chain.steps))
}

fn only_the_last_step_fails(explanation: &Explanation) {
    let chains = explanation.chains.iter().map(|chain| &chain.steps);
    for steps in chains.chain([&explanation.steps]) {
        let all_but_last = &steps[..steps.len().saturating_sub(1)];
        assert!(all_but_last.iter().all(|step| step.outcome == Outcome::Passed), "{steps:?}");
    }
    for chain in &explanation.chains {
        assert_eq!(chain.verdict == Verdict::Target, !chain.targets.is_empty(), "{chain:?}");
    }
}
