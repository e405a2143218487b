//! What was typed on the command line, and nothing else: no files, no environment, no decisions.

mod sources;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use healthsync_manual::Generate;
use healthsync_pairing::{code::looks_like_code, id::KeyDigest};

pub use self::sources::{Prefer, Sources, Which};
use crate::rate::Rate;

/// Serves your own health data to devices that you paired, over mutual TLS.
#[derive(Debug, Parser)]
#[command(name = "healthsync-server", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Global {
    /// Folder of the data [default: the platform's, or `HEALTHSYNC_SERVER_HOME`]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// One JSON object a line on stdout
    #[arg(long, global = true)]
    pub json: bool,

    /// Only data and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Log more
    #[arg(long, short, global = true)]
    pub verbose: bool,

    /// Colour of messages
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// When messages have colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Start(Start),
    /// Read exports into the store
    Import(Import),
    /// Import what appears in a folder, until Ctrl-C
    Watch(Watch),
    /// Open a pairing window and show its code
    Pair(Pair),
    /// List the devices that are or were paired
    Pairs,
    /// Approve the device that waits, with the six digits that it shows
    Approve {
        /// The six digits on the screen of the new device
        #[arg(value_name = "DIGITS", required = true, num_args = 1..)]
        digits: Vec<String>,
    },
    /// Revoke a device: it is cut off at once and for good
    Revoke {
        /// Name or pair id, as `pairs` shows them
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Write certificate revocation lists, for verifiers other than this server
    Crl(Crl),
    /// Revoke every device and close the pairing window
    Reset {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Change what a device may read, from its next request on
    Allow(Allow),
    /// Let no device read until `resume`, also after a restart
    Pause,
    /// Let devices read again
    Resume,
    /// Show what happened to the pairs, and who read what
    Audit(Audit),
    /// Show or say which source totals believe first, a watch or a phone
    #[command(subcommand)]
    Sources(Sources),
    /// Show what the running server does
    Status,
    /// Show the version
    Version,
    /// Make completions, man pages or the reference of the command line
    #[command(subcommand, hide = true)]
    Generate(Generate),
}

/// Options of `start`.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Start {
    /// Address to listen on; may be repeated (every address of this computer if left out).
    #[arg(
        long,
        value_name = "ADDR",
        help = "Address to listen on; may be repeated [default: 0.0.0.0:8443 and [::]:8443]"
    )]
    pub listen: Vec<SocketAddr>,

    /// Where keys rest: `keychain`, `secret-service` or `file` [default: the one used last, else
    /// the platform's]
    #[arg(long, value_name = "KIND")]
    pub key_store: Option<String>,

    /// Name of this server, as paired devices show it [default: the name of this computer]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Do not announce the server on the local network
    #[arg(long)]
    pub no_mdns: bool,

    /// How often each device may ask: `60/min`, `5/s`, `1000/h` [default: no limit]
    #[arg(long, value_name = "N/UNIT")]
    pub rate: Option<Rate>,
}

/// Options of `import`.
#[derive(Clone, Debug, Default, ClapArgs)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option that a person gives or not"
)]
pub struct Import {
    /// Exports: `export.zip` of the Health app, the folder it holds, or the XML file in that; the
    /// zip of Health Connect or the database in it; JSON of Health Auto Export; our own CSV, TSV,
    /// Arrow or Parquet
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Whose data it is, or which phone's [default: `default`, or what a file of our own says]
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,

    /// Keep what a file that breaks off held up to there
    #[arg(long)]
    pub keep_partial: bool,

    /// Keep who the person is, too: date of birth, sex, blood type, the name in electrocardiograms
    #[arg(long)]
    pub with_identity: bool,

    /// Tell what would happen, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Delete what this export no longer holds; it must be complete and the newest of its origin
    #[arg(long)]
    pub prune: bool,

    /// Delete without asking, also more than one row of a hundred
    #[arg(long, requires = "prune")]
    pub yes: bool,
}

/// Options of `watch`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Watch {
    /// The folder; not the folders in it
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// Whose data it is, or which phone's [default: `default`, or what a file of our own says]
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,

    /// Seconds between two looks; a file is imported when two looks in a row find it unchanged
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub interval: u16,
}

/// Options of `pair`.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Pair {
    /// Also write the code as a picture (a new file that only you can read)
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,

    /// Replace the picture if it exists
    #[arg(long, requires = "png")]
    pub force: bool,

    /// Who approves; `none` lets in anybody who has the code (only on loopback)
    #[arg(long, value_name = "WHO", value_enum)]
    pub approve: Option<Approve>,

    /// Approve exactly this key, as `healthsync scan --new-key` printed it
    #[arg(long, value_name = "sha256:HEX", value_parser = key_digest, conflicts_with = "approve")]
    pub expect_key: Option<KeyDigest>,

    /// How long the window stays open
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u16).range(30..=900))]
    pub seconds: u16,

    /// How many days a certificate of this device lives, this one and those it renews to
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=398))]
    pub days: u16,

    /// What the new device may read.
    #[command(flatten)]
    pub limits: Limits,
}

/// What a device may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
pub struct Limits {
    /// Only these types, or categories of them: `heartRate,sleepAnalysis:asleepREM`
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse_name)]
    pub types: Vec<String>,

    /// Only data of this origin, as `import --origin` named it; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = parse_name)]
    pub origin: Vec<String>,
}

/// Options of `crl`.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Crl {
    /// Name or pair id, as `pairs` shows them [default: all pairs]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    /// File for the lists, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// DER (RFC 5280) instead of PEM: the list of one pair, into a file
    #[arg(long, requires_all = ["name", "output"])]
    pub der: bool,

    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// Options of `allow`.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(group = clap::ArgGroup::new("what").args(["types", "origin", "all"]).multiple(true).required(true))]
