//! Words that documents of similar programs use, each with what does it here.
//!
//! It is asked only about what the grammar does not know.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::CliError;

/// Commands, and what to run instead.
const COMMANDS: &[(&str, &str)] = &[
    (
        "connect",
        "a command connects by itself; test it with `healthsync status`, at another address with `healthsync status --host HOST:PORT`",
    ),
    (
        "export",
        "run `healthsync fetch --output FILE`, or `healthsync cert export --output FILE` for certificates",
    ),
    (
        "list",
        "run `healthsync types` for the types, `healthsync servers` for the paired servers",
    ),
    (
        "login",
        "pair instead: `healthsync-server pair` on the server, then `healthsync scan` here",
    ),
    ("logout", "run `healthsync unpair`"),
    (
        "reset",
        "run `healthsync unpair` to end the pairing, `healthsync keychain clear` to delete all keys, `healthsync config reset` for the settings",
    ),
];

/// Options, each with its command, and what to use instead.
const OPTIONS: &[(&str, &str, &str)] = &[
    (
        "",
        "--port",
        "give the port with the host: `--host HOST:PORT`",
    ),
    (
        "discover",
        "--timeout",
        "say how long to listen: `healthsync discover --duration S`",
    ),
    (
        "pair",
        "--fingerprint",
        "leave it out: the pairing itself proves who the server is",
    ),
    (
        "pair",
        "--manual",
        "leave it out: `healthsync scan` asks for the text of the code",
    ),
    (
        "scan",
        "--debug-pasteboard",
        "run `healthsync scan --clipboard`: it says what kind of thing the clipboard holds",
    ),
];

/// The answer to a word that the grammar does not know, if it is one of these.
pub(crate) fn answer(error: &clap::Error, command: Option<&str>) -> Option<CliError> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand)?;
            let (_, instead) = COMMANDS.iter().find(|(name, _)| *name == word)?;
            Some(CliError::usage(format!("there is no command `{word}`")).with_hint(*instead))
        }
        ErrorKind::UnknownArgument => {
            let word = text(ContextKind::InvalidArg)?;
            let command = command.unwrap_or_default();
            let (_, _, instead) = OPTIONS
                .iter()
                .find(|(of, option, _)| *option == word && (of.is_empty() || *of == command))?;
            Some(CliError::usage(format!("there is no option `{word}`")).with_hint(*instead))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};
    use healthsync_core::report::Hint as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn no_word_of_the_grammar_is_listed() {
        let grammar = Cli::command();
        for (name, _) in COMMANDS {
            assert!(grammar.find_subcommand(name).is_none(), "{name} exists");
        }
        for (command, option, _) in OPTIONS {
            let Some(command) = grammar.find_subcommand(command) else {
                continue;
            };
            let known = command.get_arguments().any(|arg| {
                arg.get_long_and_visible_aliases()
                    .is_some_and(|names| names.contains(&option.trim_start_matches("--")))
            });
            assert!(!known, "{option} exists");
        }
    }

    #[test]
    fn what_is_typed_gets_its_replacement() {
        let told = |words: &[&str]| {
            let error = Cli::try_parse_from([&["healthsync"], words].concat()).unwrap_err();
            answer(&error, words.first().copied())
                .map(|error| (error.exit(), error.hint().unwrap()))
        };
        for (words, instead) in [
            (
                &["connect", "--host", "a", "--port", "1"][..],
                "healthsync status --host HOST:PORT",
            ),
            (&["reset", "--certificates"], "healthsync keychain clear"),
            (&["status", "--port", "1"], "--host HOST:PORT"),
            (&["scan", "--debug-pasteboard"], "scan --clipboard"),
        ] {
            let (exit, hint) = told(words).unwrap();
            assert_eq!(exit, 2);
            assert!(hint.contains(instead), "{words:?}: {hint}");
        }
        assert!(told(&["fetch", "--camera"]).is_none());
        assert!(told(&["nonsense"]).is_none());
    }
}
