//! The version of the cluster.

use super::backoff::Backoff;
use super::decode::OBJECT_LIMIT;
use super::failure::Failure;
use super::pacer::Turn;
use super::reflector::{Context, delay_after};
use super::request::{self, Chunks, Form};
use crate::index::Controller;
use crate::status::{Entry, Outcome, Phase, Verb};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

/// Finds out which endpointslice controller the cluster has: that of the API server's version. Where that
/// cannot be found out, the newest is assumed. `entry` is where trouble is shown.
pub(super) async fn controller(context: &Context, entry: &Entry) -> Controller {
    let mut backoff = Backoff::default();
    loop {
        let failure = match controller_now(context, entry).await {
            Ok(controller) => return controller,
            Err(failure) => failure,
        };
        let message = format!("get /version: {failure}");
        if failure.needs_help() || matches!(failure, Failure::Garbled(_)) {
            warn!("{message}; Kubernetes 1.33 or later is assumed");
            entry.clear_trouble();
            return Controller::default();
        }
        entry.set_phase(Phase::Waiting);
        if entry.set_trouble(&message) {
            warn!("{message}");
        }
        sleep(delay_after(&failure, &mut backoff, &context.timing)).await;
    }
}

/// The same in one try.
pub(super) async fn controller_now(
    context: &Context,
    entry: &Entry,
) -> Result<Controller, Failure> {
    context.pacer.wait(Turn::Other).await;
    let read = read(context).await;
    let outcome = read.as_ref().map_or_else(Failure::outcome, |_| Outcome::Ok);
    entry.count_request(Verb::Get, outcome);
    let minor = read.inspect_err(|_| context.pacer.failed())?;
    entry.clear_trouble();
    debug!(minor, "read the version of the API server");
    Ok(Controller::of_minor(minor))
}

async fn read(context: &Context) -> Result<u32, Failure> {
    #[derive(Deserialize)]
    struct Version {
        minor: String,
    }
    let Context { client, timing, .. } = context;
    let until = Instant::now() + timing.page;
    let request = request::get("/version", Form::Full, true)?;
    let body = request::send(client, request, timing.headers).await?.into_body();
    let text = Chunks::new(body, timing.body_silence, until).all(OBJECT_LIMIT).await?;
    let garbled = |error: &dyn std::fmt::Display| Failure::Garbled(error.to_string());
    let Version { minor } = serde_json::from_slice(&text).map_err(|error| garbled(&error))?;
    // Some clouds write `33+`.
    let digits = minor.trim_end_matches(|c: char| !c.is_ascii_digit());
    digits.parse().map_err(|error| garbled(&error))
}
