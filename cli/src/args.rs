//! What was typed: the grammar of the command line, and nothing of its meaning.
//!
//! Each command that takes options of its own has a file here; this one holds what all share, and
//! the list of the commands.

mod aggregate;
mod cert;
mod config;
mod discover;
mod doctor;
mod fetch;
mod keychain;
mod logs;
mod scan;
mod status;
mod sync;
mod types;

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};
use healthsync_manual::{Generate, Values};

pub(crate) use self::{
    aggregate::{Aggregate, DayName, PeriodName},
    cert::{Cert, Export},
    config::{Config, SettingKey},
    discover::Discover,
    doctor::Doctor,
    fetch::{Fetch, OTHER_DATA, OutputFormat, What},
    keychain::Keychain,
    logs::Logs,
    scan::{Newcomer, Pair, Scan},
    status::{Ping, Status},
    sync::{FolderFormat, Sync},
    types::{ListFormat, Types},
};
use crate::known;

/// Fetch health data from a paired server over mutual TLS.
#[derive(Debug, Parser)]
#[command(
    name = "healthsync",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    after_help = "Start: run `healthsync-server pair` on the server, then `healthsync pair` or `healthsync scan` here."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub(crate) struct Global {
    /// Print JSON on stdout, one object a line; an error is the last line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print data and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more details
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Configuration file [default: config.json in the client's folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Which paired server: its name or its pair id (needed when there are several)
    #[arg(long, global = true, visible_alias = "device", value_name = "NAME", add = Values::new(known::servers))]
    pub(crate) server: Option<String>,
    /// Dial this address instead of the saved ones: HOST or HOST:PORT
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Do not look for the server by mDNS when it is at none of the saved addresses
    #[arg(long, global = true)]
    pub(crate) no_mdns: bool,
    /// Print each step of the connection on stderr: addresses, TLS, certificates, alerts
    #[arg(long, global = true, visible_alias = "debug")]
    pub(crate) debug_tls: bool,
    /// Longest wait, in milliseconds, for a connection and between two parts of an answer
    #[arg(long, global = true, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) timeout: Option<u64>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pair this computer with a server: by its code, from the clipboard, a picture or the prompt
    Scan(Scan),
    /// Pair this computer with a server: type the short code that it shows
    Pair(Pair),
    /// List the servers that announce themselves in the local network
    Discover(Discover),
    /// List the paired servers
    #[command(visible_alias = "devices")]
    Servers,
    /// Test the connection and show what it proves
    Status(Status),
    /// Measure how long a small request takes there and back
    Ping(Ping),
    /// List the health types that the server holds
    Types(Types),
    /// Fetch samples, workouts, routes and more, in one of many formats
    Fetch(Fetch),
    /// Keep a copy of all data, a SQLite file or a folder of Parquet, which follows the server
    Sync(Sync),
    /// Look at the certificates of the pair
    #[command(subcommand)]
    Cert(Cert),
    /// End the pairing on both sides
    Unpair,
    /// Manage the keys of this computer
    #[command(subcommand)]
    Keychain(Keychain),
    /// Show or change the settings
    #[command(subcommand)]
    Config(Config),
    /// Show what this program did here: commands, outcomes, durations
    Logs(Logs),
    /// Find out what keeps this computer from its server: one verdict, one command
    #[command(visible_alias = "diagnose")]
    Doctor(Doctor),
    /// Print the version
    Version,
    /// Make completions, man pages or the reference of the command line
    #[command(subcommand, hide = true)]
    Generate(Generate),
}

impl Command {
    /// Its name in the record of what was done; `None` for those that only tell about the program.
    pub(crate) const fn recorded(&self) -> Option<&'static str> {
        Some(match self {
            Self::Scan(_) => "scan",
            Self::Pair(_) => "pair",
            Self::Discover(_) => "discover",
            Self::Servers => "servers",
            Self::Status(_) => "status",
            Self::Ping(_) => "ping",
            Self::Types(_) => "types",
            Self::Fetch(_) => "fetch",
            Self::Sync(_) => "sync",
            Self::Cert(Cert::Info { .. }) => "cert info",
            Self::Cert(Cert::Export(_)) => "cert export",
            Self::Cert(Cert::Renew { .. }) => "cert renew",
            Self::Unpair => "unpair",
            Self::Keychain(_) => "keychain clear",
            Self::Config(Config::Set { .. }) => "config set",
            Self::Config(Config::Reset { .. }) => "config reset",
            Self::Doctor(_) => "doctor",
            Self::Config(_) | Self::Logs(_) | Self::Version | Self::Generate(_) => return None,
        })
    }
}
