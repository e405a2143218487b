//! What `types` takes.

use clap::{Args, ValueEnum};

/// `types`.
#[derive(Debug, Args)]
pub(crate) struct Types {
    /// Only the names, one a line
    #[arg(long)]
    pub(crate) list: bool,
    /// Only types that hold samples; a server lists no others
    #[arg(long)]
    pub(crate) with_data: bool,
    /// Output format [default: table; ndjson with --json]
    #[arg(long, short, value_name = "FORMAT", conflicts_with = "list")]
    pub(crate) format: Option<ListFormat>,
    /// Print the request, connect nowhere
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// RFC 4180, with a header
    Csv,
    /// One array
    Json,
    /// One object a line
    Ndjson,
}
