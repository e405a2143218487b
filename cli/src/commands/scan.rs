//! `healthsync scan`: pair this computer with a server, by its QR code or the text of it.

use std::path::Path;

use healthsync_core::api::Code;
use healthsync_pairing::{enroll::client::By, invite::Invite};

use crate::{
    args,
    enrol::{Attempt, Wishes},
    error::CliError,
    scan::{
        self, camera,
        clipboard::{self, Copied, Holder, Used},
        picture, screen,
    },
    settings::{Display, Settings},
};

/// Where the code comes from.
enum Source<'a> {
    /// The clipboard if it holds one, else the prompt.
    Anywhere,
    Camera,
    Clipboard,
    Picture(&'a Path),
    Prompt,
    Screen,
    Stdin,
}

/// A code, and what in the clipboard holds it, if it comes from there.
struct Given {
    invite: Invite,
    holder: Option<Holder>,
}

impl From<Invite> for Given {
    fn from(invite: Invite) -> Self {
        Self {
            invite,
            holder: None,
        }
    }
}

impl From<Copied> for Given {
    fn from(copied: Copied) -> Self {
        Self {
            invite: copied.invite,
            holder: Some(copied.holder),
        }
    }
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
    let Given { invite, holder } = match early {
        Some(given) => given,
        None => read(&source, settings).await?,
    };
    warn_if_expired(&invite, settings);
    let used = holder.map(|holder| Used::new(holder, settings));
    let outcome = attempt.run(By::Invite(&invite)).await;
    if let (Err(error), Some(used)) = (&outcome, used)
        && error.exit() == Code::Etimedout.exit()
    {
        // The server never saw it: it is good for another try.
        used.keep();
    }
    outcome
}

fn source<'a>(scan: &'a args::Scan, settings: &Settings) -> Result<Source<'a>, CliError> {
    if let Some(path) = &scan.file {
        return Ok(Source::Picture(path));
    }
    if scan.clipboard {
        return Ok(Source::Clipboard);
    }
    if scan.screen {
        return Ok(Source::Screen);
    }
    if scan.camera {
        return Ok(Source::Camera);
    }
    match scan.text.as_deref() {
        Some("-") => Ok(Source::Stdin),
        // What stands there is not repeated: it may be a code without its beginning.
        Some(_) => Err(CliError::usage("`--text` takes `-` only, a code is never an argument")
            .with_hint("paste the code at the prompt of `healthsync scan`, or pipe it in: `healthsync scan --text -`")),
        // What lies in the clipboard is older than the new key.
        None if scan.new_key && settings.can_ask => Ok(Source::Prompt),
        None if scan.new_key => Ok(Source::Stdin),
        None => Ok(Source::Anywhere),
    }
}

async fn read(source: &Source<'_>, settings: &Settings) -> Result<Given, CliError> {
    Ok(match source {
        Source::Anywhere => match copied(settings).await {
            Some(copied) => copied.into(),
            None if settings.can_ask => scan::from_prompt(settings).await?.into(),
            None => return Err(CliError::usage("there is no terminal to ask at")
                .with_hint("pipe the code in: `healthsync scan --text -`, or name a picture of it: `healthsync scan --file IMAGE`")),
        },
        Source::Camera => camera::read(settings).await?.into(),
        Source::Clipboard => clipboard::read(settings).await?.into(),
        Source::Picture(path) => picture::from_file(path)?.into(),
        Source::Prompt => scan::from_prompt(settings).await?.into(),
        Source::Screen => screen::read(settings).await?.into(),
        Source::Stdin => scan::from_reader(tokio::io::BufReader::new(tokio::io::stdin()))
            .await?
            .into(),
    })
}

/// The code in the clipboard, if it holds one that may still be good. A person who is about to paste
/// one is told why it was not taken; without a display there was nothing to take.
async fn copied(settings: &Settings) -> Option<Copied> {
    let printer = settings.printer;
    match clipboard::look(settings).await {
        Ok(Some(copied)) if is_expired(&copied.invite, settings) => {
            printer.note("The pairing code in the clipboard has expired; it is not used.");
            None
        }
        Ok(found) => {
            if found.is_some() {
                printer.note("Using the pairing code in the clipboard.");
            }
            found
        }
        Err(error) => {
            let text = format!("The clipboard was not read: {error}.");
            if settings.display == Display::Present {
                printer.note(&text);
            } else {
                printer.detail(&text);
            }
            None
        }
    }
}

fn is_expired(invite: &Invite, settings: &Settings) -> bool {
    invite.expires_at < settings.environment.clock.now()
}

/// The server's clock decides; ours may be wrong.
fn warn_if_expired(invite: &Invite, settings: &Settings) {
    if is_expired(invite, settings) {
        settings.printer.warn(
            "the code has expired by this computer's clock; if the server agrees, open a new one with `healthsync-server pair`",
        );
    }
}
