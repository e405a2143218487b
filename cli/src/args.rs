//! What was typed: the grammar of the command line, and nothing of its meaning.

use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};

/// Fetch health data from a paired server over mutual TLS.
#[derive(Debug, Parser)]
#[command(
    name = "healthsync",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    after_help = "Start: run `healthsync-server pair` on the server, then `healthsync scan` here."
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
    #[arg(long, global = true, visible_alias = "device", value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// Dial this address instead of the saved ones: HOST or HOST:PORT
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Do not look for the server by mDNS when it is at none of the saved addresses
    #[arg(long, global = true)]
    pub(crate) no_mdns: bool,
    /// Longest wait, in milliseconds, for a connection and between two parts of an answer
    #[arg(long, global = true, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) timeout: Option<u64>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pair this computer with a server: paste its code at the prompt
    Scan(Scan),
    /// List the servers that announce themselves in the local network
    Discover(Discover),
    /// List the paired servers
    #[command(visible_alias = "devices")]
    Servers,
    /// Test the connection and show what it proves
    Status,
    /// List the health types that the server holds
    Types,
    /// Fetch samples as CSV, TSV, JSON, NDJSON or Arrow
    Fetch(Fetch),
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
    /// Print the version
    Version,
}

/// `discover`.
#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// How many seconds to listen
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) duration: u64,
}

/// `scan`.
#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Read the code from stdin; `-` is the only value, a code is never an argument
    #[arg(
        long,
        value_name = "-",
        allow_hyphen_values = true,
        conflicts_with = "file"
    )]
    pub(crate) text: Option<String>,
    /// Read the code from a picture of the QR code
    #[arg(
        long,
        visible_alias = "image",
        value_name = "IMAGE",
        conflicts_with = "new_key"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Print the digest of this computer's new key first, for `healthsync-server pair --expect-key`
    #[arg(long)]
    pub(crate) new_key: bool,
    /// What this computer calls itself [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where to keep the key: keychain, secret-service, windows-credential-manager, or file
    #[arg(long, value_name = "KIND")]
    pub(crate) key_store: Option<String>,
}

/// `fetch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without a range: today. --start alone runs to now. A date as --end includes that day.
Times are RFC 3339 (2026-01-10T08:00:00Z), local dates (2026-01-10), local times
(2026-01-10T08:00), or now, today, yesterday. A sample belongs to the range in which it starts.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub(crate) struct Fetch {
    /// Types, separated by commas (`healthsync types` lists them), or `all` [default: all]
    #[arg(
        long,
        short,
        visible_alias = "type",
        value_name = "TYPES",
        value_delimiter = ','
    )]
    pub(crate) types: Vec<String>,
    /// From this time on
    #[arg(
        long,
        visible_alias = "from",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub(crate) start: Option<String>,
    /// Up to this time
    #[arg(
        long,
        visible_alias = "to",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub(crate) end: Option<String>,
    /// The last N days, today included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_600), conflicts_with_all = ["start", "end", "today", "yesterday"])]
    pub(crate) days: Option<u32>,
    /// The day of today
    #[arg(long, conflicts_with_all = ["start", "end", "yesterday"])]
    pub(crate) today: bool,
    /// The day before
    #[arg(long, conflicts_with_all = ["start", "end"])]
    pub(crate) yesterday: bool,
    /// Every type, and all time unless a range is given
    #[arg(long)]
    pub(crate) all: bool,
    /// At most N samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Only samples that came in under this name (`healthsync-server import --origin`)
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Vec<String>,
    /// Output format [default: by the ending of --output, else csv; ndjson with --json]
    #[arg(long, short, value_name = "FORMAT")]
    pub(crate) format: Option<OutputFormat>,
    /// Write to a file, which appears complete or not at all
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the output file if there is one
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Field separator of CSV: one character, or `tab`
    #[arg(long, value_name = "CHAR", allow_hyphen_values = true)]
    pub(crate) delimiter: Option<String>,
    /// Also write origin, device, creation date and metadata
    #[arg(long)]
    pub(crate) include_metadata: bool,
}

/// Endings that promise a format which we do not write.
pub(crate) const OTHER_DATA: &[&str] = &[
    "avro", "db", "duckdb", "feather", "gz", "html", "ods", "orc", "parquet", "pdf", "sqlite",
    "xls", "xlsx", "xml", "yaml", "yml", "zip", "zst",
];

/// The formats, by the names of `core::format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// RFC 4180, with a header
    Csv,
    /// The same with tabs
    Tsv,
    /// One object: {status, samples, count, hasMore}
    Json,
    /// One object a line
    Ndjson,
    /// Arrow IPC stream
    Arrow,
}

impl OutputFormat {
    /// The name in `core::format`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
        }
    }
}

/// `cert`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Show the certificates: whose, by whom, valid how long, and whether they hold
    Info {
        /// Only the CA's certificate
        #[arg(long)]
        ca: bool,
    },
    /// Get a certificate for a new key now; other commands do it when less than a third of the
    /// life is left
    Renew {
        /// Only tell whether it is due: exit code 0 yes, 1 no, 2 there is no certificate
        #[arg(long)]
        check: bool,
    },
}

/// `keychain`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keychain {
    /// Delete every key of healthsync from the key store, and the pairs that need them
    Clear {
        /// Do not ask
        #[arg(long, short, action = ArgAction::SetTrue)]
        yes: bool,
    },
}

/// `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show the settings and where they are kept
    Show,
    /// Change one: `config set server.host 192.168.1.20`
    Set {
        /// Which
        key: SettingKey,
        /// Its value: HOST or HOST:PORT; an empty one removes it
        value: String,
    },
    /// Go back to the defaults; a damaged file is moved aside, never deleted
    Reset {
        /// Also when a pair is recorded (the file is moved aside)
        #[arg(long)]
        force: bool,
    },
}

/// What `config set` can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SettingKey {
    /// Address to dial first
    #[value(name = "server.host")]
    ServerHost,
}
