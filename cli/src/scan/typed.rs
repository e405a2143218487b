//! Getting the short code: typed at a prompt, or piped in. Nothing is sent before its check symbol
//! fits.

use std::io::{self, Write as _};

use healthsync_core::api::Code;
use healthsync_pairing::{
    code::{CodeError, TypedCode},
    secret::Secret,
};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::{error::CliError, settings::Settings};

/// It is shown while it is typed: it is good for one device and a few minutes, and a person who sees
/// what they type mistypes less.
const PROMPT: &str = "Type it here, then press Enter: ";

/// How often a person may mistype it.
const ENTRIES: u32 = 3;

/// No line with a code is longer, nor are the empty ones before it.
const LONGEST: u64 = 4096;

/// Asks a person, again if it is mistyped.
pub(crate) async fn from_prompt(settings: &Settings) -> Result<TypedCode, CliError> {
    settings
        .printer
        .say("Run `healthsync-server pair` on the server; it shows a code like K7QF-3M9X-5.");
    let mut left = ENTRIES;
    loop {
        left -= 1;
        let line = tokio::task::spawn_blocking(ask)
            .await
            .map_err(|error| CliError::new(Code::Internal, "the prompt failed").because(error))?
            .map_err(|error| CliError::usage("there is no terminal to ask at").because(error))?;
        match line.map(|line| read(&line)) {
            // Ctrl-D.
            None => return Err(CliError::interrupted()),
            Some(Err(error @ (CodeError::Length | CodeError::Mistyped | CodeError::Symbol)))
                if left > 0 =>
            {
                settings.printer.say(&format!("{error}. Once more:"));
            }
            Some(read) => return Ok(read?),
        }
    }
}

fn ask() -> io::Result<Option<Secret>> {
    let mut shown = io::stderr();
    // A closed stderr is nobody's to tell.
    drop(write!(shown, "{PROMPT}").and_then(|()| shown.flush()));
    let mut line = String::new();
    let length = io::stdin().read_line(&mut line)?;
    let line = Secret::new(line.into_bytes());
    Ok((length > 0).then_some(line))
}

/// The first line that is not empty.
pub(crate) async fn from_reader(reader: impl AsyncBufRead + Unpin) -> Result<TypedCode, CliError> {
    let mut reader = reader.take(LONGEST);
    loop {
        let mut line = Vec::new();
        let length = reader.read_until(b'\n', &mut line).await.map_err(|error| {
            CliError::new(Code::ReadFailed, "could not read the code from stdin")
                .because(error)
                .with_hint("pipe in the code that `healthsync-server pair` shows")
        })?;
        let is_blank = line.iter().all(u8::is_ascii_whitespace);
        let line = Secret::new(line);
        if length == 0 || !is_blank {
            return Ok(read(&line)?);
        }
    }
}

fn read(line: &Secret) -> Result<TypedCode, CodeError> {
    let text = std::str::from_utf8(line.expose()).map_err(|_| CodeError::Symbol)?;
    TypedCode::parse(text)
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::Hint as _;

    use super::*;

    async fn piped(text: &str) -> Result<Vec<u8>, &'static str> {
        from_reader(text.as_bytes())
            .await
            .map(|code| code.to_text().expose().to_vec())
            .map_err(|error| error.code())
    }

    #[tokio::test]
    async fn a_piped_code_is_read() {
        for good in [
            "K7QF-3M9X-5",
            "k7qf-3m9x-5\n",
            "\n \r\nk7qf 3m9x 5\r\n",
            "K7QF3M9X5\nsomething else\n",
        ] {
            assert_eq!(piped(good).await.as_deref(), Ok(&b"K7QF-3M9X-5"[..]));
        }
        for (bad, code) in [
            ("", "CODE_MISTYPED"),
            ("\n\n", "CODE_MISTYPED"),
            ("K7QF-3M9X-6\n", "CODE_MISTYPED"),
            ("hello\n", "CODE_MISTYPED"),
            ("HS1:ABC\n", "INVITE_NOT_EXPECTED"),
        ] {
            assert_eq!(piped(bad).await, Err(code), "{bad:?}");
        }
        let endless = "\n".repeat(100_000);
        assert_eq!(piped(&endless).await, Err("CODE_MISTYPED"));
    }
}
