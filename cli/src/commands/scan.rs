//! `healthsync scan`: pair this computer with a server, by its QR code or the text of it.

use healthsync_pairing::{enroll::client::By, invite::Invite};

use crate::{
    args,
    enrol::{Attempt, Wishes},
    error::CliError,
    scan::{self, picture},
    settings::Settings,
};

/// Where the code comes from.
enum Source<'a> {
    Prompt,
    Stdin,
    Picture(&'a std::path::Path),
}

/// Pairs.
pub(crate) async fn run(scan: &args::Scan, settings: &Settings) -> Result<(), CliError> {
    let source = source(scan, settings)?;
    let wishes = Wishes::new(&scan.newcomer, settings)?;

    // With `--new-key` the code comes into being after the key, else nothing is asked in vain.
    let early = match source {
        _ if scan.new_key => None,
        ref source => Some(read(source, settings).await?),
    };
    let attempt = Attempt::begin(&wishes, settings)?;
    if scan.new_key {
        attempt.tell_key()?;
    }
    let invite = match early {
        Some(invite) => invite,
        None => read(&source, settings).await?,
    };
    warn_if_expired(&invite, settings);
    attempt.run(By::Invite(&invite)).await
}

fn source<'a>(scan: &'a args::Scan, settings: &Settings) -> Result<Source<'a>, CliError> {
    if let Some(path) = &scan.file {
        return Ok(Source::Picture(path));
    }
    match scan.text.as_deref() {
        Some("-") => Ok(Source::Stdin),
        // What stands there is not repeated: it may be a code without its beginning.
        Some(_) => Err(CliError::usage("`--text` takes `-` only, a code is never an argument")
            .with_hint("paste the code at the prompt of `healthsync scan`, or pipe it in: `healthsync scan --text -`")),
        None if settings.can_ask => Ok(Source::Prompt),
        None if scan.new_key => Ok(Source::Stdin),
        None => Err(CliError::usage("there is no terminal to ask at")
            .with_hint("pipe the code in: `healthsync scan --text -`, or name a picture of it: `healthsync scan --file IMAGE`")),
    }
}

async fn read(source: &Source<'_>, settings: &Settings) -> Result<Invite, CliError> {
    match source {
        Source::Prompt => scan::from_prompt(settings).await,
        Source::Stdin => scan::from_reader(tokio::io::BufReader::new(tokio::io::stdin())).await,
        Source::Picture(path) => picture::from_file(path),
    }
}

/// The server's clock decides; ours may be wrong.
fn warn_if_expired(invite: &Invite, settings: &Settings) {
    if invite.expires_at < settings.environment.clock.now() {
        settings.printer.warn(
            "the code has expired by this computer's clock; if the server agrees, open a new one with `healthsync-server pair`",
        );
    }
}
