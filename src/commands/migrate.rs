//! `migrate`: the plan for one agent, on standard output or in a folder.

use super::error::CommandError;
use super::print::{print, remark};
use super::{cluster, manifests};
use crate::cli::{MigrateArgs, MigratedKind};
use crate::kube::{self, NotListed};
use crate::migrate::{Kind, Old, Plan, Settings};
use crate::objects::is_dns_subdomain;
use crate::operator::Manifest;
use std::path::{Path, PathBuf};

/// What the files of a folder are called that are no manifests.
const THERE: &str = "STEPS.md";
const BACK: &str = "REVERT.md";

/// Prints the plan, or writes it.
///
/// # Errors
/// If the agent cannot be read or migrated, or the files cannot be written.
pub(super) async fn migrate(args: &MigrateArgs) -> Result<(), CommandError> {
    let manifest = match (&args.from, &args.source) {
        (Some(file), _) => from_file(file, args.kind)?,
        (None, Some(source)) => from_cluster(args, source).await?,
        (None, None) => {
            return Err(CommandError::Usage("name NAMESPACE/NAME, or --from FILE".to_owned()));
        }
    };
    let old = Old::read(&manifest, args.replicas)
        .map_err(|error| CommandError::Failure(error.to_string()))?;
    let folder = match &args.output_dir {
        Some(folder) => folder.clone(),
        None => PathBuf::from(format!("{}-to-nodes", old.name)),
    };
    let settings = Settings {
        image: args.image.clone(),
        folder: quoted(&folder.display().to_string()),
        command: (args.from.as_deref() != Some(Path::new("-")))
            .then(|| command(args, &old, &folder)),
    };
    let plan = Plan::new(old, &settings);
    let Some(folder) = &args.output_dir else {
        return print(&if args.revert { plan.back() } else { plan.stream() });
    };
    let files = plan.files.iter().map(|file| (file.name, file.text()));
    let files = files.chain([(THERE, plan.steps()), (BACK, plan.back())]);
    let failed = |path: &Path, error: std::io::Error| {
        CommandError::Failure(format!("{} cannot be written: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    let next = if args.revert { BACK } else { THERE };
    remark(&format!("read {} first", folder.join(next).display()));
    Ok(())
}

/// The one agent in the file.
fn from_file(file: &Path, kind: Option<MigratedKind>) -> Result<Manifest, CommandError> {
    let mut found = Vec::new();
    for manifests in manifests::read(file) {
        found.extend(manifests.map_err(|error| CommandError::Usage(error.to_string()))?);
    }
    let kinds = kinds(kind);
    let others = match &*named(&found) {
        "" => "and nothing else".to_owned(),
        names => format!("only {names}"),
    };
    found.retain(|manifest| Kind::of(manifest).is_some_and(|of| kinds.contains(&of)));
    let wrong = |what: &str| Err(CommandError::Usage(format!("--from {}: {what}", file.display())));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => wrong(&format!("there is no {} in it, {others}", either(&kinds))),
        _ => wrong(&format!("it has more than one: {}; leave one", named(&found))),
    }
}

/// The kinds that are looked for.
fn kinds(kind: Option<MigratedKind>) -> Vec<Kind> {
    kind.map_or_else(|| vec![Kind::Agent, Kind::Server], |kind| vec![kind.into()])
}

/// Their names, after "no".
fn either(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and no ")
}

/// The first of some objects, and how many more there are.
fn named(objects: &[Manifest]) -> String {
    const NAMED: usize = 3;
    let mut names: Vec<String> = objects.iter().take(NAMED).map(Manifest::to_string).collect();
    if objects.len() > NAMED {
        names.push(format!("{} more", objects.len() - NAMED));
    }
    names.join(", ")
}

/// The object that the API server has.
async fn from_cluster(args: &MigrateArgs, source: &str) -> Result<Manifest, CommandError> {
    let (namespace, name) = source
        .split_once('/')
        .filter(|(namespace, name)| is_dns_subdomain(namespace) && is_dns_subdomain(name))
        .ok_or_else(|| CommandError::Usage(format!("{source:?} is not NAMESPACE/NAME")))?;
    let client = cluster::client(&args.cluster).await?;
    let kinds = kinds(args.kind);
    let mut found = Vec::new();
    for kind in &kinds {
        let path = kind.path(namespace, name);
        match kube::get(&client, &path).await {
            Ok(text) => {
                let objects = Manifest::read("the API server", &text)
                    .map_err(|error| CommandError::Failure(format!("GET {path}: {error}")))?;
                found.extend(objects);
            }
            Err(NotListed::Absent(_)) => {}
            Err(error) => return Err(CommandError::Failure(error.to_string())),
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(CommandError::Failure(format!("there is no {} {source}", either(&kinds)))),
        _ => Err(CommandError::Usage(format!(
            "there are a PrometheusAgent and a Prometheus {source}: say which with --kind"
        ))),
    }
}

/// The command that writes the same files again.
fn command(args: &MigrateArgs, old: &Old, folder: &Path) -> String {
    let mut words = vec!["nodelocal-sd".to_owned(), "migrate".to_owned()];
    match &args.from {
        Some(file) => words.extend(["--from".to_owned(), file.display().to_string()]),
        None => words.push(format!("{}/{}", old.namespace, old.name)),
    }
    if args.kind.is_some() {
        words.push(format!("--kind={}", old.kind.name().to_ascii_lowercase()));
    }
    words.extend(args.replicas.map(|number| format!("--replicas={number}")));
    words.push(format!("--image={}", args.image));
    words.push(format!("--output-dir={}", folder.display()));
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

// === impl MigratedKind ===

impl From<MigratedKind> for Kind {
    fn from(kind: MigratedKind) -> Self {
        match kind {
            MigratedKind::Prometheusagent => Self::Agent,
            MigratedKind::Prometheus => Self::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        for (word, expected) in [
            ("a/b-c.d", "a/b-c.d"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
