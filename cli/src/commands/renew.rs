//! `healthsync cert renew`: a certificate for a new key, or whether it is time for one.

use healthsync_core::{report::Hint as _, time::rfc3339};
use healthsync_pairing::{certificate::Certificate, renewal};
use serde_json::json;

use crate::{client::Link, config::ConfigFile, error::CliError, keys, settings::Settings};

/// Exit code of `--check` when it is not time yet.
const NOT_DUE: u8 = 1;
/// Exit code when there is no certificate.
const NONE: u8 = 2;

/// Renews now, or with `check` only tells, without a network.
pub(crate) async fn run(check: bool, settings: &Settings) -> Result<(), CliError> {
    let outcome = if check {
        tell(settings)
    } else {
        renew(settings).await
    };
    outcome.map_err(|error| match error.code() {
        "NOT_PAIRED" | "KEY_MISSING" => error.exiting(NONE),
        _ => error,
    })
}

async fn renew(settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let (mut link, store) = Link::open_as_it_is(settings).await?;
    link.finish_renewal(&*store, settings).await?;
    Box::pin(link.renew(&*store, settings)).await?;
    if printer.json {
        return printer.object(&json!({
            "event": "renewed",
            "server": link.server.name,
            "pair": link.server.pair,
            "keyDigest": link.credentials.key.digest().to_string(),
            "validUntil": link.last_day(),
        }));
    }
    printer.note(&format!(
        "Renewed: a new key and a certificate for it, valid until {}.",
        link.last_day()
    ));
    Ok(())
}

fn tell(settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let server = ConfigFile::new(&settings.config)
        .load()?
        .select(settings.server.as_deref())?
        .clone();
    let credentials = keys::credentials(&server, settings)?;
    let leaf = Certificate::from_der(&credentials.leaf).map_err(|error| {
        CliError::new(healthsync_core::api::Code::KeyMissing, error.to_string())
    })?;
    // No chance here: who asks twice gets the same answer.
    let due = renewal::is_due(&leaf, settings.environment.clock.now(), 0);
    let end = rfc3339(leaf.not_after.saturating_mul(1000));
    if printer.json {
        printer.object(&json!({
            "event": "check", "server": server.name, "pair": server.pair, "due": due, "notAfter": end,
        }))?;
    } else {
        printer.note(&format!(
            "{}: this computer's certificate ends at {end}.",
            if due { "Due" } else { "Not due" }
        ));
    }
    if due {
        Ok(())
    } else {
        Err(CliError::answer(NOT_DUE))
    }
}
