//! `check`: manifests, judged.

use super::error::CommandError;
use super::manifests::{self, ReadError};
use super::print::print;
use super::targets::aligned;
use super::{cluster, live_objects};
use crate::check::{self, Finding, Settings, Severity};
use crate::cli::{CheckArgs, Output};
use crate::operator::Manifest;
use std::collections::BTreeSet;
use std::path::Path;

/// Prints what was found.
///
/// # Errors
/// If a path or the kubeconfig cannot be used; after everything is printed, if there is a negative verdict, or
/// something could not be found out.
pub(super) async fn check(args: &CheckArgs) -> Result<(), CommandError> {
    let (mut objects, mut findings) = (Vec::new(), Vec::new());
    for path in &args.paths {
        if path != Path::new("-") && !path.exists() {
            let path = path.display();
            return Err(CommandError::Usage(format!(
                "{path} cannot be read: there is no such file"
            )));
        }
        let files = manifests::read(path);
        findings.extend(nothing_in(path, &files));
        for file in files {
            match file {
                Ok(read) => objects.extend(read),
                Err(error) => {
                    findings.push(Finding::unknown(
                        error.to_string(),
                        "nothing in this file is judged",
                    ));
                }
            }
        }
    }
    let mut complete = false;
    if args.live {
        let client = cluster::client(&args.cluster).await?;
        let live = live_objects::read(&client).await;
        complete = live.gaps.is_empty();
        // What is about to be applied counts, in the place of what is there.
        let given: BTreeSet<[&str; 4]> = objects.iter().map(Manifest::identity).collect();
        let is_new = |object: &Manifest| !given.contains(&object.identity());
        let new: Vec<Manifest> = live.objects.into_iter().filter(is_new).collect();
        objects.extend(new);
        findings.extend(live.gaps);
    }
    let settings = Settings { operator: args.operator_version, complete };
    let (operator, judged) = check::check(&objects, &settings);
    findings.extend(judged);
    match args.output {
        Output::Table => print(&aligned(&check::table(&findings)))?,
        Output::Json => print(&format!("{:#}\n", check::json(&findings, operator)))?,
    }
    outcome(&findings)
}

/// What is said of a path at which all can be read, and no object is.
fn nothing_in(path: &Path, files: &[Result<Vec<Manifest>, ReadError>]) -> Option<Finding> {
    if !files.iter().all(|file| file.as_ref().is_ok_and(Vec::is_empty)) {
        return None;
    }
    let what = match (path == Path::new("-"), files.len()) {
        (true, _) => "standard input has no object".to_owned(),
        (false, 0) => format!("{} has no file *.yaml, *.yml or *.json", path.display()),
        (false, 1) if path.is_file() => format!("{} has no object", path.display()),
        (false, count) => format!("{} has no object in its files ({count})", path.display()),
    };
    Some(Finding::unknown(what, "nothing of it is judged; see that what makes it has not failed"))
}

fn outcome(findings: &[Finding]) -> Result<(), CommandError> {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (negative, unknown) = (of(Severity::Negative), of(Severity::Unknown));
    if negative > 0 {
        return Err(CommandError::Failure(format!("negative verdicts: {negative}, see above")));
    }
    if unknown > 0 {
        return Err(CommandError::Unknown(format!("not found out: {unknown}, see above")));
    }
    Ok(())
}
