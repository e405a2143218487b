//! Getting the pairing code: pasted at a prompt, piped in, read from a picture, from the clipboard or
//! from the screen; `typed` has the short one.

pub(crate) mod camera;
pub(crate) mod clipboard;
mod display;
pub(crate) mod picture;
pub(crate) mod screen;
#[cfg(unix)]
mod terminal;
pub(crate) mod typed;

use std::time::Duration;
#[cfg(unix)]
use std::{
    io::{ErrorKind, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use healthsync_core::api::Code;
use healthsync_pairing::{
    invite::{Invite, InviteError},
    secret::Secret,
};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

#[cfg(not(unix))]
use crate::keys;
use crate::{error::CliError, settings::Settings};

const PROMPT: &str = "Paste it here (it stays hidden), then press Enter: ";

/// No honest text is longer, however it was wrapped.
const LONGEST_TEXT: u64 = 64 << 10;

/// How long the rest of a text may take that was wrapped over several lines.
const NEXT_LINE: Duration = Duration::from_secs(2);

/// Asks a person to paste the text. It is not shown, so it stays out of what the terminal keeps.
/// It may have several lines, as the server writes it beside the picture.
pub(crate) async fn from_prompt(settings: &Settings) -> Result<Invite, CliError> {
    settings
        .printer
        .say("Run `healthsync-server pair` on the server and copy the text that starts with HS1:");
    let text = ask().await?;
    let text = std::str::from_utf8(text.expose()).map_err(|_| InviteError::NotFound)?;
    Ok(Invite::parse(text)?)
}

#[cfg(unix)]
async fn ask() -> Result<Secret, CliError> {
    /// Tells the thread that nobody waits for it any more, so that it gives the terminal back.
    struct Stop(Arc<AtomicBool>);

    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let stop = Stop(Arc::default());
    let stopped = Arc::clone(&stop.0);
    let asking = tokio::task::spawn_blocking(move || {
        let mut shown = std::io::stderr();
        let text = terminal::paste(std::io::stdin(), &stopped, || {
            drop(write!(shown, "{PROMPT}").and_then(|()| shown.flush()));
        });
        drop(writeln!(shown));
        text
    });
    let outcome = asking
        .await
        .map_err(|error| CliError::new(Code::Internal, "the prompt failed").because(error))?;
    drop(stop);
    outcome.map_err(|error| match error.kind() {
        ErrorKind::Interrupted | ErrorKind::UnexpectedEof => CliError::interrupted(),
        _ => CliError::usage("there is no terminal to ask at").because(error),
    })
}

#[cfg(not(unix))]
async fn ask() -> Result<Secret, CliError> {
    keys::ask(PROMPT)
}

/// Reads the text from a pipe: the first line that is a code, whether or not the pipe stays open.
/// A text wrapped over several lines is put together.
pub(crate) async fn from_reader(reader: impl AsyncBufRead + Unpin) -> Result<Invite, CliError> {
    let mut reader = reader.take(LONGEST_TEXT);
    let mut text = String::new();
    let mut outcome = Err(InviteError::NotFound);
    loop {
        let begun = !text.trim().is_empty();
        let line = reader.read_line(&mut text);
        let read = if begun {
            match tokio::time::timeout(NEXT_LINE, line).await {
                Ok(read) => read,
                Err(_) => break,
            }
        } else {
            line.await
        };
        let length = read.map_err(|error| {
            CliError::new(Code::ReadFailed, "could not read the code from stdin")
                .because(error)
                .with_hint("pipe in the text that starts with `HS1:`; a picture of the code goes to `healthsync scan --file IMAGE`")
        })?;
        if length == 0 {
            break;
        }
        if text.trim().is_empty() {
            continue;
        }
        outcome = Invite::parse(&text);
        if outcome.is_ok() {
            break;
        }
    }
    Ok(outcome?)
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::Hint as _;
    use healthsync_pairing::id::KeyDigest;

    use super::*;

    fn text() -> String {
        let invite = Invite {
            session: [1; 8],
            key: KeyDigest([2; 32]),
            secret: Secret::new(vec![3; 16]),
            addresses: vec!["127.0.0.1:8443".parse().unwrap()],
            expires_at: 1_900_000_000,
        };
        let text = invite.to_text().unwrap();
        String::from_utf8(text.expose().to_vec()).unwrap()
    }

    async fn read(text: &str) -> Result<[u8; 8], &'static str> {
        from_reader(text.as_bytes())
            .await
            .map(|invite| invite.session)
            .map_err(|error| error.code())
    }

    #[tokio::test]
    async fn a_piped_code_is_found() {
        let text = text();
        let (front, back) = text.split_at(30);
        for good in [
            text.clone(),
            format!("{text}\n"),
            format!("\n\n{text}\r\n"),
            format!("{front}\n{back}\n"),
            format!("{text}\nsomething else\n"),
        ] {
            assert_eq!(read(&good).await, Ok([1; 8]), "{good:?}");
        }
        for bad in ["", "\n\n", "hello\n"] {
            assert_eq!(read(bad).await, Err("INVITE_NOT_FOUND"), "{bad:?}");
        }
        assert!(read(front).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_pipe_does_not_keep_us_waiting() {
        let text = text();
        let (reader, mut writer) = tokio::io::duplex(4096);
        tokio::io::AsyncWriteExt::write_all(&mut writer, format!("{text}\n").as_bytes())
            .await
            .unwrap();
        let invite = from_reader(tokio::io::BufReader::new(reader))
            .await
            .unwrap();
        assert_eq!(invite.session, [1; 8]);

        let (reader, mut writer) = tokio::io::duplex(4096);
        tokio::io::AsyncWriteExt::write_all(&mut writer, b"not a code\n")
            .await
            .unwrap();
        let outcome = from_reader(tokio::io::BufReader::new(reader)).await;
        assert!(outcome.is_err());
        drop(writer);
    }
}