pub struct Allow {
    /// Name or pair id, as `pairs` shows them
    #[arg(value_name = "NAME")]
    pub name: String,

    /// What replaces the limits of the same kind; the others stay.
    #[command(flatten)]
    pub limits: Limits,

    /// Lift all limits
    #[arg(long, conflicts_with_all = ["types", "origin"])]
    pub all: bool,
}

/// Options of `audit`.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    /// What else than to list.
    #[command(subcommand)]
    pub what: Option<AuditCommand>,

    /// Only entries from this time on: `2026-01-07`, `2026-01-07T10:00`, `today`, `yesterday`
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Only entries of this device, by name or pair id as `pairs` shows them
    #[arg(long, value_name = "NAME")]
    pub pair: Option<String>,
}

/// What can be done with the audit log but listing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum AuditCommand {
    /// Check that no entry was changed or deleted
    Verify,
}

/// A name between commas.
fn parse_name(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("a name is empty"),
        name => Ok(name.to_owned()),
    }
}

/// Who approves a device, where it is not a person with six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// Nobody: whoever has the code is let in.
    None,
}

/// What no argument may hold: every user of this computer can list the arguments of a process, and
/// the shell keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedSecret {
    /// A pairing code.
    Code,
    /// The passphrase of the key store.
    Passphrase,
}

/// The secret that stands among the arguments, wherever in one of them.
pub fn typed_secret(args: &[OsString]) -> Option<TypedSecret> {
    args.iter().find_map(|arg| {
        let text = arg.to_string_lossy().to_ascii_lowercase();
        let value = text
            .split_once('=')
            .map_or(text.as_str(), |(_, value)| value);
        if text.contains("hs1:") || looks_like_code(&text) || looks_like_code(value) {
            Some(TypedSecret::Code)
        } else if text == "--passphrase" || text.starts_with("--passphrase=") {
            Some(TypedSecret::Passphrase)
        } else {
            None
        }
    })
}

fn key_digest(text: &str) -> Result<KeyDigest, String> {
    text.parse().map_err(|_| {
        "give it as `healthsync scan --new-key` prints it: `sha256:` and 64 digits of 0-9, a-f"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn check(line: &str) -> Result<Args, clap::error::ErrorKind> {
        Args::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn start_takes_several_addresses() {
        let args = check(
            "healthsync-server start --listen 127.0.0.1:0 --listen [::1]:0 --key-store file --json",
        )
        .unwrap();
        assert!(args.global.json);
        let Command::Start(start) = args.command else {
            panic!("not start");
        };
        assert_eq!(start.listen.len(), 2);
        assert_eq!(start.key_store.as_deref(), Some("file"));
    }

    #[test]
    fn bad_lines_are_usage_errors() {
        use clap::error::ErrorKind;
        for (line, expected) in [
            (
                "healthsync-server",
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ),
            ("healthsync-server stat", ErrorKind::InvalidSubcommand),
            (
                "healthsync-server import",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "healthsync-server approve",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "healthsync-server start --listen here",
                ErrorKind::ValueValidation,
            ),
            (
                "healthsync-server pair --seconds 5",
                ErrorKind::ValueValidation,
            ),
            (
                "healthsync-server pair --seconds 901",
                ErrorKind::ValueValidation,
            ),
            (
                "healthsync-server pair --days 0",
                ErrorKind::ValueValidation,
            ),
            (
                "healthsync-server pair --days 399",
                ErrorKind::ValueValidation,
            ),
            (
                "healthsync-server pair --approve yes",
                ErrorKind::InvalidValue,
            ),
            (
                "healthsync-server pair --force",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "healthsync-server allow ana",
                ErrorKind::MissingRequiredArgument,
            ),
            (
                "healthsync-server allow ana --all --types steps",
                ErrorKind::ArgumentConflict,
            ),
            (
                "healthsync-server pair --types steps,",
                ErrorKind::ValueValidation,
            ),
            (
                "healthsync-server audit --since today verify",
                ErrorKind::ArgumentConflict,
            ),
            (
                "healthsync-server audit repair",
                ErrorKind::InvalidSubcommand,
            ),
            (
                "healthsync-server status --quiet --verbose",
                ErrorKind::ArgumentConflict,
            ),
        ] {
            assert_eq!(check(line).unwrap_err(), expected, "{line}");
        }
    }

    #[test]
    fn secrets_among_arguments_are_seen() {
        use TypedSecret::{Code, Passphrase};
        for (arg, expected) in [
            ("HS1:ABC", Some(Code)),
            (" hs1:abc", Some(Code)),
            ("--text=HS1:ABC", Some(Code)),
            ("--pngHS1:ABC", Some(Code)),
            ("'Hs1:ABC'", Some(Code)),
            ("code:hS1:ABC", Some(Code)),
            ("K7QF-3M9X-5", Some(Code)),
            ("--png=k7qf-3m9x-5", Some(Code)),
            ("--passphrase", Some(Passphrase)),
            ("--passphrase=x", Some(Passphrase)),
            ("--Passphrase=x", Some(Passphrase)),
            ("--png", None),
            ("HS1", None),
            ("HS1.png", None),
            ("123456", None),
        ] {
            assert_eq!(typed_secret(&[OsString::from(arg)]), expected, "{arg}");
        }
    }

    #[test]
    fn wrong_key_is_told_the_wanted_form() {
        let error =
            Args::try_parse_from(["healthsync-server", "pair", "--expect-key", "SHA256:AB"])
                .unwrap_err();
        assert!(error.to_string().contains("64 digits of 0-9, a-f"));
        assert!(key_digest(&format!("sha256:{}", "0a".repeat(32))).is_ok());
        assert!(key_digest(&format!("sha256:{}", "0A".repeat(32))).is_err());
    }
}
