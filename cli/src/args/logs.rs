//! What `logs` takes.

use clap::Args;

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only the last N lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) tail: u16,
}
