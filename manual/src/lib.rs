//! What people read about a command line, made from its one definition: completions, man pages and
//! the reference in docs/reference/cli.md. Both programs have the hidden command `generate`.
//!
//! Completions are dynamic: the script that a shell loads asks the program itself, so it knows every
//! option that the program knows, and values that only the program can look up.

mod reference;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Command, Subcommand, ValueEnum};
pub use clap_complete::engine::{ArgValueCandidates as Values, CompletionCandidate as Candidate};
use clap_complete::env::{CompleteEnv, Shells};

/// The variable by which a completion script tells the program to complete.
const VARIABLE: &str = "COMPLETE";

/// What can be made.
#[derive(Clone, Debug, Subcommand)]
pub enum Generate {
    /// The script that a shell loads
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Man pages, into this folder
    Man {
        /// Which is there already
        folder: PathBuf,
    },
    /// The reference, as Markdown
    Reference,
}

/// The shells that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Fish
    Fish,
    /// PowerShell
    Powershell,
    /// Z shell
    Zsh,
}

impl Shell {
    const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }
}

impl Generate {
    /// Makes it; text goes to `out`.
    pub fn run(&self, command: Command, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Completions { shell } => completions(*shell, command.get_name(), out),
            Self::Man { folder } => man(command, folder),
            Self::Reference => out.write_all(reference::markdown(command).as_bytes()),
        }
    }
}

/// Answers a completion script, if one asks; then the process has nothing else to do. Call it before
/// anything else.
pub fn complete(command: impl Fn() -> Command) {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

fn completions(shell: Shell, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let shells = Shells::builtins();
    let completer = shells
        .completer(shell.name())
        .ok_or_else(|| io::Error::other("no such shell"))?;
    completer.write_registration(VARIABLE, name, name, name, out)
}

fn man(command: Command, folder: &Path) -> io::Result<()> {
    clap_mangen::generate_to(command, folder)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn command() -> Command {
        Command::new("example")
            .about("Does it")
            .arg(Arg::new("json").long("json").global(true).help("As JSON"))
            .subcommand(
                Command::new("show")
                    .about("Shows")
                    .arg(Arg::new("what").long("what").short('w').help("Which | one")),
            )
            .subcommand(Command::new("secret").hide(true))
    }

    fn made(what: &Generate) -> String {
        let mut out = Vec::new();
        what.run(command(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_shell_gets_a_script_that_asks_the_program() {
        for shell in Shell::value_variants() {
            let script = made(&Generate::Completions { shell: *shell });
            assert!(
                script.contains(VARIABLE) && script.contains("example"),
                "{script}"
            );
        }
    }

    #[test]
    fn the_reference_names_what_is_not_hidden() {
        let text = made(&Generate::Reference);
        for word in [
            "## example\n",
            "### example show\n",
            "`-w`, `--what",
            "Which \\| one",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("secret"), "{text}");
        // What every command takes stands once.
        assert_eq!(text.matches("As JSON").count(), 1, "{text}");
    }
}
