//! `rewrite`: a configuration for a node, on standard output.

use super::error::CommandError;
use super::print::{print, remark};
use crate::cli::{RewriteArgs, RewritingArgs};
use crate::config::{self, Config, Fate, Job, Options};
use crate::index::EndpointsFrom;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// Where a Pod finds its own namespace.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Prints the rewritten configuration, and on standard error what became of jobs that are not simply in it.
///
/// # Errors
/// If a file cannot be read or is no configuration, or a job had to be left out. The others are printed.
pub(super) fn rewrite(args: &RewriteArgs) -> Result<(), CommandError> {
    let own_url = Options::default().sd_url;
    let has_more = !args.jobs_from.is_empty();
    let from = args.endpoints.into();
    let mut options = options(&args.rewriting, from, own_url, has_more)?;
    if args.complement {
        options = of_complement(options);
    }
    let main = read(&args.file)?;
    let others: Result<Vec<Config>, CommandError> =
        args.jobs_from.iter().map(|file| read(file)).collect();
    let rewriting = config::rewrite(main, others?, &options, &BTreeMap::new())
        .map_err(|error| CommandError::Usage(format!("{}: {error}", args.file.display())))?;
    print(&rewriting.config.to_string())?;
    let mut refused = 0;
    for Job { name, fate, dropped } in &rewriting.jobs {
        match fate {
            Fate::Refused(why) | Fate::LastGood(why) => {
                refused += 1;
                remark(&format!("job {name} is left out: {why}"));
            }
            Fate::Dropped => {
                remark(&format!("job {name} is not for nodes: {}", dropped.join("; ")));
            }
            Fate::Kept | Fate::Rewritten => {
                for why in dropped {
                    remark(&format!("job {name} is without {why}"));
                }
            }
        }
    }
    if refused > 0 {
        let jobs = rewriting.jobs.len();
        return Err(CommandError::Failure(format!(
            "{refused} of {jobs} jobs are left out, see above"
        )));
    }
    Ok(())
}

/// What the flags say about rewriting, by a sidecar that is at that URL unless they say another one.
///
/// # Errors
/// If `--sd-url` is no URL that can be extended.
pub(super) fn options(
    args: &RewritingArgs,
    endpoints_from: EndpointsFrom,
    own_url: String,
    has_more_files: bool,
) -> Result<Options, CommandError> {
    let sd_url = args.sd_url.clone().unwrap_or(own_url);
    let extensible = sd_url.starts_with("http://") || sd_url.starts_with("https://");
    if !extensible || sd_url.contains(['?', '#', '$']) {
        return Err(CommandError::Usage(format!(
            "--sd-url {sd_url}: give it as http://HOST:PORT, with a path if there is one before /sd"
        )));
    }
    let own = || std::fs::read_to_string(OWN_NAMESPACE).ok().map(|name| name.trim().to_owned());
    Ok(Options {
        sd_url: sd_url.trim_end_matches('/').to_owned(),
        refresh_interval: args.refresh_interval.clone(),
        own_api_server: args.own_api_server.clone(),
        namespace: args.namespace.clone().or_else(own),
        keep_other_clusters: args.keep_other_clusters,
        keep_cluster_roles: args.keep_cluster_roles,
        leave_to_complement: args.leave_to_complement,
        certs_dir: args.certs_dir.clone(),
        has_more_files,
        variables: args.variables.clone(),
        endpoints_from,
    })
}

/// The same for the complement: it reads slices, and has what is not for nodes.
pub(super) fn of_complement(options: Options) -> Options {
    Options {
        keep_other_clusters: true,
        keep_cluster_roles: true,
        endpoints_from: EndpointsFrom::Slices,
        ..options
    }
}

fn read(file: &Path) -> Result<Config, CommandError> {
    let name = if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| CommandError::Usage(format!("{name} cannot be read: {error}")))?;
    let text =
        config::text(bytes).map_err(|error| CommandError::Usage(format!("{name}: {error}")))?;
    Config::read(&text).map_err(|error| CommandError::Usage(format!("{name}: {error}")))
}
