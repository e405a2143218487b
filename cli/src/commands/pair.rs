//! `healthsync pair`: pair this computer with a server, by the short code that it shows.

use std::net::SocketAddr;

use healthsync_core::api::Code;
use healthsync_pairing::{
    code::TypedCode,
    enroll::{client::By, pake},
};
use tokio::time::Duration;

use super::discover::listen;
use crate::{
    args,
    client::resolve,
    enrol::{Attempt, Wishes},
    error::CliError,
    scan::typed,
    settings::Settings,
};

/// How long announcements are listened for: as long as `discover` does.
const LISTEN: Duration = Duration::from_secs(3);

/// Finds the server, takes the code, pairs.
pub(crate) async fn run(pair: &args::Pair, settings: &Settings) -> Result<(), CliError> {
    if !pake::AVAILABLE {
        return Err(CliError::usage("this build has no typed codes")
            .with_hint("paste the long text: `healthsync scan`"));
    }
    let from_stdin = from_stdin(pair, settings)?;
    let wishes = Wishes::new(&pair.newcomer, settings)?;
    let addresses = match &settings.host {
        Some(host) => resolve(host, settings).await?,
        None => window(settings).await?,
    };
    let code: TypedCode = if from_stdin {
        typed::from_reader(tokio::io::BufReader::new(tokio::io::stdin())).await?
    } else {
        typed::from_prompt(settings).await?
    };
    let attempt = Attempt::begin(&wishes, settings)?;
    attempt.run(By::Code(&code, &addresses)).await
}

fn from_stdin(pair: &args::Pair, settings: &Settings) -> Result<bool, CliError> {
    match pair.code.as_deref() {
        Some("-") => Ok(true),
        // What stands there is not repeated: it may be the code.
        Some(_) => Err(CliError::usage(
            "`--code` takes `-` only, a code is never an argument",
        )
        .with_hint(
            "type the code at the prompt of `healthsync pair`, or pipe it in: `healthsync pair --code -`",
        )),
        None if settings.can_ask => Ok(false),
        None => Err(CliError::usage("there is no terminal to ask at")
            .with_hint("pipe the code in: `healthsync pair --code -`")),
    }
}

/// The one server that announces a pairing window. What others announce is shown as addresses
/// alone: a name could be anybody's.
async fn window(settings: &Settings) -> Result<Vec<SocketAddr>, CliError> {
    if settings.no_mdns {
        return Err(CliError::usage("without mDNS the server must be named")
            .with_hint("give its address: `healthsync pair --host ADDRESS`"));
    }
    let printer = settings.printer;
    printer.note("Looking for a server that takes a new device ..");
    let found = listen(LISTEN).await?;
    let mut open = found
        .into_values()
        .filter(|found| found.announcement.has_window());
    let Some(only) = open.next() else {
        return Err(CliError::new(
            Code::WindowNotFound,
            "no server in this network has a pairing window open",
        ));
    };
    let others: Vec<String> = open.map(|found| list(&found.addresses)).collect();
    if others.is_empty() {
        printer.note(&format!("Found one at {}.", list(&only.addresses)));
        return Ok(only.addresses);
    }
    Err(CliError::new(
        Code::WindowAmbiguous,
        format!(
            "several servers have a pairing window open, at {}, and {}",
            list(&only.addresses),
            others.join(", and ")
        ),
    ))
}

fn list(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    addresses.join(" or ")
}
