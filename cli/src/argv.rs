//! Secrets on the command line, refused before anything could echo them.
//!
//! Whoever may list processes can read the arguments of every one of them, and shells keep them.

use std::ffi::OsStr;

use healthsync_core::api::Code;
use healthsync_pairing::{
    code::{TypedCode, looks_like_code},
    defence::{Defence, holds},
};

use crate::error::CliError;

/// Refuses a pairing code anywhere, and a passphrase given as an option. The error names neither.
pub(crate) fn refuse_secrets<'a>(
    arguments: impl IntoIterator<Item = &'a OsStr>,
) -> Result<(), CliError> {
    for argument in arguments {
        let text = argument.to_string_lossy().to_ascii_lowercase();
        if !holds(Defence::SecretsNotInArgv) {
            continue;
        }
        if text.contains("hs1:") || holds_typed_code(&text) {
            return Err(CliError::new(
                Code::SecretInArgv,
                "a pairing code on the command line can be read by every user of this computer",
            ));
        }
        // Options that documents of similar programs know.
        if let Some(option) = ["--token", "--qr"].into_iter().find(|option| {
            text.strip_prefix(option)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        }) {
            return Err(CliError::new(
                Code::SecretInArgv,
                format!(
                    "there is no {option}: a pairing code on the command line can be read by every user of this computer"
                ),
            ));
        }
        if text == "--passphrase" || text.starts_with("--passphrase=") {
            return Err(CliError::new(
                Code::SecretInArgv,
                "a passphrase on the command line can be read by every user of this computer",
            )
            .with_hint(
                "type it at the prompt, or let `HEALTHSYNC_PASSPHRASE_FILE` name a file that only you can read",
            ));
        }
    }
    Ok(())
}

/// `k7qf-3m9x-5`, also as the value of an option.
fn holds_typed_code(argument: &str) -> bool {
    let value = argument
        .split_once('=')
        .map_or(argument, |(_, value)| value);
    looks_like_code(argument) || looks_like_code(value)
}

/// Whether clap would repeat an unknown word that could be a code without its `HS1:`: the words of our
/// grammar are lower-case letters and hyphens.
pub(crate) fn may_be_a_code(error: &clap::Error) -> bool {
    use clap::error::{ContextKind, ContextValue};

    [ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
        .into_iter()
        .filter_map(|kind| match error.get(kind) {
            Some(ContextValue::String(word)) => Some(word),
            _ => None,
        })
        .filter(|_| {
            matches!(
                error.kind(),
                clap::error::ErrorKind::UnknownArgument | clap::error::ErrorKind::InvalidSubcommand
            )
        })
        // Of a bundle of short options clap repeats one.
        .filter(|word| word.chars().count() > 2)
        .any(|word| {
            !word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                || TypedCode::parse(word).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::{self, Hint as _};

    use super::*;

    #[test]
    fn codes_and_passphrases_are_refused_and_not_repeated() {
        for (words, refused) in [
            (&["scan", "HS1:ABC%"][..], true),
            (&["scan", "hs1:abc%"], true),
            (&["scan", "--text", "HS1:ABC%"], true),
            (&["scan", "--text=Hs1:ABC%"], true),
            (&["scan", "--textHS1:ABC%"], true),
            (&["scan", " HS1:ABC%"], true),
            (&["scan", "--file", "'HS1:ABC%'"], true),
            (&["HS1:ABC%"], true),
            (&["pair", "--token", "ABC%"], true),
            (&["pair", "--qr", "{\"code\":\"ABC%\"}"], true),
            (&["pair", "--qr={\"code\":\"ABC%\"}"], true),
            (&["status", "--passphrase", "ABC%"], true),
            (&["status", "--passphrase=ABC%"], true),
            (&["pair", "ABC0-1234-5"], true),
            (&["pair", "abc0-1234-5"], true),
            (&["pair", "--code", "ABC0-1234-5"], true),
            (&["pair", "--code=abc0-1234-5"], true),
            (&["pair", "--code", "-"], false),
            (&["fetch", "--start", "2026-01-10"], false),
            (&["scan", "--text", "-"], false),
            (&["scan", "--file", "HS1.png"], false),
            (&["fetch", "--types", "steps"], false),
        ] {
            let words: Vec<_> = words.iter().map(OsStr::new).collect();
            match refuse_secrets(words.iter().copied()) {
                Ok(()) => assert!(!refused, "{words:?}"),
                Err(error) => {
                    assert!(refused, "{words:?}");
                    assert_eq!((error.code(), error.exit()), ("SECRET_IN_ARGV", 2));
                    let told = report::render(&error, error.code(), error.hint().as_deref());
                    let told = told.to_ascii_uppercase();
                    assert!(!told.contains("ABC%") && !told.contains("ABC0"), "{told}");
                }
            }
        }
    }
}
